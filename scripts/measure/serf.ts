import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import type { Network } from '../../test/e2e/lib/network.ts';
import { run, within } from '../../test/e2e/lib/run.ts';

const rpc = '-rpc-addr=127.0.0.1:7373';

/** A serf agent in a namespace. */
export interface SerfAgent extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  start(): void;
  /** kill -9. */
  kill(): Promise<void>;
  /** Names of those whom it calls so. */
  members(status: 'alive' | 'failed'): Promise<string[]>;
}

function serfAgent(network: Network, name: string, first: string): SerfAgent {
  const bind = `-bind=${network.host(name)}:7946`;
  const line = ['serf', 'agent', `-node=${name}`, bind, rpc, '-profile=wan', `-retry-join=${first}`];
  const [program, args] = within(network.namespace(name), line);
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  };
  return {
    name,
    get pid() {
      return child?.pid ?? 0;
    },
    start: () => {
      child = spawn(program, args, { stdio: 'ignore' });
    },
    kill,
    members: async (status) => {
      const command = ['serf', 'members', `-status=${status}`, rpc];
      const { stdout } = await run(command, { namespace: network.namespace(name) });
      return stdout.split('\n').flatMap((row) => (row === '' ? [] : (row.split(/\s+/)[0] ?? [])));
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** One agent of serf's WAN profile, its quietest, for each name; resolves when all see all. */
export async function startSerf(
  network: Network,
  names: readonly string[],
  use: (agent: SerfAgent) => SerfAgent,
): Promise<SerfAgent[]> {
  const first = network.host(names[0] ?? '');
  const agents = names.map((name) => use(serfAgent(network, name, first)));
  for (const agent of agents) agent.start();
  await allAlive(agents);
  return agents;
}

/** Waits until each of these sees as many members as there are. */
export async function allAlive(agents: readonly SerfAgent[]): Promise<void> {
  for (const agent of agents) {
    await eventually(
      `${agent.name} of serf sees everybody`,
      async () => (await agent.members('alive')).length === agents.length,
      300_000,
    );
  }
}
