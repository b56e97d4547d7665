import { createHash } from 'node:crypto';
import { decode } from 'dns-packet';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type AnswererOptions, answerQuery, createAnswerer } from './answer.ts';
import { AnswerCounts, type Transport } from './answer-counts.ts';
import { clientCookieBytes } from './edns.ts';
import { identityBytesMax, tcpIdleMs, udpPlainBytesMax } from './limits.ts';
import { loadZone } from './load-zone.ts';
import { decodeMessage, encodeMessage, Flag } from './message.ts';
import { nameKey, nameOf } from './name.ts';
import { RateLimiter } from './rate-limit.ts';
import { RecordType, rcodeToText, typeFromText } from './record-types.ts';
import type { ServedZone } from './resolve.ts';

const text = `$TTL 300
@ SOA ns hm 7 14400 3600 604800 60
@ NS ns
ns A 192.0.2.1
big TXT "${'x'.repeat(250)}`;
const { zone } = loadZone({ text: `${text}"\n`, file: 'z', origin: nameOf('alice.example') });
if (!zone) throw new Error('no zone');
const own: ServedZone = { zone, expired: false };

interface Option {
  code: number;
  data: number[];
}

interface Asking {
  name?: string;
  type?: string;
  class?: number;
  options?: Option[];
  version?: number;
  payload?: number;
  questions?: 0 | 1;
  opts?: number;
  opcode?: number;
}

function queryBytes(asking: Asking): Uint8Array {
  const {
    name = 'ns.alice.example',
    type = 'A',
    options = [],
    version = 0,
    payload = 1232,
    opts = 1,
  } = asking;
  const rdata = Uint8Array.from(
    options.flatMap(({ code, data }) => [
      code >> 8,
      code & 255,
      data.length >> 8,
      data.length & 255,
      ...data,
    ]),
  );
  const opt = { owner: nameOf('.'), type: RecordType.OPT, class: payload, ttl: version << 16, rdata };
  const question = { name: nameOf(name), type: typeFromText(type) ?? 0, class: asking.class ?? 1 };
  const message = {
    id: 77,
    flags: (asking.opcode ?? 0) << 11,
    questions: asking.questions === 0 ? [] : [question],
    answers: [],
    authority: [],
    additional: Array.from({ length: opts }, () => opt),
  };
  return encodeMessage(message) ?? new Uint8Array();
}

interface Told {
  rcode: string;
  flags: number;
  questions: number;
  answers: number;
  options: Option[] | undefined;
  length: number;
}

type Setting = Partial<AnswererOptions> & {
  zones?: ServedZone[];
  transport?: Transport;
  address?: string;
  nowMs?: number;
};

const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest();

function ask(asking: Asking, setting: Setting = {}): Told {
  const bytes = answerQuery(queryBytes(asking), { sha1, zones: [own], transport: 'udp', ...setting });
  if (!bytes) throw new Error('no answer');
  return read(bytes);
}

function read(bytes: Uint8Array): Told {
  const message = decodeMessage(bytes);
  if (!message) throw new Error('the answer cannot be read');
  const opt = message.additional.find(({ type }) => type === RecordType.OPT);
  const options: Option[] = [];
  for (let at = 0; opt && at < opt.rdata.length; ) {
    const [a = 0, b = 0, c = 0, d = 0] = opt.rdata.subarray(at);
    const end = at + 4 + c * 256 + d;
    options.push({ code: a * 256 + b, data: [...opt.rdata.subarray(at + 4, end)] });
    at = end;
  }
  return {
    rcode: rcodeToText((message.flags & 15) | ((opt ? opt.ttl >>> 24 : 0) << 4)),
    flags: message.flags,
    questions: message.questions.length,
    answers: message.answers.length,
    options: opt && options,
    length: bytes.length,
  };
}

const ascii = (text: string): number[] => [...Buffer.from(text)];
const nsid = { code: 3, data: [] };

it('gives its NSID where it is asked for and one is set (RFC 5001)', () => {
  const identity = { nsid: 'bob-1' };
  expect(ask({ options: [nsid] }, { identity }).options).toEqual([{ code: 3, data: ascii('bob-1') }]);
  expect(ask({}, { identity }).options).toEqual([]);
  expect(ask({ options: [nsid] }).options).toEqual([]);
});

it('stays within 512 octets with the longest question and everything that may be asked for', () => {
  const identity = { nsid: 'n'.repeat(2 * identityBytesMax) };
  const label = 'l'.repeat(63);
  const name = `${label}.${label}.${label}.${'l'.repeat(61)}`;
  const options = [
    nsid,
    { code: 10, data: ascii('12345678') },
    { code: 9, data: [] },
    { code: 11, data: [] },
  ];
  const told = ask({ name, payload: 512, options }, { identity, cookies: newSecrets() });
  expect(told).toMatchObject({ rcode: 'REFUSED', questions: 1 });
  expect(told.length).toBeLessThanOrEqual(udpPlainBytesMax);
});

it('says BADVERS to another version, whatever options that may have (RFC 6891 §6.1.3)', () => {
  const options = [{ code: 10, data: [1] }];
  expect(ask({ version: 1, options })).toMatchObject({ rcode: 'BADVERS', answers: 0, options: [] });
});

it('says FORMERR, with question and OPT, to two OPT records (RFC 6891 §6.1.1)', () => {
  expect(ask({ opts: 2 })).toMatchObject({ rcode: 'FORMERR', questions: 1, options: [] });
});

it('ignores options that it does not know, well-formed ones only (RFC 6891 §6.1.2)', () => {
  const unknown = [
    { code: 8, data: [0, 1, 24, 0, 192, 0, 2] },
    { code: 12, data: [0, 0] },
    { code: 65_001, data: [1] },
  ];
  expect(ask({ options: unknown })).toMatchObject({ rcode: 'NOERROR', answers: 1, options: [] });
  const cut = queryBytes({ options: unknown });
  cut[cut.length - 2] = 9;
  const answer = answerQuery(cut, { sha1, zones: [own], transport: 'udp' });
  expect(answer && read(answer).rcode).toBe('FORMERR');
});

it('has an OPT in the answer to another opcode too, where the query has one (RFC 6891 §6.1.1)', () => {
  expect(ask({ opcode: 5 })).toMatchObject({ rcode: 'NOTIMP', questions: 0 });
  expect(ask({ opcode: 5 }).options).toBeDefined();
  expect(ask({ opcode: 5, opts: 0 }).options).toBeUndefined();
});

const newSecrets = () => ({ current: Uint8Array.from({ length: 16 }, (_, i) => i), previous: undefined });
const clientCookie = [1, 2, 3, 4, 5, 6, 7, 8];
const nowMs = 1_700_000_000_000;
const cookieOf = ({ options }: Told): number[] => options?.find(({ code }) => code === 10)?.data ?? [];

it('gives a server cookie, and the same again to whoever brings it back (RFC 7873 §5.2)', () => {
  const setting = { cookies: newSecrets(), address: '192.0.2.9', nowMs };
  const first = cookieOf(ask({ options: [{ code: 10, data: clientCookie }] }, setting));
  expect(first).toHaveLength(24);
  expect(first.slice(0, clientCookieBytes)).toEqual(clientCookie);
  const again = ask({ options: [{ code: 10, data: first }] }, { ...setting, nowMs: nowMs + 60_000 });
  expect(again).toMatchObject({ rcode: 'NOERROR', answers: 1 });
  expect(cookieOf(again)).toEqual(first);
  const elsewhere = ask({ options: [{ code: 10, data: first }] }, { ...setting, address: '192.0.2.10' });
  expect(elsewhere).toMatchObject({ rcode: 'NOERROR', answers: 1 });
  expect(cookieOf(elsewhere)).not.toEqual(first);
});

it('says FORMERR to a cookie of a length that none has (RFC 7873 §5.2.2)', () => {
  for (const length of [0, 7, 9, 15, 41]) {
    const data = Array.from({ length }, () => 0);
    expect(ask({ options: [{ code: 10, data }] }, { cookies: newSecrets() }).rcode).toBe('FORMERR');
  }
});

it('gives a cookie without any question (RFC 7873 §5.4), and says FORMERR where there is neither', () => {
  const setting = { cookies: newSecrets() };
  const told = ask({ questions: 0, options: [{ code: 10, data: clientCookie }] }, setting);
  expect(told).toMatchObject({ rcode: 'NOERROR', questions: 0, answers: 0 });
  expect(cookieOf(told)).toHaveLength(24);
  expect(ask({ questions: 0 }, setting).rcode).toBe('FORMERR');
});

it('tells over TCP how long it waits, over UDP nothing (RFC 7828 §3)', () => {
  const keepalive = [{ code: 11, data: [] }];
  const units = tcpIdleMs / 100;
  expect(ask({ options: keepalive }, { transport: 'tcp' }).options).toEqual([
    { code: 11, data: [units >> 8, units & 255] },
  ]);
  expect(ask({ options: keepalive }).options).toEqual([]);
});

it('tells when a zone expires, a friend what is left and its owner the SOA (RFC 7314 §3)', () => {
  const asking = { name: 'alice.example', type: 'SOA', options: [{ code: 9, data: [] }] };
  const seconds = ({ options }: Told) =>
    options?.map(({ data }) => data.reduce((sum, octet) => sum * 256 + octet, 0));
  expect(seconds(ask(asking))).toEqual([604_800]);
  const held = { zone, expired: false, expiresAtMs: nowMs + 5500 };
  expect(seconds(ask(asking, { zones: [held], nowMs }))).toEqual([5]);
  expect(ask({ ...asking, type: 'NS' }).options).toEqual([]);
  expect(ask({ ...asking, name: 'ns.alice.example' }).options).toEqual([]);
});

it('says why, where the client knows EDNS (RFC 8914)', () => {
  const why = (told: Told) => [told.rcode, told.options?.find(({ code }) => code === 15)?.data];
  expect(why(ask({ name: 'www.elsewhere.example' }))).toEqual(['REFUSED', [0, 20]]);
  expect(why(ask({}, { zones: [{ zone, expired: true }] }))).toEqual(['SERVFAIL', [0, 24]]);
  const awaited = new Set([nameKey(nameOf('carol.example'))]);
  expect(why(ask({ name: 'www.carol.example' }, { awaited }))).toEqual(['SERVFAIL', [0, 14]]);
  expect(why(ask({ name: 'alice.example', type: 'AXFR' }, { transport: 'tcp' }))).toEqual([
    'REFUSED',
    [0, 18],
  ]);
  expect(why(ask({ class: 4 }))).toEqual(['REFUSED', [0, 21]]);
  expect(ask({ name: 'www.elsewhere.example', opts: 0 }).options).toBeUndefined();
});

const flooded = (setting: Partial<AnswererOptions>) => {
  const counts = new AnswerCounts();
  const answerer = createAnswerer([own], { sha1, counts, limiter: new RateLimiter(200), ...setting });
  return { answerer, counts };
};

it('under a flood sends no more than came, shortened answers among them, and counts what it did', () => {
  const { answerer, counts } = flooded({});
  const query = queryBytes({ name: 'big.alice.example', type: 'TXT' });
  let octets = 0;
  let truncated = 0;
  for (let i = 0; i < 8000; i++) {
    const asker = { transport: 'udp' as const, address: '198.51.100.7', nowMs: nowMs + i / 8 };
    const answer = answerer.answer(query, asker);
    octets += answer?.length ?? 0;
    if (answer && ((answer[2] ?? 0) & (Flag.truncated >> 8)) !== 0) {
      truncated++;
      expect(read(answer)).toMatchObject({ rcode: 'NOERROR', questions: 1, answers: 0 });
      expect(answer.length).toBeLessThanOrEqual(query.length);
    }
  }
  expect(octets).toBeLessThan(8000 * query.length);
  expect(truncated).toBeGreaterThan(3000);
  expect(counts.slipped).toBe(truncated);
  expect(counts.slipped + counts.dropped + (counts.list()[0]?.count ?? 0) - truncated).toBe(8000);
});

it('limits neither TCP nor whoever brings a cookie of ours, and offers one to whoever knows cookies', () => {
  const cookies = newSecrets();
  const { answerer } = flooded({ cookies });
  const asker = { transport: 'udp' as const, address: '198.51.100.7', nowMs };
  const asked = (data: number[]) => answerer.answer(queryBytes({ options: [{ code: 10, data }] }), asker);
  const first = asked(clientCookie);
  const cookie = first ? cookieOf(read(first)) : [];
  const plain = queryBytes({});
  for (let i = 0; i < 1000; i++) answerer.answer(plain, asker);
  expect(
    Array.from({ length: 500 }, () => asked(cookie)).every((answer) => answer && read(answer).answers === 1),
  ).toBe(true);
  const overTcp = Array.from({ length: 500 }, () => answerer.answer(plain, { ...asker, transport: 'tcp' }));
  expect(overTcp.every((answer) => answer && read(answer).answers === 1)).toBe(true);
  const limited = [asked(clientCookie), asked(clientCookie)]
    .filter((answer) => answer !== undefined)
    .map(read);
  expect(limited.map(({ rcode }) => rcode)).toEqual(['BADCOOKIE']);
  expect(limited.map(cookieOf)).toEqual([cookie]);
});

it('counts answers by their whole rcode', () => {
  const counts = new AnswerCounts();
  ask({}, { counts });
  ask({ version: 1 }, { counts });
  ask({ name: 'elsewhere' }, { counts, transport: 'tcp' });
  expect(counts.list()).toEqual([
    { rcode: 'NOERROR', transport: 'udp', count: 1 },
    { rcode: 'BADVERS', transport: 'udp', count: 1 },
    { rcode: 'REFUSED', transport: 'tcp', count: 1 },
  ]);
});

it('keeps questions apart whose types differ as letters do in case (HTTPS is 65, 97 is another)', () => {
  const { zone: both } = loadZone({
    text: '$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS a.\nx HTTPS 1 .\nx TYPE97 \\# 1 00\n',
    file: 'z',
    origin: nameOf('t.example'),
  });
  const answerer = createAnswerer(both ? [{ zone: both, expired: false }] : [], { sha1 });
  const types = ['TYPE65', 'TYPE97'].map((type) => {
    const asker = { transport: 'udp' as const, address: '192.0.2.1', nowMs };
    const answer = answerer.answer(queryBytes({ name: 'x.t.example', type }), asker);
    return answer && decodeMessage(answer)?.answers[0]?.type;
  });
  expect(types).toEqual([65, 97]);
});

it('an answer in use is never written over by later ones', () => {
  const answerer = createAnswerer([own], { sha1, cookies: newSecrets() });
  const asker = { transport: 'udp' as const, address: '192.0.2.1', nowMs };
  const kept = Array.from({ length: 5000 }, (_, id) => {
    const query = queryBytes({ options: [{ code: 10, data: clientCookie }] });
    query[0] = id >> 8;
    query[1] = id & 255;
    return answerer.answer(query, asker);
  });
  expect(kept.map((answer) => decode(Buffer.from(answer ?? [])).id)).toEqual(kept.map((_, id) => id));
});

it('whatever the options, the answer is well-formed and within what the client takes', () => {
  const setting = { cookies: newSecrets(), identity: { nsid: 'bob' }, limiter: new RateLimiter(0) };
  const answerer = createAnswerer([own], { sha1, ...setting });
  const option = fc.record({
    code: fc.constantFrom(3, 8, 9, 10, 11, 12, 15, 999),
    data: fc.array(fc.nat(255), { maxLength: 48 }),
  });
  const asked = fc.record({
    name: fc.constantFrom('big.alice.example', 'alice.example', 'nx.alice.example', 'x'),
    type: fc.constantFrom('TXT', 'SOA', 'ANY', 'A'),
    options: fc.array(option, { maxLength: 4 }),
    payload: fc.constantFrom(0, 512, 600, 4096),
  });
  fc.assert(
    fc.property(asked, fc.constantFrom<Transport>('udp', 'tcp'), (asking, transport) => {
      const answer = answerer.answer(queryBytes(asking), { transport, address: '192.0.2.1', nowMs });
      const told = answer && read(answer);
      expect(told?.options).toBeDefined();
      if (transport === 'udp') expect(told?.length).toBeLessThanOrEqual(Math.max(512, asking.payload));
    }),
    { numRuns: 3000 },
  );
}, 60_000);
