import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { referencePages } from '../scripts/reference.ts';

const documents = ['README.md', ...globSync('docs/**/*.md')];

it('every link from one document to another leads somewhere', () => {
  const links = documents.flatMap((document) =>
    [...readFileSync(document, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => ({
      document,
      target,
    })),
  );
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter(({ document, target }) => !existsSync(join(dirname(document), target)))).toEqual([]);
});

it('every source file that a document names is there', () => {
  const named = documents.flatMap((document) => {
    const text = readFileSync(document, 'utf8');
    const whole = [...text.matchAll(/`(packages\/[\w./-]+\.ts)`/g)].map(([, path = '']) => path);
    const short = [
      ...text.matchAll(/`(core|trust|mesh|dns|mail|liveness|store|status|agent|cli)\/((?:io\/)?[\w-]+)`/g),
    ];
    return [...whole, ...short.map(([, room = '', file = '']) => `packages/${room}/src/${file}.ts`)].map(
      (path) => ({
        document,
        path,
      }),
    );
  });
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter(({ path }) => !existsSync(path))).toEqual([]);
});

it('the reference pages say what the code says (scripts/reference writes them)', async () => {
  const pages = await referencePages();
  expect(pages.size).toBe(3);
  for (const [path, text] of pages) expect(existsSync(path) && readFileSync(path, 'utf8'), path).toBe(text);
});
