import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Output that was written before the end is here within this. */
const outputGraceMs = 200;

/** What a hook may cost. */
export interface HookLimits {
  /** From its start to its end, in ms; then it is killed, with all that it started. */
  forMs: number;
  /** Of what it writes, so much is kept for the message about it; the rest is read and thrown away. */
  outputBytes: number;
}

/**
 * Runs a program of the owner's, without a shell: `command` is its path and its arguments, each as it is, and `input` comes
 * on its stdin. It has an environment of its own, with `PATH` and what `env` names. Resolves once it ended with 0; rejects
 * with what went wrong and the last line that it wrote, also when `signal` is aborted.
 */
export async function runHook(
  command: readonly [string, ...string[]],
  options: {
    input: string;
    env?: Readonly<Record<string, string>>;
    limits: HookLimits;
    signal: AbortSignal;
  },
): Promise<void> {
  const { input, env = {}, limits, signal } = options;
  const [path, ...args] = command;
  signal.throwIfAborted();
  // A group of its own, so that what it started ends with it.
  const child = spawn(path, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = `${output}${text}`.slice(-limits.outputBytes);
    });
  let isLate = false;
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself meanwhile.
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, limits.forMs);
  signal.addEventListener('abort', kill, { once: true });
  // Whoever does not read its stdin closes it: that is no failure.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [code, by] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    if (code === 0) return;
    // What it wrote last may still be on its way; whatever it left running with its output open is not waited for.
    kill();
    await once(child, 'close', { signal: AbortSignal.timeout(outputGraceMs) }).catch(() => undefined);
    signal.throwIfAborted();
    const last = output.trim().split('\n').at(-1) ?? '';
    const said = last === '' ? '' : `: ${last}`;
    if (isLate) throw new Error(`${path} did not end within ${limits.forMs / 1000} s${said}`);
    throw new Error(`${path} ended with ${code ?? by}${said}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    kill();
    child.stdout.destroy();
    child.stderr.destroy();
  }
}
