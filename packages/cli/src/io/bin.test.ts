import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const bin = fileURLToPath(new URL('bin.ts', import.meta.url));
const spawnPeer = (...argv: string[]) =>
  new Promise<{ exit: unknown; out: string; err: string }>((resolve) => {
    const env = { ...process.env, PEER_HOME: '/nonexistent/copain' };
    execFile(process.execPath, ['--conditions=@copain/source', bin, ...argv], { env }, (error, out, err) => {
      resolve({ exit: error === null ? 0 : error.code, out, err });
    });
  });

it('the process ends with the exit status of its command', async () => {
  const [help, usage, noAgent, noBox, version] = await Promise.all([
    spawnPeer('--help'),
    spawnPeer('zone', 'explode'),
    spawnPeer('status'),
    spawnPeer('config', 'check'),
    spawnPeer('--version'),
  ]);
  expect([help, usage, noAgent, noBox, version].map(({ exit }) => exit)).toEqual([0, 64, 69, 78, 0]);
  expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(noAgent).toMatchObject({ out: '', err: /peer up/ });
}, 30_000);
