import { existsSync, readFileSync } from 'node:fs';
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

it('each test that docs/rfc.md names is there, and every specification of DNS has one', () => {
  const dns = readFileSync('docs/rfc.md', 'utf8').split('## DNS: answering')[1] ?? '';
  const tests = [...dns.matchAll(/^\| (RFC [^|]+) \|[^|]+\|[^|]+\| ([^|]+) \| `[^`]+` \|$/gm)].map(
    ([, section = '', named = '']) => ({
      section,
      files: named.split(', ').map((name) => {
        const [, path] = /^`(.+)`$/.exec(name) ?? [];
        return path ?? `packages/dns/src/${name}.test.ts`;
      }),
    }),
  );
  expect(tests.length).toBe(rows.filter(([row]) => dns.includes(row)).length);
  expect(tests.length).toBeGreaterThan(70);
  expect(tests.filter(({ files }) => !files.every((file) => existsSync(file)))).toEqual([]);
  expect(new Set(tests.map(({ section, files }) => `${section} ${files.join()}`)).size).toBe(tests.length);
});

it('each test that the part about mail names is there', () => {
  const mail = (readFileSync('docs/rfc.md', 'utf8').split('## Mail: SMTP')[1] ?? '').split('\n## ')[0] ?? '';
  const named = [...mail.matchAll(/^\| RFC [^|]+\|[^|]+\|[^|]+\| ([^|]+) \| `[^`]+` \|$/gm)].flatMap(
    ([, tests = '']) => tests.split(', '),
  );
  expect(named.length).toBeGreaterThan(30);
  const paths = named.map((name) => /^`(.+)`$/.exec(name)?.[1] ?? `packages/mail/src/${name}.test.ts`);
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});
