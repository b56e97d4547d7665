import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { run, runWell, within } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** The chains that miniupnpd writes its rules to, beside those of the router that masquerade. */
const chains = `
  table inet filter {
    chain miniupnpd { }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
    chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  }`;

/** What a home router passes on because it was asked to: the daemon of many of them, in the router's namespace. */
export interface HomeRouter extends AsyncDisposable {
  /** Its rules for ports that are passed on, as nft prints them. */
  passedOn(): Promise<string>;
  /** It starts anew, and has forgotten what it granted. */
  restart(): Promise<void>;
}

/** Starts miniupnpd between `lan` and `wan` of a namespace, offering NAT-PMP, UPnP or both. */
export async function startHomeRouter(
  namespace: string,
  offers: { natPmp: boolean; upnp: boolean },
): Promise<HomeRouter> {
  const folder = temporaryFolder('router');
  const config = join(folder.path, 'miniupnpd.conf');
  writeFileSync(
    config,
    [
      'ext_ifname=wan',
      'listening_ip=lan',
      `enable_natpmp=${offers.natPmp ? 'yes' : 'no'}`,
      `enable_upnp=${offers.upnp ? 'yes' : 'no'}`,
      'secure_mode=yes',
      'min_lifetime=120',
      'max_lifetime=86400',
      'uuid=0d5e2f33-6c3c-4a70-8c3f-0123456789ab',
      'allow 1024-65535 192.168.1.0/24 1024-65535',
      'deny 0-65535 0.0.0.0/0 0-65535',
      '',
    ].join('\n'),
  );
  await runWell(['nft', chains], { namespace });
  const start = async () => {
    const pidFile = join(folder.path, 'pid');
    const [program, args] = within(namespace, ['miniupnpd', '-d', '-f', config, '-P', pidFile]);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    const port = offers.natPmp ? 5351 : 1900;
    await eventually(
      'the router listens',
      async () => {
        if (child.exitCode !== null) throw new Error(`miniupnpd ended: ${said}`);
        const { stdout } = await run(['ss', '-Hlun', `sport = :${port}`], { namespace });
        return stdout.includes(`:${port}`);
      },
      10_000,
    );
    return child;
  };
  const end = async (daemon: Awaited<ReturnType<typeof start>>): Promise<void> => {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await ended;
  };
  let daemon = await start();
  return {
    passedOn: () =>
      runWell(['nft', 'list', 'chain', 'inet', 'filter', 'prerouting_miniupnpd'], { namespace }),
    restart: async () => {
      await end(daemon);
      for (const chain of ['miniupnpd', 'prerouting_miniupnpd', 'postrouting_miniupnpd'])
        await runWell(['nft', 'flush', 'chain', 'inet', 'filter', chain], { namespace });
      daemon = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await end(daemon);
      await folder[Symbol.asyncDispose]();
    },
  };
}
