import { createHash } from 'node:crypto';
import { decode } from 'dns-packet';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Asker, answerQuery, createAnswerer } from './answer.ts';
import type { Transport } from './answer-counts.ts';
import { hostsPerRRsetMax, udpEdnsBytesMax } from './limits.ts';
import { loadZone } from './load-zone.ts';
import { decodeMessage, encodeMessage, Flag, type Message, type MessageRecord } from './message.ts';
import { nameOf, nameToText } from './name.ts';
import { rdataToText } from './rdata-print.ts';
import { RecordType, rcodeToText, typeFromText, typeToText } from './record-types.ts';
import type { Zone } from './zone.ts';

const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest();

function zoneOf(origin: string, text: string): Zone {
  const { zone, problems } = loadZone({ text, file: origin, origin: nameOf(origin) });
  if (!zone) throw new Error(JSON.stringify(problems));
  return zone;
}

/** RFC 4592 §2.2.1, with a delegation, a DNAME, aliases and a large RRset besides. */
const example = zoneOf(
  'example',
  `$TTL 3600
@ SOA ns.example.com. hostmaster 1 7200 3600 1209600 600
@ NS ns.example.com.
@ NS ns.example.net.
*.example. TXT "this is a wildcard"
*.example. MX 10 host1.example.
sub.*.example. TXT "this is not a wildcard"
host1.example. A 192.0.2.1
_ssh._tcp.host1.example. SRV 0 0 22 host1
_ssh._tcp.host2.example. SRV 0 0 22 host1
subdel.example. NS ns.subdel
subdel.example. NS ns.example.net.
ns.subdel A 192.0.2.53
alias CNAME host1
outside CNAME www.other.
loop1 CNAME loop2
loop2 CNAME loop1
dangling CNAME ghost._tcp.host1
old DNAME new
host.new A 192.0.2.7
endless DNAME more.endless
big TXT ${`"${'x'.repeat(250)}" `.repeat(8)}
two A 192.0.2.2
two TXT "two"
`,
);
const other = zoneOf(
  'other',
  '$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.9\nwww A 192.0.2.80\n',
);
const zones = [
  { zone: example, expired: false },
  { zone: other, expired: false },
];

const by = (transport: Transport): Asker => ({ transport, address: '192.0.2.77', nowMs: 0 });

interface Asked {
  rcode: string;
  flags: string;
  answer: string[];
  authority: string[];
  additional: string[];
}

function queryBytes(name: string, type: string, change?: (message: Message) => void): Uint8Array {
  const question = { name: nameOf(name), type: typeFromText(type) ?? 0, class: 1 };
  const message: Message = {
    id: 99,
    flags: 0,
    questions: [question],
    answers: [],
    authority: [],
    additional: [],
  };
  change?.(message);
  return encodeMessage(message) ?? new Uint8Array();
}

function opt(change: Partial<MessageRecord> = {}): MessageRecord {
  return {
    owner: nameOf('.'),
    type: RecordType.OPT,
    class: 4096,
    ttl: 0,
    rdata: new Uint8Array(),
    ...change,
  };
}

function ask(
  name: string,
  type: string,
  transport: Transport = 'udp',
  change?: (message: Message) => void,
): Asked {
  const bytes = answerQuery(queryBytes(name, type, change), { zones, sha1, transport });
  const message = bytes && decodeMessage(bytes);
  if (!message) throw new Error('no answer, or one that cannot be read');
  const text = ({ owner, ttl, type: found, rdata }: MessageRecord) =>
    `${nameToText(owner)} ${ttl} ${typeToText(found)} ${rdataToText(found, rdata)}`;
  const flags = [message.flags & Flag.authoritative ? 'aa' : '', message.flags & Flag.truncated ? 'tc' : ''];
  const extended = message.additional.find((record) => record.type === RecordType.OPT);
  return {
    rcode: rcodeToText((message.flags & 15) | (extended ? (extended.ttl >>> 24) << 4 : 0)),
    flags: flags.join(''),
    answer: message.answers.map(text),
    authority: message.authority.map(text),
    additional: message.additional.filter((record) => record.type !== RecordType.OPT).map(text),
  };
}

const negative = 'example. 600 SOA ns.example.com. hostmaster.example. 1 7200 3600 1209600 600';

it('synthesizes from wildcards as RFC 4592 §2.2.1 says', () => {
  expect(ask('host3.example', 'MX').answer).toEqual(['host3.example. 3600 MX 10 host1.example.']);
  expect(ask('host3.example', 'A')).toMatchObject({ rcode: 'NOERROR', answer: [], authority: [negative] });
  expect(ask('foo.bar.example', 'TXT').answer).toEqual(['foo.bar.example. 3600 TXT "this is a wildcard"']);
});

it('does not synthesize where RFC 4592 §2.2.1 forbids it', () => {
  expect(ask('host1.example', 'MX')).toMatchObject({
    rcode: 'NOERROR',
    flags: 'aa',
    answer: [],
    authority: [negative],
  });
  expect(ask('sub.*.example', 'MX')).toMatchObject({ rcode: 'NOERROR', answer: [], authority: [negative] });
  expect(ask('_telnet._tcp.host1.example', 'SRV')).toMatchObject({
    rcode: 'NXDOMAIN',
    answer: [],
    authority: [negative],
  });
  expect(ask('host.subdel.example', 'A')).toMatchObject({ rcode: 'NOERROR', flags: '', answer: [] });
  expect(ask('ghost.*.example', 'MX')).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
});

it('answers an empty non-terminal with NODATA, not NXDOMAIN (RFC 8020)', () => {
  expect(ask('_tcp.host1.example', 'A')).toMatchObject({
    rcode: 'NOERROR',
    flags: 'aa',
    authority: [negative],
  });
});

it('refers with glue, without AA (RFC 1034 §4.3.2)', () => {
  expect(ask('www.subdel.example', 'A')).toEqual({
    rcode: 'NOERROR',
    flags: '',
    answer: [],
    authority: ['subdel.example. 3600 NS ns.subdel.example.', 'subdel.example. 3600 NS ns.example.net.'],
    additional: ['ns.subdel.example. 3600 A 192.0.2.53'],
  });
});

it('looks up no more hosts than an honest RRset has', () => {
  const hosts = Array.from(
    { length: 2 * hostsPerRRsetMax },
    (_, i) => `@ NS n${i}\nn${i} A 192.0.2.${i & 255}\n`,
  );
  const zone = zoneOf('crowd', `$TTL 60\n@ SOA a b 1 2 3 4 5\n${hosts.join('')}`);
  const answer = answerQuery(queryBytes('crowd', 'NS'), {
    zones: [{ zone, expired: false }],
    sha1,
    transport: 'tcp',
  });
  const message = answer && decodeMessage(answer);
  expect([message?.answers.length, message?.additional.length]).toEqual([
    2 * hostsPerRRsetMax,
    hostsPerRRsetMax,
  ]);
});

it('answers for DS at the cut itself (RFC 4035 §3.1.4.1)', () => {
  expect(ask('subdel.example', 'DS')).toMatchObject({ rcode: 'NOERROR', flags: 'aa', authority: [negative] });
});

it('follows aliases through all its zones, and stops at loops', () => {
  expect(ask('alias.example', 'A').answer).toEqual([
    'alias.example. 3600 CNAME host1.example.',
    'host1.example. 3600 A 192.0.2.1',
  ]);
  expect(ask('alias.example', 'CNAME').answer).toEqual(['alias.example. 3600 CNAME host1.example.']);
  expect(ask('outside.example', 'A').answer).toEqual([
    'outside.example. 3600 CNAME www.other.',
    'www.other. 60 A 192.0.2.80',
  ]);
  expect(ask('loop1.example', 'A')).toMatchObject({ rcode: 'NOERROR', flags: 'aa' });
  expect(ask('loop1.example', 'A').answer).toHaveLength(2);
});

it('does not follow an alias for NSEC, which would stand beside it (RFC 4034 §4)', () => {
  expect(ask('alias.example', 'NSEC')).toMatchObject({
    rcode: 'NOERROR',
    flags: 'aa',
    answer: [],
    authority: [negative],
  });
});

it('gives the rcode of the last name of a chain (RFC 2308 §2.1, RFC 6604)', () => {
  expect(ask('dangling.example', 'A')).toMatchObject({
    rcode: 'NXDOMAIN',
    flags: 'aa',
    authority: [negative],
  });
});

it('renames with DNAME, its TTL on the CNAME it makes (RFC 6672 §3.1)', () => {
  expect(ask('host.old.example', 'A').answer).toEqual([
    'old.example. 3600 DNAME new.example.',
    'host.old.example. 3600 CNAME host.new.example.',
    'host.new.example. 3600 A 192.0.2.7',
  ]);
  expect(ask('old.example', 'DNAME').answer).toEqual(['old.example. 3600 DNAME new.example.']);
  expect(ask('x.endless.example', 'A').answer).toHaveLength(2);
});

it('says YXDOMAIN where a renamed name gets too long (RFC 6672 §2.2)', () => {
  const long = `${'a.'.repeat(118)}endless.example`;
  expect(nameOf(long).length).toBeGreaterThan(250);
  expect(ask(long, 'A').rcode).toBe('YXDOMAIN');
});

it('refuses what it does not serve', () => {
  expect(ask('www.example.org', 'A')).toMatchObject({ rcode: 'REFUSED', flags: '', answer: [] });
  expect(
    ask('host1.example', 'A', 'udp', (message) => Object.assign(message.questions[0] ?? {}, { class: 3 }))
      .rcode,
  ).toBe('REFUSED');
  expect(ask('example', 'AXFR', 'tcp').rcode).toBe('REFUSED');
  expect(ask('example', 'AXFR', 'udp').rcode).toBe('FORMERR');
  expect(ask('example', 'MAILB').rcode).toBe('NOTIMP');
});

it('tells its version only where that is configured (RFC 4892)', () => {
  const query = queryBytes('version.bind', 'TXT', (message) =>
    Object.assign(message.questions[0] ?? {}, { class: 3 }),
  );
  const rcode = (bytes: Uint8Array | undefined) => (bytes?.[3] ?? 15) & 15;
  expect(rcode(answerQuery(query, { zones, sha1, transport: 'udp' }))).toBe(5);
  const told = answerQuery(query, { zones, sha1, transport: 'udp', identity: { version: 'copain' } });
  expect(told && decodeMessage(told)?.answers[0]).toMatchObject({
    class: 3,
    rdata: Uint8Array.from([6, ...Buffer.from('copain')]),
  });
});

it('answers SERVFAIL from an expired zone (RFC 1035 §3.3.13)', () => {
  const answer = answerQuery(queryBytes('www.other', 'A'), {
    zones: [{ zone: other, expired: true }],
    sha1,
    transport: 'udp',
  });
  expect(answer && decodeMessage(answer)).toMatchObject({
    flags: Flag.response | 2,
    answers: [],
    authority: [],
  });
});

it('truncates whole, and answers in full over TCP (RFC 2181 §9, RFC 7766 §5)', () => {
  expect(ask('big.example', 'TXT')).toMatchObject({ flags: 'aatc', answer: [] });
  expect(ask('big.example', 'TXT', 'tcp').answer).toHaveLength(1);
});

it('never sends more over UDP than the client takes, and never more than 1,232 octets', () => {
  const size = (payload: number) =>
    answerQuery(
      queryBytes('big.example', 'TXT', (message) => message.additional.push(opt({ class: payload }))),
      { zones, sha1, transport: 'udp' },
    )?.length ?? 0;
  expect([size(0), size(512), size(65_535)].every((bytes) => bytes <= 512)).toBe(true);
  expect(udpEdnsBytesMax).toBe(1232);
});

it('lists for ANY over TCP only, and where there is just one RRset (RFC 8482)', () => {
  expect(ask('two.example', 'ANY')).toMatchObject({ flags: 'aatc', answer: [] });
  expect(ask('two.example', 'ANY', 'tcp').answer).toHaveLength(2);
  expect(ask('host1.example', 'ANY').answer).toHaveLength(1);
});

it('has an OPT in the answer exactly where the query has one, and says BADVERS (RFC 6891 §6.1.3, §7)', () => {
  const additional = (change?: (message: Message) => void) => {
    const answer = answerQuery(queryBytes('host1.example', 'A', change), { zones, sha1, transport: 'udp' });
    return answer && decodeMessage(answer)?.additional;
  };
  expect(additional()).toEqual([]);
  expect(additional((message) => message.additional.push(opt({ ttl: 0x8000 })))).toEqual([
    opt({ class: 1232, ttl: 0x8000 }),
  ]);
  expect(
    ask('host1.example', 'A', 'udp', (message) => message.additional.push(opt({ ttl: 1 << 16 }))),
  ).toMatchObject({ rcode: 'BADVERS', answer: [] });
});

it('answers other opcodes with NOTIMP and malformed queries with FORMERR, and responses not at all', () => {
  const header = (flags: number) => Uint8Array.from([1, 2, flags >> 8, flags & 255, 0, 0, 0, 0, 0, 0, 0, 0]);
  const answer = (bytes: Uint8Array) => answerQuery(bytes, { zones, sha1, transport: 'udp' });
  expect(answer(header(4 << 11))).toEqual(header(0x8000 | (4 << 11) | 4));
  expect(answer(header(0))).toEqual(header(0x8000 | 1));
  expect(answer(header(0x8000))).toBeUndefined();
});

it('spells the name as it was asked, keeps RD and CD, also from the cache', () => {
  const answerer = createAnswerer(zones, { sha1 });
  for (const spelling of ['host1.example', 'HoSt1.ExAmPlE', 'HOST1.EXAMPLE']) {
    const query = queryBytes(spelling, 'A', (message) =>
      Object.assign(message, { id: spelling.length, flags: 0x0110 }),
    );
    const answer = answerer.answer(query, by('udp'));
    const packet = decode(Buffer.from(answer ?? []));
    expect(packet).toMatchObject({
      id: spelling.length,
      questions: [{ name: spelling }],
      answers: [{ name: spelling, data: '192.0.2.1' }],
    });
    expect((packet.flags ?? 0) & 0x0110).toBe(0x0110);
  }
});

it('answers from the cache exactly as without it', () => {
  const names = [
    'host1.example',
    'x.example',
    'alias.example',
    'www.subdel.example',
    'none.other',
    'big.example',
    'two.example',
    'host.old.example',
  ];
  const question = fc.record({
    name: fc.constantFrom(...names),
    type: fc.constantFrom('A', 'TXT', 'MX', 'ANY', 'SOA'),
    size: fc.option(fc.constantFrom(0, 512, 700, 4096), { nil: undefined }),
    dnssec: fc.boolean(),
    transport: fc.constantFrom<Transport>('udp', 'tcp'),
  });
  const answerer = createAnswerer(zones, { sha1 });
  fc.assert(
    fc.property(question, ({ name, type, size, dnssec, transport }) => {
      const query = queryBytes(name, type, (message) => {
        if (size !== undefined) message.additional.push(opt({ class: size, ttl: dnssec ? 0x8000 : 0 }));
      });
      expect(answerer.answer(query, by(transport))).toEqual(answerQuery(query, { zones, sha1, transport }));
    }),
    { numRuns: 2000 },
  );
}, 60_000);

it('survives any octets in good time, within the sizes it promised', () => {
  const answerer = createAnswerer(zones, { sha1 });
  const seed = queryBytes('a.b.example', 'TXT', (message) => message.additional.push(opt()));
  const mutation = fc.record({ at: fc.nat(60), value: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 5 }), (mutations) => {
      const bytes = seed.slice();
      for (const { at, value } of mutations) bytes[at % bytes.length] = value;
      const answer = answerer.answer(bytes, by('udp'));
      if (!answer) return;
      expect(answer.length).toBeLessThanOrEqual(udpEdnsBytesMax);
      expect(decodeMessage(answer)?.id).toBe(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0));
    }),
    { numRuns: 30_000 },
  );
}, 60_000);

/** Made with a tool of its own; the signatures need not be valid to be served. */
const signed = zoneOf(
  'signed',
  `$TTL 300
@ SOA ns hostmaster 1 2 3 4 300
@ RRSIG SOA 13 1 300 20360101000000 20260101000000 1 signed. AAAA
@ NS ns
@ NSEC a SOA NS RRSIG NSEC
@ RRSIG NSEC 13 1 300 20360101000000 20260101000000 1 signed. AAAA
a A 192.0.2.1
a RRSIG A 13 2 300 20360101000000 20260101000000 1 signed. AAAA
a NSEC ns A RRSIG NSEC
ns A 192.0.2.53
ns NSEC insecure A RRSIG NSEC
insecure NS ns.elsewhere.
insecure NSEC @ NS RRSIG NSEC
`,
);

it('adds signatures and proofs where the DO bit asks for them, and only there (RFC 4035 §3.1)', () => {
  const sections = (name: string, dnssec: boolean) => {
    const query = queryBytes(name, 'A', (message) =>
      message.additional.push(opt({ ttl: dnssec ? 0x8000 : 0 })),
    );
    const answer = answerQuery(query, { zones: [{ zone: signed, expired: false }], sha1, transport: 'tcp' });
    const message = answer && decodeMessage(answer);
    const types = (records: MessageRecord[] = []) =>
      records.map(({ owner, type }) => `${nameToText(owner)} ${typeToText(type)}`);
    return { answer: types(message?.answers), authority: types(message?.authority) };
  };
  expect(sections('a.signed', false)).toEqual({ answer: ['a.signed. A'], authority: [] });
  expect(sections('a.signed', true)).toEqual({ answer: ['a.signed. A', 'a.signed. RRSIG'], authority: [] });
  expect(sections('b.signed', false).authority).toEqual(['signed. SOA']);
  expect(sections('b.signed', true).authority).toEqual([
    'signed. SOA',
    'signed. RRSIG',
    'a.signed. NSEC',
    'signed. NSEC',
    'signed. RRSIG',
  ]);
  expect(sections('x.insecure.signed', true).authority).toEqual([
    'insecure.signed. NS',
    'insecure.signed. NSEC',
  ]);
});
