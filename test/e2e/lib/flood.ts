import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { within } from './run.ts';

/** What a crowd of strangers does. */
export interface FloodOrder {
  peer: string;
  host: string;
  port: number;
  perSecond: number;
  forMs: number;
  /** In turn. `full`: Noise to its end, with a key that no circle knows; `half`: its first message; `silent`: none. */
  kinds: readonly ('full' | 'half' | 'silent')[];
  /** The first two numbers of source addresses (`198.18`), 250 of them, each of another /24; otherwise the box's own. */
  spread?: string;
}

/** `handshakes`: how often Noise came to its end, of all that were opened. */
export interface FloodCount {
  opened: number;
  refused: number;
  handshakes: number;
  /** Connections opened a second. */
  rate: number;
}

/** A crowd at work. */
export interface Flood extends AsyncDisposable {
  /** Resolves when its time is over. */
  ended: Promise<FloodCount>;
}

const worker = new URL('./flood-worker.ts', import.meta.url).pathname;

/** Starts it as a process of its own inside a namespace. */
export function startFlood(namespace: string | undefined, order: FloodOrder): Flood {
  const [program, args] = within(namespace, [
    process.execPath,
    '--conditions=@copain/source',
    '--no-warnings',
    worker,
    JSON.stringify(order),
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const endWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const exited = once(child, 'exit').finally(() => process.off('exit', endWithUs));
  const ended = exited.then(() => {
    const last = output.trim().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new Error(`the flood ended without a word: ${errors}`);
    return JSON.parse(last) as FloodCount;
  });
  ended.catch(() => undefined);
  return {
    ended,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
