import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const rows = [
  ...readFileSync('docs/rfc.md', 'utf8').matchAll(/^\| ([^|]*RFC \d+[^|]*) \|.*\| `([^`]+)` \|$/gm),
];

it('each file that docs/rfc.md names cites the section that it keeps', () => {
  expect(rows.length).toBeGreaterThan(8);
  // A comment may break a citation over two lines.
  const text = (path: string): string =>
    readFileSync(path, 'utf8').replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ');
  const wrong = rows.filter(([, section = '', path = '']) => {
    const at = text(path);
    const [document = '', part = ''] = section.replace('libp2p ', '').split(' §');
    return !at.includes(document) || (part !== '' && !at.includes(`${document} §${part}`));
  });
  expect(wrong.map(([row]) => row)).toEqual([]);
});
