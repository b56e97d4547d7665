import { concatBytes, toHex, toUtf8 } from '@copain/core';
import { maxRecordBytes, type RecordKind } from '@copain/trust';
import { atMs, type CircleOfTwo } from './records.ts';

/** Bytes that look like a record and are none. */
export interface RefusedVector {
  name: string;
  /** As what it is offered. */
  kind: RecordKind;
  /** `envelope`: it does not open. `form`: it opens, and the payload is no record. */
  refusedBy: 'envelope' | 'form';
  why: string;
  payload?: string;
  envelope: string;
}

/** CBOR written by hand, since the encoder of the records writes nothing that may be refused. */
function head(major: number, value: number): Uint8Array {
  if (value < 24) return Uint8Array.of(major * 32 + value);
  if (value < 2 ** 8) return Uint8Array.of(major * 32 + 24, value);
  if (value < 2 ** 16) return Uint8Array.of(major * 32 + 25, value >> 8, value & 255);
  const bytes = new Uint8Array(9);
  bytes[0] = major * 32 + 27;
  new DataView(bytes.buffer).setBigUint64(1, BigInt(value));
  return bytes;
}
const integer = (value: number): Uint8Array => head(0, value);
const text = (value: string): Uint8Array => concatBytes(head(3, toUtf8(value).length), toUtf8(value));
const list = (...items: Uint8Array[]): Uint8Array => concatBytes(head(4, items.length), ...items);
type Pair = readonly [key: string, value: Uint8Array];
const map = (...pairs: Pair[]): Uint8Array =>
  concatBytes(head(5, pairs.length), ...pairs.flatMap(([key, value]) => [text(key), value]));
const no = Uint8Array.of(0xf4);

export async function refusedRecords({ bob, alice, vote }: CircleOfTwo): Promise<RefusedVector[]> {
  const pairs = {
    v: ['v', integer(1)],
    type: ['type', text('vote')],
    about: ['about', text(alice.box.peer)],
    silent: ['silent', no],
    heardAt: ['heardAt', integer(atMs)],
    sequence: ['sequence', integer(2)],
  } as const satisfies Record<string, Pair>;
  const { v, type, about, silent, heardAt, sequence } = pairs;
  const good = map(v, type, about, silent, heardAt, sequence);
  const half = Uint8Array.of(0xf9, 0x3e, 0x00);
  const forms: { name: string; why: string; payload: Uint8Array }[] = [
    {
      name: 'key order',
      why: 'keys must be ordered by length, then by bytes',
      payload: map(type, v, about, silent, heardAt, sequence),
    },
    {
      name: 'duplicate key',
      why: 'a key may occur once',
      payload: map(v, type, about, silent, silent, heardAt, sequence),
    },
    {
      name: 'fraction',
      why: 'numbers are integers',
      payload: map(v, type, about, silent, ['heardAt', half], sequence),
    },
    {
      name: 'integer as float',
      why: '2.0 is not the shortest form of 2',
      payload: map(v, type, about, silent, heardAt, ['sequence', Uint8Array.of(0xf9, 0x40, 0x00)]),
    },
    {
      name: 'long integer',
      why: 'integers have their shortest form: 2 in one byte',
      payload: map(v, type, about, silent, heardAt, ['sequence', Uint8Array.of(0x18, 0x02)]),
    },
    {
      name: 'integer beyond 2^53 - 1',
      why: 'integers are at most 2^53 - 1',
      payload: map(v, type, about, silent, heardAt, [
        'sequence',
        Uint8Array.of(0x1b, 0x00, 0x20, 0, 0, 0, 0, 0, 0),
      ]),
    },
    {
      name: 'indefinite length',
      why: 'lengths are definite',
      payload: concatBytes(Uint8Array.of(0xbf), good.subarray(1), Uint8Array.of(0xff)),
    },
    {
      name: 'tag',
      why: 'there are no tags',
      payload: map(
        v,
        type,
        about,
        silent,
        ['heardAt', concatBytes(Uint8Array.of(0xc1), integer(atMs))],
        sequence,
      ),
    },
    {
      name: 'undefined',
      why: 'of simple values only false, true and null',
      payload: map(v, ['x', Uint8Array.of(0xf7)], type, about, silent, heardAt, sequence),
    },
    { name: 'trailing byte', why: 'nothing follows the map', payload: concatBytes(good, Uint8Array.of(0)) },
    { name: 'cut short', why: 'the map is whole', payload: good.subarray(0, -1) },
    { name: 'no map', why: 'a record is a map', payload: list(integer(1), text('vote')) },
    {
      name: 'other version',
      why: '`v` is 1',
      payload: map(['v', integer(2)], type, about, silent, heardAt, sequence),
    },
    {
      name: 'wrong type',
      why: '`type` names the kind that the envelope is for',
      payload: map(v, ['type', text('mote')], about, silent, heardAt, sequence),
    },
    {
      name: 'missing field',
      why: '`silent` is not optional',
      payload: map(v, type, about, heardAt, sequence),
    },
    {
      name: 'field of another type',
      why: '`silent` is true or false',
      payload: map(v, type, about, ['silent', integer(0)], heardAt, sequence),
    },
    {
      name: 'integer below its range',
      why: '`sequence` begins at 1',
      payload: map(v, type, about, silent, heardAt, ['sequence', integer(0)]),
    },
    {
      name: 'no PeerId',
      why: '`about` is the PeerId of an Ed25519 key',
      payload: map(v, type, ['about', text('12D3KooW')], silent, heardAt, sequence),
    },
    {
      name: 'unknown critical field',
      why: '`crit` names `mood`, which no reader of version 1 knows',
      payload: map(
        v,
        ['crit', list(text('mood'))],
        ['mood', integer(1)],
        type,
        about,
        silent,
        heardAt,
        sequence,
      ),
    },
    {
      name: 'oversize',
      why: `a vote has at most ${maxRecordBytes.vote} bytes`,
      payload: map(v, ['pad', text('x'.repeat(maxRecordBytes.vote))], type, about, silent, heardAt, sequence),
    },
  ];
  const refused: RefusedVector[] = [];
  for (const { name, why, payload } of forms) {
    const envelope = await bob.box.seal('vote', payload);
    refused.push({
      name,
      kind: 'vote',
      refusedBy: 'form',
      why,
      payload: toHex(payload),
      envelope: toHex(envelope),
    });
  }

  const envelope = await bob.box.seal('vote', vote);
  const altered = (at: number): Uint8Array => envelope.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const envelopes: { name: string; kind?: RecordKind; why: string; envelope: Uint8Array }[] = [
    { name: 'altered key', why: 'the signature is not by this key', envelope: altered(10) },
    { name: 'altered payload', why: 'the signature is over other bytes', envelope: altered(80) },
    { name: 'altered signature', why: 'the signature does not fit', envelope: altered(envelope.length - 1) },
    { name: 'cut envelope', why: 'the signature is whole', envelope: envelope.subarray(0, -1) },
    { name: 'envelope of another kind', kind: 'holds', why: 'it was signed for copain/vote/1', envelope },
    {
      name: 'second spelling',
      why: 'an unknown protobuf field (6, varint 1) was added: one record has one envelope',
      envelope: concatBytes(envelope, Uint8Array.of(0x30, 0x01)),
    },
    {
      name: 'oversize envelope',
      why: `an envelope adds at most 256 bytes to the ${maxRecordBytes.vote} of a vote`,
      envelope: await bob.box.seal('vote', new Uint8Array(maxRecordBytes.vote + 256)),
    },
  ];
  for (const { name, kind = 'vote', why, envelope: bytes } of envelopes) {
    refused.push({ name, kind, refusedBy: 'envelope', why, envelope: toHex(bytes) });
  }
  return refused;
}

/** Forms that a record may have beside the usual one: they must be taken. */
export async function takenForms({
  bob,
  alice,
}: CircleOfTwo): Promise<
  { name: string; kind: RecordKind; why: string; payload: string; envelope: string }[]
> {
  const v: Pair = ['v', integer(1)];
  const rest: Pair[] = [
    ['type', text('vote')],
    ['about', text(alice.box.peer)],
    ['silent', no],
    ['heardAt', integer(atMs)],
    ['sequence', integer(2)],
  ];
  const forms: { name: string; why: string; payload: Uint8Array }[] = [
    {
      name: 'unknown optional field',
      why: 'a field that is not known is ignored',
      payload: map(v, ['mood', integer(1)], ...rest),
    },
    {
      name: 'known critical field',
      why: '`crit` names a field that every reader knows',
      payload: map(v, ['crit', list(text('about'))], ...rest),
    },
  ];
  const taken = [];
  for (const { name, why, payload } of forms) {
    const envelope = toHex(await bob.box.seal('vote', payload));
    taken.push({ name, kind: 'vote' as const, why, payload: toHex(payload), envelope });
  }
  return taken;
}
