import { expect, it } from 'vitest';
import { generatedCount, generatedEntries } from './generate.ts';
import { masterFileBytesMax, zoneRecordsMax } from './limits.ts';
import { formatProblem, parseMasterFile } from './master-file.ts';
import { nameOf, nameToText } from './name.ts';
import { rdataToText } from './rdata-print.ts';

const read = (line: string) =>
  parseMasterFile({ text: `$TTL 60\n${line}\n`, file: 'z', origin: nameOf('alice.example') });
const shown = (line: string) =>
  read(line).records.map(({ owner, type, rdata }) => `${nameToText(owner)} ${rdataToText(type, rdata)}`);

it.each([
  ['$GENERATE 1-3/2 h$ A 192.0.2.$', ['h1.alice.example. 192.0.2.1', 'h3.alice.example. 192.0.2.3']],
  [`$GENERATE 9-9 h\${1,3} A 192.0.2.\${-1}`, ['h010.alice.example. 192.0.2.8']],
  [`$GENERATE 1024-1024 \${0,3,n} AAAA 2001:db8::\${0,4,x}`, ['0.0.4.alice.example. 2001:db8::400']],
  [
    '$GENERATE 1-2 h$ 60 IN MX "10 m$"',
    ['h1.alice.example. 10 m1.alice.example.', 'h2.alice.example. 10 m2.alice.example.'],
  ],
  [`$GENERATE 18-18 \${0,4,n}x A 192.0.2.\${+1}`, ['2.1.x.alice.example. 192.0.2.19']],
  ['$GENERATE 7-7 h$ CNAME "m$.b"', ['h7.alice.example. m7.b.alice.example.']],
  ['$GENERATE 1-1 h TXT "a b$ \\"c d$\\" ; e"', ['h.alice.example. "a" "b1" "c d1"']],
  ['$GENERATE 1-1 h TXT "a b$" "c;d"', ['h.alice.example. "a b1" "c;d"']],
  ['$GENERATE 1-1 h$$ PTR \\$x', ['h\\$.alice.example. \\$x.alice.example.']],
  [`$GENERATE 10-10 h TXT \${0,0,X} \${0,3,o} $$ \\$`, ['h.alice.example. "A" "012" "$" "$"']],
])('%s stands for its records', (line, records) => {
  expect(shown(line)).toEqual(records);
});

it.each([
  '$GENERATE 1-3/ h$ A 192.0.2.$',
  '$GENERATE 3-1 h$ A 192.0.2.$',
  `$GENERATE 1-3 h$ A 192.0.2.\${1,0,dx}`,
  `$GENERATE 1-1 h$ TXT \${2147483647}`,
  `$GENERATE 1-1 h$ TXT \${0,65}`,
  `$GENERATE 1-1 h$ TXT \${0`,
  '$GENERATE 1-1 h$',
  '$GENERATE 1-1 h$ MX "10 m$ ("',
  '$GENERATE 1-1 h$ MX "10"',
  '$GENERATE',
])('%s is a mistake with its place', (line) => {
  expect(read(line).problems.map(formatProblem)[0]).toMatch(/^z:2:\d+: error: /);
});

it('makes none of its records where a zone may not have them all, alone or with those above', () => {
  const tooMany = 'this makes more records than a zone may have';
  for (const line of [
    `$GENERATE 0-${zoneRecordsMax} $ A 192.0.2.1`,
    `$GENERATE 0-${2 * zoneRecordsMax}/2 $ A 192.0.2.1`,
    `h A 192.0.2.1\n$GENERATE 1-${zoneRecordsMax} $ A 192.0.2.1`,
  ]) {
    const { records, problems } = read(line);
    expect(records.length).toBeLessThan(2);
    expect(problems.map(({ text }) => text)).toEqual([tooMany]);
  }
});

it('counts what it makes like what is written', () => {
  const remark = `; ${'x'.repeat(200_000)}\n`;
  const room = 1000;
  const text = (line: string) => {
    const end = `$TTL 60\n${line}\n`;
    const count = Math.floor((masterFileBytesMax - room - end.length) / remark.length);
    const rest = masterFileBytesMax - room - end.length - count * remark.length;
    return `${remark.repeat(count)};${'x'.repeat(rest - 2)}\n${end}`;
  };
  const problems = (line: string) =>
    parseMasterFile({ text: text(line), file: 'z', origin: nameOf('alice.example') }).problems;
  expect(problems(`$GENERATE 1-3 h$ TXT \${0,64}`)).toEqual([]);
  expect(problems(`$GENERATE 1-30 h$ TXT \${0,64}`).map((problem) => problem.text)).toEqual([
    'this makes more records than a zone may have',
  ]);
});

it.each([
  ['1-3', 3],
  ['1-3/2', 2],
  ['1-4/2', 2],
  ['0-2147483647/2147483647', 2],
  [`1-${zoneRecordsMax}`, zoneRecordsMax],
])('counts what it makes before it makes any: %s', (range, count) => {
  const words = ['$GENERATE', range, '$', 'A', '192.0.2.1'].map((text) => ({
    text,
    quoted: false,
    line: 1,
    column: 1,
  }));
  expect(generatedCount(words)).toBe(count);
  if (count < 10) expect([...generatedEntries(words)]).toHaveLength(count);
});
