import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadZone, nameOf } from '@copain/dns';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { masterFileSource } from './zone-source.ts';

const origin = nameOf('alice.example');
const textOf = (serial: number, hosts: number): string =>
  [
    `@ 300 SOA ns host ${serial} 3600 600 3600000 300`,
    '@ 300 NS ns',
    'ns 300 A 192.0.2.1',
    ...Array.from({ length: hosts }, (_, n) => `h${n} 300 TXT "host number ${n}"`),
    '',
  ].join('\n');
let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'copain-source-'));
  path = join(folder, 'alice.zone');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

it.each([
  { size: 'a small', hosts: 1 },
  { size: 'a large', hosts: 2000 },
])(
  '$size file that says what is answered from already gives that very zone, and another one its own',
  async ({ hosts }) => {
    const published = loadZone({ text: textOf(1, hosts), file: 'alice.zone', origin }).zone;
    await writeFile(path, textOf(1, hosts));
    await using source = masterFileSource({ path, origin, onChange: () => {} });
    await source.open(published);
    expect((await source.read('asked'))?.zone).toBe(published);
    expect((await source.read('asked'))?.zone).toBe(published);
    await writeFile(path, textOf(2, hosts));
    expect((await source.read('asked'))?.zone?.serial).toBe(2);
    expect((await source.read('asked'))?.zone?.nodes.size).toBe(hosts + 2);
  },
);
