import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const text = readFileSync('docs/threats.md', 'utf8');
const [matrix = '', list = ''] = text.split('## Tests');
/** Tests by number, from the list at the end. */
const tests = new Map(
  [...list.matchAll(/^- \*\*(T\d+)\*\* `([^`]+)`: (.+)$/gm)].map(([, number = '', file = '', title = '']) => [
    number,
    { file, title },
  ]),
);
const rows = matrix.split('\n').filter((line) => line.startsWith('| ') && !/^\| (asset|step) /.test(line));

it('every threat names its tests, or says that its answer is not there yet', () => {
  expect(rows.length).toBeGreaterThan(40);
  const cells = rows.map((row) => row.split('|').at(-2)?.trim() ?? '');
  expect(cells.filter((cell) => !/^(T\d+ ?)+$/.test(cell) && cell !== '*not yet*')).toEqual([]);
  const named = new Set(cells.flatMap((cell) => cell.match(/T\d+/g) ?? []));
  expect([...named].filter((number) => !tests.has(number))).toEqual([]);
  expect([...tests.keys()].filter((number) => !named.has(number))).toEqual([]);
});

it('every test that a threat names is there under this title', () => {
  expect(tests.size).toBeGreaterThan(50);
  const missing = [...tests].filter(([, { file, title }]) => {
    if (!existsSync(file)) return true;
    // A title may stand in single quotes, double quotes or a template, with its own quotes escaped.
    const source = readFileSync(file, 'utf8').replaceAll("\\'", "'");
    return !["'", '"', '`'].some((quote) => source.includes(`${quote}${title}`));
  });
  expect(missing).toEqual([]);
});
