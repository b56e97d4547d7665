import { decode } from 'dns-packet';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeMessage, decodeQuery, encodeMessage, Flag, type Message } from './message.ts';
import { nameOf } from './name.ts';
import { RecordType } from './record-types.ts';

const www = nameOf('www.alice.example');
const response: Message = {
  id: 4711,
  flags: Flag.response | Flag.authoritative,
  questions: [{ name: www, type: RecordType.MX, class: 1 }],
  answers: [
    {
      owner: www,
      type: RecordType.MX,
      class: 1,
      ttl: 300,
      rdata: Uint8Array.from([0, 10, ...nameOf('mail.alice.example')]),
    },
  ],
  authority: [],
  additional: [
    {
      owner: nameOf('mail.alice.example'),
      type: RecordType.A,
      class: 1,
      ttl: 300,
      rdata: Uint8Array.of(192, 0, 2, 1),
    },
  ],
};

function encoded(message: Message): Uint8Array {
  const bytes = encodeMessage(message);
  if (!bytes) throw new Error('does not fit');
  return bytes;
}

it('decodes what it encoded, compressed as an independent decoder understands it', () => {
  const bytes = encoded(response);
  expect(decodeMessage(bytes)).toEqual(response);
  const packet = decode(Buffer.from(bytes));
  expect(packet.answers).toMatchObject([
    { name: 'www.alice.example', type: 'MX', data: { preference: 10, exchange: 'mail.alice.example' } },
  ]);
  expect(packet.additionals).toMatchObject([{ name: 'mail.alice.example', data: '192.0.2.1' }]);
  // 12 header, 19 + 4 question, 2 + 10 + 2 + 7 MX, 2 + 10 + 4 A.
  expect(bytes.length).toBe(12 + 23 + 21 + 16);
});

it('says that a message does not fit', () => {
  expect(encodeMessage(response, 60)).toBeUndefined();
});

it('never throws, whatever arrives, and what decodes encodes to something that decodes to the same', () => {
  const seeds = [encoded(response), encoded({ ...response, flags: 0, answers: [], additional: [] })];
  const mutation = fc.record({ at: fc.nat(100), value: fc.integer({ min: 0, max: 255 }) });
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 6 })).map(([seed, mutations]) => {
      const bytes = seed.slice();
      for (const { at, value } of mutations) bytes[at % bytes.length] = value;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(packet, (bytes) => {
      decodeQuery(bytes);
      const message = decodeMessage(bytes);
      const again = message && encodeMessage(message);
      if (message) expect(again && decodeMessage(again)).toEqual(message);
    }),
    { numRuns: 50_000 },
  );
}, 60_000);

it('refuses counts that the octets do not bear out, and octets left over', () => {
  const bytes = encoded(response);
  expect(decodeMessage(Uint8Array.from([...bytes, 0]))).toBeUndefined();
  expect(decodeMessage(bytes.subarray(0, bytes.length - 1))).toBeUndefined();
  const claims = new Uint8Array(12).fill(0xff, 4);
  expect(decodeMessage(claims)).toBeUndefined();
});

function query(change: (message: Message) => void): Uint8Array {
  const message: Message = {
    ...structuredClone(response),
    flags: Flag.recursionDesired,
    answers: [],
    additional: [],
  };
  change(message);
  return encoded(message);
}

const opt = { owner: nameOf('.'), type: RecordType.OPT, class: 4096, ttl: 0x8000, rdata: new Uint8Array() };

it('reads a query with EDNS (RFC 6891 §6.1)', () => {
  expect(decodeQuery(query((message) => message.additional.push(opt)))).toMatchObject({
    kind: 'query',
    id: 4711,
    question: { type: RecordType.MX },
    edns: { version: 0, payloadBytes: 4096, dnssecOk: true },
  });
});

it.each<[string, string, Uint8Array]>([
  ['malformed', 'two questions (RFC 9619)', query((message) => message.questions.push(...message.questions))],
  ['malformed', 'no question', query((message) => message.questions.splice(0))],
  ['malformed', 'two OPT records (RFC 6891 §6.1.1)', query((message) => message.additional.push(opt, opt))],
  [
    'malformed',
    'an OPT record whose owner is not the root',
    query((message) => message.additional.push({ ...opt, owner: www })),
  ],
  [
    'malformed',
    'an EDNS option longer than its record',
    query((message) => message.additional.push({ ...opt, rdata: Uint8Array.of(0, 3, 0, 9) })),
  ],
  ['malformed', 'an answer in a query', query((message) => message.answers.push(...response.answers))],
  ['malformed', 'octets behind the end', Uint8Array.from([...query(() => {}), 7])],
  ['other-opcode', 'an UPDATE', query((message) => Object.assign(message, { flags: 5 << 11 }))],
  ['ignore', 'a response, lest servers answer each other for ever', encoded(response)],
  ['ignore', 'less than a header', new Uint8Array(11)],
])('%s: %s', (kind, _what, bytes) => {
  expect(decodeQuery(bytes).kind).toBe(kind);
});
