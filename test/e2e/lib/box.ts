import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ran, type RunOptions, run, within } from './run.ts';
import type { StatusJson } from './status-json.ts';

const peerCommand = new URL('../../../packages/cli/bin/peer', import.meta.url).pathname;

export interface Address {
  host: string;
  port: number;
}

export interface BoxOptions {
  name: string;
  /** The one address of this box; its services differ by port. */
  host: string;
  /** Inside a network namespace a box has 53 and 25 for itself, and all its commands run there. */
  namespace?: string;
  ports?: Partial<Record<'mesh' | 'dns' | 'smtp' | 'http', number>>;
  /** The command that runs its agent; default: `peer up`. */
  program?: (home: string) => readonly string[];
}

/** One friend's box: a home of its own, the commands of `peer`, and the agent as a child process. */
export interface Box extends AsyncDisposable {
  readonly name: string;
  readonly home: string;
  readonly host: string;
  readonly namespace: string | undefined;
  readonly mesh: Address;
  readonly dns: Address;
  readonly smtp: Address;
  readonly http: Address;
  /** Runs `peer --home HOME …` and gives whatever came out. */
  peer(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Runs a command that must exit 0 and gives its stdout. */
  well(args: readonly string[], options?: RunOptions): Promise<string>;
  /** The JSON answer of a command that must exit 0. */
  json<Answer>(args: readonly string[]): Promise<Answer>;
  init(): Promise<void>;
  /** Starts the agent, with these variables besides, and waits until it is ready. */
  up(env?: NodeJS.ProcessEnv): Promise<void>;
  /** Ends the agent cleanly (SIGTERM) and gives its exit status and how long it took. */
  stop(): Promise<{ code: number | null; tookMs: number }>;
  /** Ends the agent with SIGKILL: no chance to save anything. */
  kill(): Promise<void>;
  status(): Promise<StatusJson>;
  /** Everything the agents of this box wrote so far. */
  log(): string;
  /** Writes a file into the home and gives its path. */
  write(name: string, content: string): string;
  read(name: string): string;
  pid(): number | undefined;
}

function formatted({ host, port }: Address): string {
  return `${host}:${port}`;
}

export function createBox(options: BoxOptions): Box {
  const { name, host, namespace } = options;
  const home = mkdtempSync(join(tmpdir(), `copain-e2e-${name}-`));
  const at = (service: 'mesh' | 'dns' | 'smtp' | 'http', port: number): Address => ({
    host,
    port: options.ports?.[service] ?? port,
  });
  const mesh = at('mesh', 4853);
  const dns = at('dns', namespace === undefined ? 5353 : 53);
  const smtp = at('smtp', namespace === undefined ? 2525 : 25);
  // The status page is for the box itself: other addresses than loopback would need a token.
  const http = { ...at('http', 8853), ...(namespace === undefined ? {} : { host: '127.0.0.1' }) };
  let agent: ChildProcess | undefined;
  let output = '';

  const peer = (args: readonly string[], runOptions: RunOptions = {}): Promise<Ran> =>
    run([peerCommand, '--home', home, ...args], { namespace, ...runOptions });

  async function well(args: readonly string[], runOptions: RunOptions = {}): Promise<string> {
    const ran = await peer(args, runOptions);
    if (ran.code !== 0) {
      throw new Error(`${name}: peer ${args.join(' ')}: exit ${ran.code}\n${ran.stdout}${ran.stderr}`);
    }
    return ran.stdout;
  }

  const json = async <Answer>(args: readonly string[]): Promise<Answer> =>
    JSON.parse(await well([...args, '--json'])) as Answer;

  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async function up(env: NodeJS.ProcessEnv = {}): Promise<void> {
    if (agent) throw new Error(`${name} is up already`);
    const command = options.program?.(home) ?? [peerCommand, '--home', home, 'up'];
    const [program, args] = within(namespace, command);
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    agent = child;
    // Should this process end before its teardown, the agent must not outlive it.
    const endWithUs = (): boolean => child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    output += `--- ${name}: started\n`;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const gone = ended(child).then(() => 'gone' as const);
    const ready = peer(['wait', '--for', 'ready', '--timeout', '30s'], { limitMs: 40_000 });
    const first = await Promise.race([gone, ready]);
    if (first === 'gone' || first.code !== 0) {
      const why =
        first === 'gone' ? `its agent ended with ${child.exitCode}` : `${first.stdout}${first.stderr}`;
      throw new Error(`${name} did not get ready: ${why}\n${output}`);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
    const child = agent;
    if (!child) throw new Error(`${name} is not up`);
    agent = undefined;
    const startMs = performance.now();
    child.kill(signal);
    await ended(child);
    output += `--- ${name}: ended with ${child.exitCode ?? child.signalCode}\n`;
    return { code: child.exitCode, tookMs: performance.now() - startMs };
  }

  return {
    name,
    home,
    host,
    namespace,
    mesh,
    dns,
    smtp,
    http,
    peer,
    well,
    json,
    init: async () => {
      const listening = Object.entries({ mesh, dns, smtp, http }).flatMap(([service, address]) => [
        `--${service}-listen`,
        formatted(address),
      ]);
      await well(['init', '--name', name, ...listening, '--yes']);
    },
    up,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
    status: () => json<StatusJson>(['status']),
    log: () => output,
    write: (file, content) => {
      const path = join(home, file);
      writeFileSync(path, content);
      return path;
    },
    read: (file) => readFileSync(join(home, file), 'utf8'),
    pid: () => agent?.pid,
    [Symbol.asyncDispose]: async () => {
      if (agent) await end('SIGKILL');
      rmSync(home, { recursive: true, force: true });
    },
  };
}
