import { spawn } from 'node:child_process';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
  tookMs: number;
}

export interface RunOptions {
  stdin?: string;
  /** After this the program is killed, and `code` is 124. */
  limitMs?: number;
  /** Run inside this network namespace. */
  namespace?: string | undefined;
  cwd?: string;
}

/** The command line of a program inside a network namespace; `ip netns exec` becomes the program, so pids are right. */
export function within(namespace: string | undefined, command: readonly string[]): [string, string[]] {
  const line = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command];
  const [program = '', ...args] = line;
  return [program, args];
}

/** Runs a program to its end. Whatever its exit status is: that is for the caller to judge. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [program, args] = within(options.namespace, command);
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, options.limitMs ?? 30_000);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : (code ?? 128), stdout, stderr, tookMs: performance.now() - startMs });
    });
    // A program that does not read its input is no mistake.
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
  });
}

/** Runs a program that must succeed, and gives its stdout. */
export async function runWell(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const ran = await run(command, options);
  if (ran.code !== 0) {
    throw new Error(`${command.join(' ')}: exit ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  }
  return ran.stdout;
}
