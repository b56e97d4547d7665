import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type IndexFound, openIndexTable, openSegments } from '@copain/store/io';
import type { Stores } from './testing.ts';

/** Real stores in a folder, opened as the agent does; `segmentBytes`: when a segment is sealed. */
export async function openStores(
  dir: string,
  options: { segmentBytes?: number } = {},
): Promise<Stores & { found: IndexFound } & AsyncDisposable> {
  const { table, found } = await openIndexTable(join(dir, 'table'), {
    damaged: () => {},
    mayRepair: async () => true,
  });
  const stores = {
    segments: await openSegments(join(dir, 'held'), options),
    inbox: await openSegments(join(dir, 'inbox'), options),
    table,
  };
  return {
    ...stores,
    found,
    [Symbol.asyncDispose]: async () => {
      for (const store of Object.values(stores)) await store.close();
    },
  };
}

/** Bob's box in a process of its own, which can be killed. */
export interface FriendProcess {
  readonly port: number;
  readonly child: ChildProcess;
  /** kill -9, whatever it runs under; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts it on the stores in `dir`; `under`: a program that runs it, with its arguments. */
export async function startFriendProcess(
  dir: string,
  recipient: string,
  { under = [], env = {} }: { under?: readonly string[]; env?: Record<string, string> } = {},
): Promise<FriendProcess> {
  const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const program = `
    import { startFriend } from ${here('./testing.ts')};
    import { openStores } from ${here('./testing-process.ts')};
    const stores = await openStores(${JSON.stringify(dir)});
    const friend = await startFriend({ recipient: ${JSON.stringify(recipient)}, stores });
    console.log(friend.address.port + ' ' + process.pid);`;
  const [command, ...args] = [
    ...under,
    process.execPath,
    '--conditions=@copain/source',
    '--input-type=module',
    '--eval',
    program,
  ];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
    env: { ...process.env, ...env },
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [port = 0, pid = 0] = line.split(' ').map(Number);
  return {
    port,
    child,
    kill: async () => {
      process.kill(pid, 'SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
