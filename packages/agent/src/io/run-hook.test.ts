import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runHook } from './run-hook.ts';

const folder = mkdtempSync(join(tmpdir(), 'copain-hook-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = (name: string, lines: string): string => {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o700);
  return path;
};
const limits = { forMs: 10_000, outputBytes: 100 };
const never = (): AbortSignal => new AbortController().signal;
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

describe('a hook', () => {
  it('gets its input on stdin, its arguments as they are, and no environment but its own', async () => {
    const out = join(folder, 'out');
    const path = script('tell', `{ cat; printf '%s|' "$@"; env; } > ${out}`);
    const secret = 'COPAIN_TEST_SECRET';
    process.env[secret] = 'no';
    await runHook([path, 'a b', '$(id)', ';', ''], {
      input: 'one\ntwo\n',
      env: { KIND: 'x' },
      limits,
      signal: never(),
    });
    delete process.env[secret];
    const got = readFileSync(out, 'utf8');
    expect(got).toContain('one\ntwo\na b|$(id)|;||');
    expect(got).toContain('KIND=x');
    expect(got).not.toContain(secret);
  });

  it('that fails is told of with its status and its last line', async () => {
    const path = script('fail', 'echo first; echo no such number >&2; exit 3');
    await expect(runHook([path], { input: '', limits, signal: never() })).rejects.toThrow(
      `${path} ended with 3: no such number`,
    );
  });

  it('that cannot be run is told of', async () => {
    await expect(runHook([join(folder, 'none')], { input: '', limits, signal: never() })).rejects.toThrow(
      'ENOENT',
    );
    const plain = join(folder, 'plain');
    writeFileSync(plain, 'no program');
    await expect(runHook([plain], { input: '', limits, signal: never() })).rejects.toThrow('EACCES');
  });

  it('that does not read its input, or ends at once, is no failure', async () => {
    const path = script('deaf', 'exit 0');
    await runHook([path], { input: 'x'.repeat(1_000_000), limits, signal: never() });
  });

  it('that does not end is killed with all that it started, in its time or when the agent stops', async () => {
    const pids = join(folder, 'pids');
    const path = script('hang', `sleep 1000 & echo $! > ${pids}; echo $$ >> ${pids}; echo stuck; wait`);
    await expect(
      runHook([path], { input: '', limits: { ...limits, forMs: 300 }, signal: never() }),
    ).rejects.toThrow(`${path} did not end within 0.3 s: stuck`);
    for (const pid of readFileSync(pids, 'utf8').trim().split('\n')) expect(isAlive(Number(pid))).toBe(false);

    const stop = new AbortController();
    const running = runHook([path], { input: '', limits, signal: stop.signal });
    stop.abort(new Error('stopping'));
    await expect(running).rejects.toThrow('stopping');
  });

  it('that writes without an end costs no memory, and its last words are kept', async () => {
    const path = script('loud', 'head -c 30000000 /dev/zero | tr "\\0" x; echo; echo last words; exit 1');
    await expect(runHook([path], { input: '', limits, signal: never() })).rejects.toThrow(/: last words$/);
  });
});
