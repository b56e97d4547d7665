import { expect, it } from 'vitest';
import { problemsMax } from './limits.ts';
import { loadZone } from './load-zone.ts';
import { formatProblem } from './master-file.ts';
import { nameOf } from './name.ts';

const head = '$TTL 300\n@ SOA ns hostmaster 7 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n';

function problems(text: string): string[] {
  return loadZone({ text, file: 'z', origin: nameOf('alice.example') }).problems.map(formatProblem);
}

it('finds nothing in a good zone', () => {
  expect(
    problems(
      `${head}www CNAME ns\n@ MX 10 ns\nsub NS ns.sub\nns.sub A 192.0.2.1\n*.w A 192.0.2.9\n@ CAA 0 issue ";"\n`,
    ),
  ).toEqual([]);
});

it.each([
  ['$TTL 1\n@ NS ns\nns A 192.0.2.1\n', 'z:1:1: error: the zone has no SOA record at alice.example.'],
  ['$TTL 1\n@ SOA a. b. 1 2 3 4 5\n', 'z:2:1: error: the zone has no NS record at alice.example.'],
  [`${head}@ SOA ns hostmaster 8 4h 1h 2w 60\n`, 'z:5:1: error: the zone has more than one SOA record'],
  [
    `${head}w SOA ns hostmaster 8 4h 1h 2w 60\n`,
    'z:5:1: error: an SOA record stands below the top of the zone',
  ],
  [`${head}w CNAME ns\nw A 192.0.2.1\n`, 'z:6:1: error: w.alice.example. has a CNAME and other data (A)'],
  [`${head}w CNAME ns\nw CNAME www\n`, 'z:6:1: error: w.alice.example.: a name has at most one CNAME'],
  [`${head}w DNAME a.\nw DNAME b.\n`, 'z:6:1: error: w.alice.example.: a name has at most one DNAME'],
  [`${head}bob.example. A 192.0.2.1\n`, 'z:5:1: error: bob.example. lies outside the zone alice.example.'],
  [
    `${head}w DNAME a.\nx.w A 192.0.2.1\n`,
    'z:6:1: error: x.w.alice.example. is never answered: it lies below the DNAME in line 5',
  ],
])('refuses a zone that is none: %j', (text, problem) => {
  expect(problems(text)).toContain(problem);
  expect(loadZone({ text, file: 'z', origin: nameOf('alice.example') }).zone).toBeUndefined();
});

it.each([
  ['sub NS ns.sub\n', 'z:5:1: warning: the delegation needs an address (glue) for ns.sub.alice.example.'],
  [
    'c CNAME ns\n@ MX 10 c\n',
    'z:6:1: warning: MX names c.alice.example., which is a CNAME; it must be a name with an address (RFC 2181 §10.3)',
  ],
  ['sub NS beside\n', 'z:5:1: warning: NS names beside.alice.example., which has no address in this zone'],
  ['@ MX 10 nowhere\n', 'z:5:1: warning: MX names nowhere.alice.example., which has no address in this zone'],
  [
    '*.w A 192.0.2.1\na.w TXT x\n@ MX 10 a.w\n',
    'z:7:1: warning: MX names a.w.alice.example., which has no address in this zone',
  ],
  [
    '*.w A 192.0.2.1\nb.a.w TXT x\n@ MX 10 a.w\n',
    'z:7:1: warning: MX names a.w.alice.example., which has no address in this zone',
  ],
  [
    '* A 192.0.2.1\nx.w TXT x\n@ MX 10 a.w\n',
    'z:7:1: warning: MX names a.w.alice.example., which has no address in this zone',
  ],
  [
    'w 5 A 192.0.2.1\nw 6 A 192.0.2.2\n',
    'z:6:1: warning: TTL 6 differs from 5 in line 5; the lowest is served for all (RFC 2181)',
  ],
  ['w A 192.0.2.1\nw A 192.0.2.1\n', 'z:6:1: warning: this A record stands here twice'],
  [
    's NS ns\nt.s NS ns\n',
    'z:6:1: warning: NS of t.s.alice.example. is never answered: it lies below the delegation in line 5',
  ],
  ['*.s NS ns\n', 'z:5:1: warning: a delegation at a wildcard; BIND refuses this (RFC 4592 §4.2)'],
  ['s NS ns\ns DNAME a.\n', 'z:6:1: warning: a DNAME and a delegation at one name; Knot refuses this'],
])('warns and goes on: %j', (text, problem) => {
  expect(problems(head + text)).toContain(problem);
  expect(loadZone({ text: head + text, file: 'z', origin: nameOf('alice.example') }).zone).toBeDefined();
});

it('takes the address of a wildcard for names that are not there', () => {
  expect(
    problems(`${head}* A 192.0.2.1\n*.w AAAA ::1\nx TXT x\n@ MX 1 a\n@ MX 2 a.b.w\n@ MX 3 b.w\n`),
  ).toEqual([]);
});

it('tells as many errors and warnings as may be told, and that there are more', () => {
  const habit = (line: (index: number) => string): string =>
    Array.from({ length: 2 * problemsMax }, (_, index) => line(index)).join('');
  const warned = habit((index) => `m${index} MX 10 nowhere\n`);
  const refused = habit((index) => `c${index} CNAME ns\nc${index} A 192.0.2.1\n`);
  const told = problems(head + warned + refused);
  const errors = told.filter((text) => text.includes(': error: '));
  const warnings = told.filter((text) => text.includes(': warning: '));
  expect([errors.length, warnings.length]).toEqual([problemsMax + 1, problemsMax + 1]);
  expect(errors.at(-1)).toMatch(/more errors are not told/);
  expect(warnings.at(-1)).toMatch(/more warnings are not told/);
});
