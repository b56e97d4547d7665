import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUtf8 } from '@copain/core';
import { expect, it } from 'vitest';
import { filesContract } from './contract-suite.ts';
import { openFiles } from './durable-files.ts';

const folder = () => mkdtemp(join(tmpdir(), 'copain-files-'));

filesContract('openFiles', async () => {
  const dir = await folder();
  return {
    store: await openFiles(dir),
    reopen: () => openFiles(dir),
    dispose: () => rm(dir, { recursive: true }),
  };
});

it('what a crash left half written is gone at the next start, and the old content stands', async () => {
  const dir = await folder();
  const files = await openFiles(dir);
  await files.write('zone', toUtf8('whole'));
  await writeFile(join(dir, '.new-1-1'), 'hal');
  const again = await openFiles(dir);
  expect(await readdir(dir)).toEqual(['zone']);
  expect(await again.read('zone')).toEqual(toUtf8('whole'));
  await rm(dir, { recursive: true });
});
