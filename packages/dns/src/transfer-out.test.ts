import { expect, it } from 'vitest';
import { createAnswerer } from './answer.ts';
import { buildCatalog } from './catalog-zone.ts';
import { sha1, sha256 } from './io/hash.ts';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { transfersAtOnceMax } from './limits.ts';
import { loadZone } from './load-zone.ts';
import { decodeMessage, encodeMessage, type Message, type MessageRecord } from './message.ts';
import { nameKey, nameOf } from './name.ts';
import { RecordType } from './record-types.ts';
import { zoneOf } from './testing.ts';
import { type TransferFact, TransferOut, type TransferPeer } from './transfer-out.ts';
import type { MessageSource } from './transfer-stream.ts';
import { signTsigQuery, TsigVerifier } from './tsig.ts';
import { findTsig, type TsigKey } from './tsig-record.ts';
import type { Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import { encodeZone } from './zone-encoding.ts';
import { journalZones, serialOf, type ZoneJournal } from './zone-journal.ts';
import { zoneKey } from './zone-version.ts';

const origin = nameOf('alice.example');
const key: TsigKey = {
  name: nameOf('home'),
  algorithm: 'hmac-sha256',
  secret: new TextEncoder().encode('secretsecretsecretsecretsecretse'),
};
const nowMs = 1_800_000_000_000;

const filler = Array.from({ length: 40 }, (_, i) => `f${i} A 192.0.2.${i}`);
const catalog = (() => {
  const name = nameOf('catalog.invalid');
  const { zone } = loadZone({
    text: '@ SOA invalid. invalid. 1 1 1 1 1\n@ NS invalid.\n',
    file: 'c',
    origin: name,
  });
  if (!zone) throw new Error('no catalog');
  return zone;
})();

function serverOf(
  zones: readonly Zone[],
  { peers = [{ key }], expired = false }: { peers?: { key?: TsigKey }[]; expired?: boolean } = {},
) {
  const journal = zones.reduce((all: ZoneJournal, zone) => journalZones(all, [zone, catalog]), new Map());
  const served = zones.at(-1);
  const answerer = createAnswerer(served ? [{ zone: served, expired: false }] : [], { sha1 });
  const facts: TransferFact[] = [];
  const transfers = new TransferOut({
    peers: peers.map((peer): TransferPeer => ({ address: { host: '127.0.0.1', port: 53 }, key: peer.key })),
    crypto: tsigCrypto,
    find: (name) => (expired ? 'expired' : journal.get(name)),
    isHidden: (name) => name === catalog.originKey,
    answer: (query, asker) => answerer.answer(query, asker),
    noted: (fact) => facts.push(fact),
  });
  const ask = (
    query: Uint8Array,
    { transport = 'tcp', address = '127.0.0.1' }: { transport?: 'tcp' | 'udp'; address?: string } = {},
  ) => transfers.answer(query, { transport, address, nowMs });
  return { ask, facts, transfers };
}

function query(
  type: number,
  options: { name?: string; serial?: number; sign?: TsigKey; edns?: boolean } = {},
) {
  const { name = 'alice.example', serial, sign, edns = false } = options;
  const soa = zoneOf(serial ?? 0).soa.rdatas[0] as Uint8Array;
  const root = nameOf('.');
  const message = encodeMessage({
    id: 77,
    flags: 0,
    questions: [{ name: nameOf(name), type, class: 1 }],
    answers: [],
    authority: serial === undefined ? [] : [{ owner: nameOf(name), type: 6, class: 1, ttl: 0, rdata: soa }],
    additional: edns ? [{ owner: root, type: 41, class: 1232, ttl: 0, rdata: new Uint8Array() }] : [],
  }) as Uint8Array;
  return sign ? signTsigQuery(message, sign, { crypto: tsigCrypto, nowS: nowMs / 1000 }).message : message;
}

function messagesOf(answer: Uint8Array | MessageSource | undefined): Uint8Array[] {
  if (!answer) throw new Error('no answer');
  if (answer instanceof Uint8Array) return [answer];
  const messages: Uint8Array[] = [];
  for (let next = answer.next(nowMs); next; next = answer.next(nowMs)) messages.push(next);
  answer.close('done');
  return messages;
}

function decoded(message: Uint8Array | undefined): Message {
  const read = message && decodeMessage(message);
  if (!read) throw new Error('no message');
  return read;
}

function recordsOf(messages: readonly Uint8Array[]): MessageRecord[] {
  return messages.flatMap((message) => decoded(message).answers);
}

/** The serials of SOA records, `+` and `-` counts of what is between: `2 1 -1 2 +1 2`. */
function shapeOf(records: readonly MessageRecord[]): string {
  const shape: string[] = [];
  let others = 0;
  for (const record of records) {
    if (record.type !== RecordType.SOA) {
      others++;
      continue;
    }
    if (others > 0) shape.push(`(${others})`);
    others = 0;
    shape.push(String(serialOf(record)));
  }
  return shape.join(' ');
}

const rcodeOf = (answer: Uint8Array | MessageSource | undefined) => decoded(messagesOf(answer)[0]).flags & 15;

it('AXFR gives the whole zone between two SOAs, in messages of some 16 KiB, each bound to the one before', () => {
  const zone = zoneOf(5, ...Array.from({ length: 3000 }, (_, i) => `host${i} TXT "some text number ${i}"`));
  const { ask, facts } = serverOf([zone]);
  const asked = query(RecordType.AXFR, { sign: key });
  const messages = messagesOf(ask(asked));
  expect(messages.length).toBeGreaterThan(3);
  const found = findTsig(asked);
  if (found.kind !== 'found') throw new Error('it was signed');
  const verifier = new TsigVerifier({ key, crypto: tsigCrypto, queryMac: found.tsig.mac });
  for (const [i, message] of messages.entries()) {
    expect(verifier.verify(message, nowMs / 1000)).toEqual({ kind: 'verified' });
    expect(message.length).toBeLessThan(17_000);
    const { id, flags, questions } = decoded(message);
    expect([id, flags, questions.length]).toEqual([77, 0x8400, i === 0 ? 1 : 0]);
  }
  const records = recordsOf(messages);
  expect(records[0]).toEqual(records.at(-1));
  const built = buildZone(origin, records.slice(0, -1));
  if (built.kind !== 'zone') throw new Error(built.text);
  expect(encodeZone(built.zone)).toEqual(encodeZone(zone));
  expect(facts).toMatchObject([{ how: 'axfr', serial: 5, peer: '127.0.0.1' }]);
});

it('glue and what lies below a cut is transferred too (RFC 5936 §3.5)', () => {
  const zone = zoneOf(5, 'sub NS ns.sub', 'ns.sub A 192.0.2.7', 'below.sub TXT "occluded"');
  const records = recordsOf(messagesOf(serverOf([zone]).ask(query(RecordType.AXFR, { sign: key }))));
  expect(records.filter(({ owner }) => owner.length > nameOf('sub.alice.example').length)).toHaveLength(2);
});

it('IXFR gives what changed since a serial that was served here, as one step (RFC 1995 §4, §5)', () => {
  const { ask, facts } = serverOf([
    zoneOf(1, ...filler),
    zoneOf(2, 'a A 192.0.2.9', ...filler),
    zoneOf(5, 'a A 192.0.2.9', 'b A 192.0.2.9', ...filler.slice(1)),
  ]);
  const ixfr = (serial: number) =>
    shapeOf(recordsOf(messagesOf(ask(query(RecordType.IXFR, { serial, sign: key })))));
  expect(ixfr(1)).toBe('5 1 (1) 5 (2) 5');
  expect(ixfr(2)).toBe('5 2 (1) 5 (1) 5');
  expect(facts.map(({ how, fromSerial }) => `${how} ${fromSerial}`)).toEqual(['ixfr 1', 'ixfr 2']);
});

it('IXFR from a serial that was never served here gives the whole zone, from the newest one SOA (RFC 1995 §2)', () => {
  const { ask } = serverOf([zoneOf(3, ...filler), zoneOf(5, 'a A 192.0.2.9', ...filler)]);
  const ixfr = (serial: number) =>
    shapeOf(recordsOf(messagesOf(ask(query(RecordType.IXFR, { serial, sign: key })))));
  expect(ixfr(4)).toBe('5 (43) 5');
  expect(ixfr(5)).toBe('5');
  expect(ixfr(6)).toBe('5');
});

it('over UDP IXFR gives what changed where it fits, else the newest serial, and AXFR is refused (RFC 1995 §2, RFC 5936 §4.2)', () => {
  const udp = { transport: 'udp' } as const;
  const long = Array.from({ length: 40 }, (_, n) => `long${n} TXT "${'x'.repeat(50)}"`);
  const { ask, facts } = serverOf([
    zoneOf(3, ...filler),
    zoneOf(5, ...filler),
    zoneOf(6, ...filler, ...long),
  ]);
  const small = serverOf([zoneOf(3, ...filler), zoneOf(5, ...filler)]);
  const from = (serial: number) => query(RecordType.IXFR, { serial, sign: key });
  const answer = messagesOf(small.ask(from(3), udp));
  expect(shapeOf(recordsOf(answer))).toBe(shapeOf(recordsOf(messagesOf(small.ask(from(3))))));
  expect(answer).toHaveLength(1);
  expect(small.facts.map(({ how }) => how)).toEqual(['ixfr', 'ixfr']);
  expect(shapeOf(recordsOf(messagesOf(small.ask(from(5), udp))))).toBe('5');
  expect(shapeOf(recordsOf(messagesOf(ask(from(3), udp))))).toBe('6');
  expect(facts.map(({ how }) => how)).toEqual(['current']);
  expect(rcodeOf(ask(query(RecordType.AXFR, { sign: key }), udp))).toBe(1);
});

it('IXFR that does not say what it has is malformed', () => {
  expect(rcodeOf(serverOf([zoneOf(3)]).ask(query(RecordType.IXFR, { sign: key })))).toBe(1);
});

it('whoever is listed with a key needs it: REFUSED without, NOTAUTH with a wrong one', () => {
  const { ask, facts } = serverOf([zoneOf(3)]);
  expect(rcodeOf(ask(query(RecordType.AXFR)))).toBe(5);
  const wrong = { ...key, secret: new Uint8Array(32) };
  const answer = messagesOf(ask(query(RecordType.AXFR, { sign: wrong })))[0] as Uint8Array;
  expect(decoded(answer).flags & 15).toBe(9);
  expect(findTsig(answer)).toMatchObject({ kind: 'found', tsig: { error: 16, mac: new Uint8Array() } });
  expect(facts.map(({ how }) => how)).toEqual(['refused', 'badsig']);
});

it('a clock that is wrong is told apart, and by how much (RFC 8945 §5.2.3)', () => {
  const { ask, facts } = serverOf([zoneOf(3)]);
  for (const aheadS of [900, -900]) {
    const nowS = nowMs / 1000 + aheadS;
    const { message } = signTsigQuery(query(RecordType.AXFR), key, { crypto: tsigCrypto, nowS });
    expect(rcodeOf(ask(message))).toBe(9);
  }
  expect(facts).toMatchObject([
    { how: 'badsig', tsig: { error: 18, keyName: key.name, aheadS: 900 } },
    { how: 'badsig', tsig: { error: 18, keyName: key.name, aheadS: -900 } },
  ]);
});

it('whoever is listed by address alone gets it unsigned', () => {
  const { ask } = serverOf([zoneOf(3)], { peers: [{}] });
  expect(shapeOf(recordsOf(messagesOf(ask(query(RecordType.AXFR)))))).toBe('3 (2) 3');
});

it('the key of one address is worth nothing at another', () => {
  const { transfers, ask } = serverOf([zoneOf(3)]);
  expect(transfers.concerns('127.0.0.1')).toBe(true);
  expect(transfers.concerns('192.0.2.1')).toBe(false);
  expect(rcodeOf(ask(query(RecordType.AXFR, { sign: key }), { address: '192.0.2.1' }))).toBe(9);
});

it('a server on this machine may ask from any of its loopback addresses', () => {
  const { transfers, ask } = serverOf([zoneOf(3)]);
  expect(transfers.concerns('127.0.0.53')).toBe(true);
  expect(rcodeOf(ask(query(RecordType.AXFR, { sign: key }), { address: '127.0.0.53' }))).toBe(0);
});

it('a zone that is not here is NOTAUTH, one that has expired SERVFAIL', () => {
  const other = query(RecordType.AXFR, { name: 'other.example', sign: key });
  expect(rcodeOf(serverOf([zoneOf(3)]).ask(other))).toBe(9);
  expect(rcodeOf(serverOf([zoneOf(3)], { expired: true }).ask(query(RecordType.AXFR, { sign: key })))).toBe(
    2,
  );
});

it('an ordinary signed query is answered and signed, in 512 octets or cut', () => {
  const { ask } = serverOf([zoneOf(3, ...filler.map((line) => line.replace(/^f\d+/, 'many')))]);
  const answer = messagesOf(ask(query(RecordType.SOA, { sign: key }), { transport: 'udp' }))[0] as Uint8Array;
  expect(findTsig(answer).kind).toBe('found');
  expect(decoded(answer)).toMatchObject({ id: 77, flags: 0x8400, answers: [{ type: 6 }] });
  const many = query(RecordType.A, { name: 'many.alice.example', sign: key });
  const cut = messagesOf(ask(many, { transport: 'udp' }))[0] as Uint8Array;
  expect(decoded(cut)).toMatchObject({ flags: 0x8600, answers: [] });
  expect(cut.length).toBeLessThanOrEqual(512);
});

it('a hidden zone answers SOA and transfer queries of peers alone', () => {
  const soa = (sign?: TsigKey) => query(RecordType.SOA, { name: 'catalog.invalid', ...(sign && { sign }) });
  const { ask } = serverOf([zoneOf(3)]);
  expect(shapeOf(recordsOf(messagesOf(ask(soa(key), { transport: 'udp' }))))).toBe('1');
  expect(rcodeOf(ask(soa(), { transport: 'udp' }))).toBe(5);
  const axfr = query(RecordType.AXFR, { name: 'catalog.invalid', sign: key });
  expect(shapeOf(recordsOf(messagesOf(ask(axfr))))).toBe('1 (1) 1');
});

it('an OPT is answered with an OPT, in the first message', () => {
  const { ask } = serverOf([zoneOf(3)]);
  const [first] = messagesOf(ask(query(RecordType.AXFR, { sign: key, edns: true })));
  expect(decoded(first).additional.map(({ type }) => type)).toEqual([41, 250]);
});

it('too many transfers at once are told to come again, until one ends', () => {
  const { ask, facts } = serverOf([zoneOf(3)]);
  const axfr = query(RecordType.AXFR, { sign: key });
  const sources = Array.from({ length: transfersAtOnceMax }, () => ask(axfr) as MessageSource);
  expect(rcodeOf(ask(axfr))).toBe(2);
  sources[0]?.close('broken');
  sources[0]?.close('broken');
  expect(shapeOf(recordsOf(messagesOf(ask(axfr))))).toBe('3 (2) 3');
  expect(facts.map(({ how }) => how)).toEqual(['busy', 'broken', 'axfr']);
});

it('a change in mid-transfer does not mix versions', () => {
  const first = zoneOf(3, ...Array.from({ length: 1500 }, (_, i) => `host${i} TXT "text ${i}"`));
  let journal = journalZones(new Map(), [first]);
  const transfers = new TransferOut({
    peers: [{ address: { host: '127.0.0.1', port: 53 }, key: undefined }],
    crypto: tsigCrypto,
    find: (name) => journal.get(name),
    isHidden: () => false,
    answer: () => undefined,
    noted: () => undefined,
  });
  const source = transfers.answer(query(RecordType.AXFR), { transport: 'tcp', address: '127.0.0.1', nowMs });
  if (!source || source instanceof Uint8Array) throw new Error('it has several messages');
  const begun = source.next(nowMs) as Uint8Array;
  journal = journalZones(journal, [zoneOf(4)]);
  const records = recordsOf([begun, ...messagesOf(source)]);
  expect(shapeOf(records)).toBe('3 (1502) 3');
  expect(nameKey(origin)).toBe(first.originKey);
});

it('zones of any name are transferred, and named in a catalog: dots, slashes, zero, above 127, 63 and 255 long', () => {
  const long = 'x'.repeat(63);
  const names = [
    'a\\.b.example',
    'sl/\\.\\./\\.\\..example',
    'nul\\000.example',
    'high\\255\\128.example',
    `${long}.example`,
    `${long}.${long}.${long}.${'y'.repeat(61)}`,
    '\\.\\.',
    'A.Example',
  ];
  const zones = names.map((name) => {
    const records = zoneOf(7).soa.rdatas[0] as Uint8Array;
    const owner = nameOf(name);
    const built = buildZone(owner, [
      { owner, type: RecordType.SOA, ttl: 60, rdata: records },
      { owner, type: RecordType.NS, ttl: 60, rdata: nameOf('ns.alice.example') },
    ]);
    if (built.kind !== 'zone') throw new Error(built.text);
    return built.zone;
  });
  const members = zones.map((zone) => ({
    key: zoneKey({ owner: 'a'.repeat(64), origin: zone.origin }),
    origin: zone.origin,
    group: 'own' as const,
  }));
  const made = buildCatalog({ name: nameOf('catalog.alice.invalid'), serial: 1, members, sha256 });
  const journal = journalZones(new Map(), [...zones, made]);
  const transfers = new TransferOut({
    peers: [{ address: { host: '127.0.0.1', port: 53 }, key: undefined }],
    crypto: tsigCrypto,
    find: (name) => journal.get(name),
    isHidden: (name) => name === made.originKey,
    answer: () => undefined,
    noted: () => undefined,
  });
  const axfr = (name: string) =>
    recordsOf(
      messagesOf(
        transfers.answer(query(RecordType.AXFR, { name }), {
          transport: 'tcp',
          address: '127.0.0.1',
          nowMs,
        }),
      ),
    );
  for (const [i, name] of names.entries()) {
    const records = axfr(name);
    expect(shapeOf(records), name).toBe('7 (1) 7');
    expect(
      records.map(({ owner }) => owner),
      name,
    ).toEqual(records.map(() => zones[i]?.apex.name));
  }
  const pointers = axfr('catalog.alice.invalid').filter(({ type }) => type === RecordType.PTR);
  expect(new Set(pointers.map(({ rdata }) => nameKey(rdata)))).toEqual(
    new Set(names.map((name) => nameKey(nameOf(name)))),
  );
  expect(new Set(pointers.map(({ owner }) => nameKey(owner))).size).toBe(names.length);
});
