import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { namesAgainMax, piecesEntries } from './limits.ts';
import { loadAgain } from './load-again.ts';
import { type LoadedZone, loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import type { Zone } from './zone.ts';

const origin = nameOf('alice.example');
const optionsFor = (lines: readonly string[], end = '\n') => ({
  text: lines.join('\n') + end,
  file: 'alice.zone',
  origin,
});
const head = (serial: number) => [
  '$TTL 300',
  `@ SOA ns host ${serial} 3600 600 3600000 300`,
  '  NS ns',
  'ns A 192.0.2.1',
  '   AAAA 2001:db8::1',
];
/** More than one piece in front of and behind what changes. */
const many = (name: string) =>
  Array.from({ length: 150 }, (_, index) => `${name}${index} A 192.0.2.${index}`);

const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom('a', 'A', 'b.a', 'x.y.z', '*', '', 'p7', 'ns')
      .chain((owner) =>
        fc
          .constantFrom('A 192.0.2.7', 'A 192.0.2.8', '60 TXT one', 'TXT two')
          .map((rest) => `${owner} ${rest}`),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '; a remark',
      '',
      '$TTL 60',
      '$ORIGIN sub.alice.example.',
      '$ORIGIN alice.example.',
      'a MX 5 b.a',
      'a MX 5 ns',
      'm MX 5 p7',
      'm MX 5 y.z',
      'c CNAME a',
      'a NS ns.sub',
      'y.z DNAME a',
      'a NSEC b A',
      'a RRSIG A 13 4 300 1 1 1 @ AAAA',
      'b.a TXT ( one\n two )',
      '@ SOA ns host 7 3600 600 3600000 300',
      'a A not-an-address',
      'out.example. A 192.0.2.1',
      '$GENERATE 1-3 g$ A 192.0.2.$',
      '( a',
      'a A 192.0.2.9 )',
    ),
  },
);
const edit = fc.record({
  at: fc.nat(),
  out: fc.constantFrom(0, 0, 1, 1, 3),
  into: fc.array(line, { maxLength: 2 }),
});
const byKey = ([one]: [string, unknown], [other]: [string, unknown]) => (one < other ? -1 : 1);
const shown = (zone: Zone | undefined) =>
  zone && { ...zone, nodes: [...zone.nodes].sort(byKey), hashed: [...zone.hashed].sort(byKey) };
const told = ({ zone, problems, content, soaAt }: LoadedZone) => ({
  zone: shown(zone),
  problems,
  content,
  soaAt,
});

it('however a file is edited, reading what changed gives what reading all of it gives', () => {
  let again = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(line, { maxLength: 6 }),
      fc.array(edit, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('', '\n'),
      (some, edits, end) => {
        let lines = [...many('p'), ...some, ...many('q')];
        let before = loadZone(optionsFor([...head(1), ...lines], end));
        edits.forEach(({ at, out, into }, index) => {
          // Near the lines that mean something, most of the time.
          const place = at % 3 === 0 ? at % (lines.length + 1) : Math.min(lines.length, 147 + (at % 12));
          lines = lines.toSpliced(place, out, ...into);
          const options = optionsFor([...head(index + 2), ...lines], end);
          const whole = loadZone(options);
          const partly = loadAgain(options, before);
          if (partly) again++;
          // `toEqual` takes ten times as long, and is for telling what differs.
          if (partly && !isDeepStrictEqual(told(partly), told(whole)))
            expect(told(partly)).toEqual(told(whole));
          before = partly ?? whole;
        });
      },
    ),
    { numRuns: 300 },
  );
  // Else this test would have compared reading all with reading all.
  expect(again).toBeGreaterThan(50);
});

it('of a long file only the entries around a change are read again, and the content is patched', () => {
  const lines = Array.from({ length: 5000 }, (_, index) => `h${index} A 10.0.${index >> 8}.${index & 255}`);
  const before = loadZone(optionsFor([...head(1), ...lines]));
  const after = loadAgain(optionsFor([...head(2), ...lines.with(2500, 'h2500 A 192.0.2.1')]), before);
  expect(after?.zone?.serial).toBe(2);
  expect(after?.reading?.pieces.fresh.length).toBeLessThan(200);
  expect(after?.zone?.nodes.get('\x05h4999\x05alice\x07example\0')).toBe(
    before.zone?.nodes.get('\x05h4999\x05alice\x07example\0'),
  );
});

it('a second mark in front of a file is read as a part of its first word', () => {
  const { text } = optionsFor([...head(1), ...many('p')]);
  const { zone, problems } = loadZone({ ...optionsFor([]), text: `\xef\xbb\xbf\xef\xbb\xbf${text}` });
  expect(zone).toBeUndefined();
  expect(problems[0]).toMatchObject({ line: 1, severity: 'error' });
});

it('the SOA is known by its line when lines come in above it', () => {
  const before = loadZone(optionsFor([...head(1), ...many('p')]));
  const after = loadAgain(optionsFor(['; one', '; two', ...head(1), ...many('p')]), before);
  expect([before.soaAt?.line, after?.soaAt?.line]).toEqual([2, 4]);
});

it('what a remark says changes neither zone nor content', () => {
  const before = loadZone(optionsFor(head(1)));
  const after = loadAgain(optionsFor([...head(1), '; seen']), before);
  expect(after?.zone).toBe(before.zone);
  expect(after?.content).toBe(before.content);
});

it('a change of more records than are worth it, and a zone with a warning, are read as a whole', () => {
  const before = loadZone(optionsFor(head(1)));
  const lines = Array.from({ length: namesAgainMax }, (_, index) => `h${index} TXT x`);
  expect(loadAgain(optionsFor([...head(2), ...lines]), before)).toBeUndefined();
  const warned = loadZone(optionsFor([...head(1), 'm MX 5 nowhere']));
  expect(warned.problems).toHaveLength(1);
  expect(loadAgain(optionsFor([...head(2), 'm MX 5 nowhere']), warned)).toBeUndefined();
});

it('a name that is written in two ways is known by the first, wherever that stands', () => {
  const lines = (host: number) => [`a A 192.0.2.${host}`, ...many('p'), 'A TXT x'];
  const before = loadZone(optionsFor([...head(1), ...lines(1)]));
  const options = optionsFor([...head(2), ...lines(2)]);
  expect(told(loadZone(options, before))).toEqual(told(loadZone(options)));
});

it('the last address of a name that others lead to is missed, though the record at which it shows did not change', () => {
  const before = loadZone(optionsFor([...head(1), 'm MX 5 mx', 'mx A 192.0.2.5']));
  expect(before.problems).toEqual([]);
  const { problems } = loadZone(optionsFor([...head(2), 'm MX 5 mx', 'mx TXT gone']), before);
  expect(problems.map(({ text }) => text)).toEqual([
    'MX names mx.alice.example., which has no address in this zone',
  ]);
});

it('a name that comes takes an address of a wildcard away, from itself and from those above it', () => {
  const lines = ['* A 192.0.2.9', 'm MX 5 y.z'];
  const before = loadZone(optionsFor([...head(1), ...lines]));
  expect(before.problems).toEqual([]);
  for (const name of ['y.z', 'x.y.z', 'z']) {
    const { problems } = loadZone(optionsFor([...head(2), ...lines, `${name} TXT here`]), before);
    expect(problems.map(({ text }) => text)).toEqual([
      'MX names y.z.alice.example., which has no address in this zone',
    ]);
  }
});

it('entries that leave out owner, TTL or origin mean something else once those before them say something else', () => {
  const rest = Array.from({ length: 200 }, (_, index) => `h${index} A 192.0.2.${index}`);
  // The entry that differs is the last of its piece.
  const front = [...head(1), ...rest.slice(0, piecesEntries - head(1).length - 1)];
  const owners = (name: string) => [
    ...front,
    `${name} TXT first`,
    ...rest.map((_, index) => ` TXT t${index}`),
  ];
  const ttls = (ttl: number) => [
    '@ 60 SOA ns host 1 3600 600 3600000 300',
    '@ NS ns',
    `ns ${ttl} A 192.0.2.1`,
    ...rest,
  ];
  const origins = (name: string) => [...front, `$ORIGIN ${name}`, ...rest.map((text) => `g${text}`)];
  for (const [was, now] of [
    [owners('a'), owners('b')],
    [ttls(60), ttls(90)],
    [origins('a'), origins('b')],
  ] as const) {
    const before = loadZone(optionsFor(was));
    const after = loadZone(optionsFor(now), before);
    expect(told(after)).toEqual(told(loadZone(optionsFor(now))));
    expect(told(after)).not.toEqual(told(before));
  }
});
