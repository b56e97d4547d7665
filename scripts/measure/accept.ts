import { setTimeout as pause } from 'node:timers/promises';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { startPostfix } from '../../test/e2e/lib/postfix.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { temporaryFolder } from '../../test/e2e/lib/temporary-folder.ts';
import type { Figures } from './figures.ts';
import { awayOwner, domain, heldAt } from './mail-circle.ts';
import { type MailLoad, sendLoad } from './mail-load.ts';
import { familyCpuSeconds } from './process-cost.ts';
import { rssMiB } from './process-use.ts';
import { slowFlushes } from './slow-flush.ts';

const recipient = `u@${domain}`;

interface Case {
  name: string;
  load: MailLoad;
  slowly?: boolean;
}

/** `scale` 1: the whole; a quick run sends a fraction of it. */
function casesOf(scale: number): Case[] {
  const load = (messages: number, more: Partial<MailLoad> = {}): MailLoad => ({
    messages: Math.round(messages * scale),
    sizeBytes: 4096,
    sessions: 20,
    keepSessions: true,
    ...more,
  });
  return [
    { name: '4 KB, 20 kept sessions', load: load(2000) },
    { name: '64 KB, 20 kept sessions', load: load(600, { sizeBytes: 65_536 }) },
    { name: '4 KB, a connection each', load: load(1000, { keepSessions: false }) },
    { name: '4 KB, 20 kept, flushes of 10 ms in turn', load: load(400), slowly: true },
  ];
}

/** Whoever takes mail while the domain's own server is away. */
interface Holder {
  address: Box['smtp'];
  pid: () => number;
  held: () => Promise<number>;
  /** Forgets what it holds, where it can, so that no retry falls into a measurement. */
  clear: () => Promise<void>;
}

interface Taken {
  perSecond: number;
  cpuMs: number;
}

/**
 * Messages a second that a friend's box takes, seals and stores while the owner is away, with a stock Postfix as the backup
 * MX beside it: the same load by turns, all acknowledged mail counted. Every message of ours is sealed: there is no way in
 * which one would be stored in clear.
 */
export async function measureAccepting(
  { record }: Figures,
  options: { rounds: number; quick: boolean },
): Promise<void> {
  const lacking = whyNot({ programs: ['postfix', 'smtp-source', 'cc'], root: true }, 'accepting mail');
  if (lacking !== undefined) throw new Error(lacking);
  await using running = new AsyncDisposableStack();
  const block = await freshBlock();
  const folder = running.use(temporaryFolder('slow-flush'));
  const slow = await slowFlushes(folder.path);
  const box = running.use(createBox({ name: 'bob', host: block.of(2) }));
  await awayOwner(box, block.of(1));
  const primary = { host: block.of(1), port: 2526 };

  const bob: Holder = {
    address: box.smtp,
    pid: () => box.pid() ?? 0,
    held: () => heldAt(box),
    clear: async () => {},
  };
  for (const slowly of [false, true]) {
    const env = slowly ? slow : {};
    await using postfix = await startPostfix({
      name: 'backup',
      address: { host: block.of(3), port: 2527 },
      backup: { domain, primary },
      env,
    });
    const peer: Holder = {
      address: postfix.address,
      pid: () => postfix.pid(),
      held: async () => postfix.queued(),
      clear: () => postfix.purge(),
    };
    await box.stop();
    await box.up(env);
    for (const one of casesOf(options.quick ? 0.4 : 1)) {
      if ((one.slowly ?? false) !== slowly) continue;
      const ours: Taken[] = [];
      const theirs: Taken[] = [];
      for (let round = 0; round < options.rounds; round++) {
        theirs.push(await take(peer, one.load));
        ours.push(await take(bob, one.load));
      }
      tell(record, one.name, ours, theirs);
    }
    if (!slowly) record('the agent after all of that: resident memory', 'MiB', [rssMiB(bob.pid())]);
  }
}

function tell(
  record: Figures['record'],
  name: string,
  ours: readonly Taken[],
  theirs: readonly Taken[],
): void {
  const rates = (taken: readonly Taken[]): number[] => taken.map(({ perSecond }) => perSecond);
  const costs = (taken: readonly Taken[]): number[] => taken.map(({ cpuMs }) => cpuMs);
  record(`accept, ${name}: copain, sealed`, '/s', rates(ours));
  record(`accept, ${name}: Postfix`, '/s', rates(theirs));
  const ratios = rates(ours).map((rate, round) => rate / (theirs[round]?.perSecond ?? Number.NaN));
  record(`accept, ${name}: copain to Postfix`, 'x', ratios);
  record(`accept, ${name}: processor, copain`, 'ms', costs(ours));
  record(`accept, ${name}: processor, Postfix`, 'ms', costs(theirs));
}

async function take(holder: Holder, load: MailLoad): Promise<Taken> {
  await sendLoad(holder.address, recipient, { ...load, messages: 40 });
  await pause(1000);
  const before = await holder.held();
  const cpuBefore = familyCpuSeconds(holder.pid());
  const seconds = await sendLoad(holder.address, recipient, load);
  // What is put off until after the answer is counted too.
  await pause(2000);
  const cpuMs = (1000 * (familyCpuSeconds(holder.pid()) - cpuBefore)) / load.messages;
  await eventually('all that was acknowledged is held', async () => {
    const held = (await holder.held()) - before;
    return held === load.messages;
  });
  await holder.clear();
  return { perSecond: load.messages / seconds, cpuMs };
}
