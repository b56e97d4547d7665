import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ballastBytes, giveUpBallast, layInBallast } from './ballast.ts';

it('lays the reserve in once, in real blocks, and keeps it while there is room', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'copain-ballast-'));
  await layInBallast(dir);
  await layInBallast(dir);
  expect(await readdir(dir)).toEqual(['ballast']);
  const { size, blocks } = await stat(join(dir, 'ballast'));
  expect(size).toBe(ballastBytes);
  expect(blocks * 512).toBeGreaterThanOrEqual(ballastBytes);
  expect(await giveUpBallast(dir)).toBe(false);
  await rm(dir, { recursive: true });
});

it('a folder that is not there has none, and hinders nothing', async () => {
  expect(await giveUpBallast('/nowhere')).toBe(false);
});
