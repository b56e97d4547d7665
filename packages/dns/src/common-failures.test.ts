import { expect, it } from 'vitest';
import { createAnswerer } from './answer.ts';
import { sha1 } from './io/hash.ts';
import { loadZone } from './load-zone.ts';
import { decodeMessage, encodeMessage, Flag, type MessageRecord } from './message.ts';
import { nameOf } from './name.ts';
import { RecordType } from './record-types.ts';

/** What many servers get wrong: the queries of RFC 8906 §3, against a zone that exists. */
const { zone } = loadZone({
  text: '$TTL 300\n@ SOA ns host 7 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.1\n',
  file: 'z',
  origin: nameOf('alice.example'),
});
const answerer = createAnswerer(zone ? [{ zone, expired: false }] : [], { sha1 });

interface Query {
  type?: number;
  flags?: number;
  /** The TTL field of an OPT record (version, DO, the other flags), and its data. */
  edns?: { ttl: number; rdata?: number[] };
  transport?: 'udp' | 'tcp';
}

function ask({ type = RecordType.SOA, flags = 0, edns, transport = 'udp' }: Query) {
  const opt: MessageRecord[] = edns
    ? [{ owner: nameOf('.'), type: 41, class: 4096, ttl: edns.ttl, rdata: Uint8Array.from(edns.rdata ?? []) }]
    : [];
  const query = encodeMessage({
    id: 5,
    flags,
    questions: [{ name: nameOf('alice.example'), type, class: 1 }],
    answers: [],
    authority: [],
    additional: opt,
  }) as Uint8Array;
  const answer = decodeMessage(
    answerer.answer(query, { transport, address: '192.0.2.1', nowMs: 0 }) ?? new Uint8Array(),
  );
  if (!answer) throw new Error('no answer');
  const told = answer.additional.find((record) => record.type === RecordType.OPT);
  return {
    rcode: (answer.flags & 15) | (told ? (told.ttl >>> 24) << 4 : 0),
    flags: answer.flags,
    answers: answer.answers.length,
    optTtl: told && told.ttl & 0xffffff,
    opt: told ? [...told.rdata] : undefined,
  };
}

it('a type that nobody knows is answered with NODATA (RFC 8906 §3.1.2)', () => {
  expect(ask({ type: 1000 })).toMatchObject({ rcode: 0, answers: 0 });
});

it('flags of the header never stop an answer, and unknown ones are not sent back (RFC 8906 §3.1.3)', () => {
  const [reserved, authentic, checking, recursion] = [0x0040, 0x0020, 0x0010, 0x0100];
  for (const flags of [reserved, authentic, checking, recursion])
    expect(ask({ flags }), flags.toString(16)).toMatchObject({ rcode: 0, answers: 1 });
  expect(ask({ flags: reserved }).flags & reserved).toBe(0);
  // Nothing here is validated (RFC 4035 §3.1.6), and nobody is asked on behalf of a client.
  expect(ask({ flags: authentic }).flags & authentic).toBe(0);
  expect(ask({ flags: checking }).flags & checking).toBe(checking);
  expect(ask({ flags: recursion }).flags & (recursion | 0x0080)).toBe(recursion);
});

it('an opcode that nobody knows is NOTIMP, and the answer carries it (RFC 8906 §3.1.4)', () => {
  for (const opcode of [3, 6, 15]) {
    const { rcode, flags } = ask({ flags: opcode << 11 });
    expect([rcode, (flags >> 11) & 15, flags & Flag.response], `${opcode}`).toEqual([4, opcode, 0x8000]);
  }
});

it('TCP answers what UDP does (RFC 8906 §3.1.5)', () => {
  expect(ask({ transport: 'tcp' })).toMatchObject({ rcode: 0, answers: 1 });
});

it('EDNS is answered with EDNS of version 0 (RFC 8906 §3.2.1)', () => {
  expect(ask({ edns: { ttl: 0 } })).toMatchObject({ rcode: 0, answers: 1, optTtl: 0, opt: [] });
});

it('another version is BADVERS with version 0, options and flags or not (RFC 8906 §3.2.2)', () => {
  const option = [0, 100, 0, 0];
  for (const edns of [{ ttl: 1 << 16 }, { ttl: (1 << 16) | 0x0040 }, { ttl: 1 << 16, rdata: option }])
    expect(ask({ edns })).toMatchObject({ rcode: 16, answers: 0, optTtl: 0, opt: [] });
});

it('unknown options and flags are passed over and not sent back (RFC 8906 §3.2.3, §3.2.4)', () => {
  const edns = { ttl: 0x0040, rdata: [0, 100, 0, 0] };
  expect(ask({ edns })).toMatchObject({ rcode: 0, answers: 1, optTtl: 0, opt: [] });
});

it('DO is sent back (RFC 8906 §3.2.6)', () => {
  expect(ask({ edns: { ttl: 0x8000 } })).toMatchObject({ rcode: 0, answers: 1, optTtl: 0x8000 });
});

it('several options at once are no mistake, over TCP either (RFC 8906 §3.2.3, §3.2.7)', () => {
  const rdata = [0, 3, 0, 0, 0, 8, 0, 4, 0, 1, 0, 0, 0, 9, 0, 0, 0, 100, 0, 1, 7];
  for (const transport of ['udp', 'tcp'] as const)
    expect(ask({ edns: { ttl: 0, rdata }, transport })).toMatchObject({ rcode: 0, answers: 1, optTtl: 0 });
});
