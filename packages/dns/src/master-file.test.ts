import { expect, it } from 'vitest';
import { entryCharactersMax, includeDepthMax, problemsMax } from './limits.ts';
import { formatProblem, type Included, parseMasterFile } from './master-file.ts';
import { nameOf, nameToText } from './name.ts';
import { rdataToText } from './rdata-print.ts';
import { typeToText } from './record-types.ts';

function read(text: string, include?: (path: string) => Included): { records: string[]; problems: string[] } {
  const parsed = parseMasterFile({
    text,
    file: 'a.zone',
    origin: nameOf('alice.example'),
    ...(include && { include }),
  });
  return {
    records: parsed.records.map(
      ({ owner, ttl, type, rdata }) =>
        `${nameToText(owner)} ${ttl} ${typeToText(type)} ${rdataToText(type, rdata)}`,
    ),
    problems: parsed.problems.map(formatProblem),
  };
}

it('reads the example of RFC 1035 §5.3 with its parentheses and blank owners', () => {
  const { records, problems } = read(`$TTL 1d
@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM
        NS      A.ISI.EDU.
        MX      10      VENERA
VENERA  A       10.1.0.52
        A       128.9.0.32
`);
  expect(problems).toEqual([]);
  expect(records).toEqual([
    'alice.example. 86400 SOA VENERA.alice.example. Action\\.domains.alice.example. 20 7200 600 3600000 60',
    'alice.example. 86400 NS A.ISI.EDU.',
    'alice.example. 86400 MX 10 VENERA.alice.example.',
    'VENERA.alice.example. 86400 A 10.1.0.52',
    'VENERA.alice.example. 86400 A 128.9.0.32',
  ]);
});

it('takes TTL and class in either order, units, quotes with semicolons, escapes and unknown types', () => {
  const { records, problems } = read(`www 1h30m IN A 192.0.2.1
www IN 60 A 192.0.2.2
t 5 TXT "a;b \\"c\\"" plain\\032word
x 5 TYPE731 \\# 3 ab cdef
x 5 A \\# 4 C0000203
\\*odd\\.label 5 CNAME @
`);
  expect(problems).toEqual([]);
  expect(records).toEqual([
    'www.alice.example. 5400 A 192.0.2.1',
    'www.alice.example. 60 A 192.0.2.2',
    't.alice.example. 5 TXT "a;b \\"c\\"" "plain word"',
    'x.alice.example. 5 TYPE731 \\# 3 abcdef',
    'x.alice.example. 5 A 192.0.2.3',
    '*odd\\.label.alice.example. 5 CNAME alice.example.',
  ]);
});

it('goes on after a mistake in a record, and names line and column of each', () => {
  const { records, problems } = read(`$TTL 60
www A 192.0.2
ok A 192.0.2.1
mx MX ten mail
mx MX 10
bad..name A 192.0.2.1
	A 192.0.2.9
t TXT "open
u FOO bar
last A 192.0.2.2 extra
fine AAAA ::1
`);
  expect(records).toEqual(['ok.alice.example. 60 A 192.0.2.1', 'fine.alice.example. 60 AAAA ::1']);
  expect(problems).toEqual([
    "a.zone:2:7: error: A: '192.0.2' is not an IPv4 address like 192.0.2.1",
    'a.zone:4:7: error: MX: expected a number, a number from 0 to 65535',
    'a.zone:5:7: error: MX: a name is missing',
    'a.zone:6:1: error: a label is empty (two dots, or a dot at the beginning)',
    'a.zone:7:2: error: the owner name above is wrong, so this record has none',
    'a.zone:8:7: error: this quotation mark is not closed on its line',
    "a.zone:9:3: error: 'FOO' is no record type",
    "a.zone:10:18: error: A: 'extra' is more than this record takes",
  ]);
});

it.each([
  ['$TTL soon\nwww A 192.0.2.1\n', 'a.zone:1:6: error: expected the default TTL, in seconds or like 1h30m'],
  ['$ORIGIN\nwww 1 A 192.0.2.1\n', 'a.zone:1:1: error: the new origin is missing'],
  ['a 1 A ( 192.0.2.1\nb 1 A 192.0.2.1\n', 'a.zone:1:7: error: this parenthesis is never closed'],
  ['a 1 A ((192.0.2.1))\nb 1 A 192.0.2.1\n', 'a.zone:1:8: error: a parenthesis within parentheses'],
  ['a 1 A 192.0.2.1)\nb 1 A 192.0.2.1\n', 'a.zone:1:16: error: a closing parenthesis that was never opened'],
  [
    'a 1 A 192.0.2.1\r\nb 1 A 192.0.2.1\r\n',
    'a.zone:1:16: error: a carriage return; save the file with Unix line ends (LF alone)',
  ],
])('ends where the meaning of all that follows is uncertain: %j', (text, problem) => {
  expect(read(text)).toEqual({ records: [], problems: [problem] });
});

it('takes the TTL from $TTL, else from the record above, else from the SOA, else says that there is none', () => {
  expect(read('a A 192.0.2.1\n').problems).toEqual([
    'a.zone:1:3: error: this record has no TTL, and there is no $TTL above it',
  ]);
  expect(read('a 7 A 192.0.2.1\nb A 192.0.2.2\n').records[1]).toBe('b.alice.example. 7 A 192.0.2.2');
  expect(read('@ SOA a b 1 2 3 4 99\nb A 192.0.2.2\n').records[1]).toBe('b.alice.example. 99 A 192.0.2.2');
  expect(read('$TTL 5\na 7 A 192.0.2.1\nb A 192.0.2.2\n').records[1]).toBe('b.alice.example. 5 A 192.0.2.2');
});

it('includes files with an origin of their own, which ends with them (RFC 1035 §5.1)', () => {
  const include = (path: string): Included =>
    path === 'hosts'
      ? { kind: 'text', file: 'hosts', text: '$ORIGIN sub\nh A 192.0.2.1\nbad A x\n' }
      : { kind: 'problem', text: 'no such file' };
  const { records, problems } = read(
    '$TTL 1\n$INCLUDE hosts lan.alice.example.\nw A 192.0.2.2\n$INCLUDE other\n',
    include,
  );
  expect(records).toEqual(['h.sub.lan.alice.example. 1 A 192.0.2.1', 'w.alice.example. 1 A 192.0.2.2']);
  expect(problems).toEqual([
    'hosts:1:9: warning: this origin is relative to the one before, which Knot refuses: write it with its dot',
    "hosts:3:7: error: A: 'x' is not an IPv4 address like 192.0.2.1",
    'a.zone:4:10: error: no such file',
  ]);
});

it('warns of an origin without its final dot, and of no other', () => {
  const warned = (origin: string) => read(`$TTL 1\n$ORIGIN ${origin}\nw A 192.0.2.1\n`).problems.length;
  expect(['a.', 'a.b.', '.', 'a\\..'].map(warned)).toEqual([0, 0, 0, 0]);
  expect(['a', 'a.b', '@', 'a\\.'].map(warned)).toEqual([1, 1, 1, 1]);
});

it('keeps a last record that lacks its closing parenthesis alone, beside the mistake', () => {
  const unclosed = 'a.zone:1:7: error: this parenthesis is never closed';
  expect(read('a 1 A ( 192.0.2.1\n')).toEqual({
    records: ['a.alice.example. 1 A 192.0.2.1'],
    problems: [unclosed],
  });
  expect(read('a 1 A ( 192.0.2.1\nb 1 A 192.0.2.2\n')).toEqual({ records: [], problems: [unclosed] });
  expect(read('a 1 A (')).toEqual({ records: [], problems: [unclosed] });
});

it('gives up on files that include one another for ever', () => {
  const self = (): Included => ({ kind: 'text', file: 'self', text: '$INCLUDE self\n' });
  expect(read('$INCLUDE self\n', self).problems).toEqual([
    `self:1:10: error: files include one another more than ${includeDepthMax} deep`,
  ]);
});

it('stops reporting after a bounded number of mistakes', () => {
  expect(read('x 1 A y\n'.repeat(10 * problemsMax)).problems).toHaveLength(problemsMax + 1);
});

it('refuses an entry of unbounded length', () => {
  expect(read(`a 1 TXT (\n${'x\n'.repeat(entryCharactersMax)}`).problems[0]).toContain('longer than');
});

it.each(['CH', 'CLASS3', 'HS'])('refuses class %s, since only IN is served', (name) => {
  expect(read(`a 1 ${name} A 192.0.2.1\n`).problems[0]).toContain('only IN');
});

it.each(['ANY', 'AXFR', 'OPT', 'TSIG'])('refuses %s, which cannot stand in a zone', (type) => {
  expect(read(`a 1 ${type} \\# 0\n`).problems[0]).toContain('cannot stand in a zone');
});
