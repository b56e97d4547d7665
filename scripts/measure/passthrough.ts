import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { changingZone } from '../../test/e2e/lib/line.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { startNetwork } from '../../test/e2e/lib/network.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { run, within } from '../../test/e2e/lib/run.ts';
import { join, takesMail } from '../../test/e2e/lib/scene.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { statusNow } from './box-status.ts';
import { measureCrowd } from './crowd.ts';
import type { Figures } from './figures.ts';
import { domain, heldAt } from './mail-circle.ts';
import { sendLoad } from './mail-load.ts';
import { peakMiB, resetPeak, rssMiB } from './process-use.ts';

const recipient = `u@${domain}`;
/** A little less than the largest message that is taken. */
const largeBytes = 49_000_000;

/**
 * What large mail, a narrow line and a crowd cost: memory of friend and owner while a message of 49 MB passes and while it
 * is held; zone changes while one of 20 MB fills an uplink of 128 kbit/s (which takes 22 minutes; 1 MB with `quick`); the
 * banner for a newcomer beside 1,000 idle connections, with Postfix beside us.
 */
export async function measurePassing(figures: Figures, options: { quick: boolean }): Promise<void> {
  const programs = ['ip', 'bridge', 'tc', 'dig', 'postfix', 'smtp-source', 'smtp-sink'];
  const lacking = whyNot({ programs, root: true }, 'passing mail through');
  if (lacking !== undefined) throw new Error(lacking);
  await measureLarge(figures);
  await measureCrowd(figures);
  await measureNarrow(figures, options.quick ? 1_000_000 : 20_000_000);
}

async function measureLarge({ record }: Figures): Promise<void> {
  await using running = new AsyncDisposableStack();
  const block = await freshBlock();
  const alice = running.use(createBox({ name: 'alice', host: block.of(1) }));
  const bob = running.use(createBox({ name: 'bob', host: block.of(2) }));
  {
    await using _mta = await startSink({ host: alice.host, port: 2526 });
    await together(alice, bob, alice.host);
    await grown(bob, [alice, bob], 4096);
    const passed = await grown(bob, [alice, bob], largeBytes);
    record('49 MB passed through: memory grows at the owner by', 'MiB', [passed.grownMiB[0] ?? 0]);
    record('49 MB passed through: memory grows at the friend by', 'MiB', [passed.grownMiB[1] ?? 0]);
    record('49 MB passed through', 'MB/s', [largeBytes / 1e6 / passed.seconds]);
    if ((await heldAt(bob)) !== 0) throw new Error('bob held what he should have passed through');
  }
  await alice.stop();
  await grown(bob, [bob], 4096);
  const held = await grown(bob, [bob], largeBytes);
  record('49 MB held: memory grows at the friend by', 'MiB', held.grownMiB);
  record('49 MB held', 'MB/s', [largeBytes / 1e6 / held.seconds]);
  if ((await heldAt(bob)) !== 2) throw new Error('bob does not hold both messages');
}

/** Sends one message and gives how far memory of these boxes rose at most above what it was. */
async function grown(
  to: Box,
  boxes: readonly Box[],
  sizeBytes: number,
): Promise<{ seconds: number; grownMiB: number[] }> {
  await pause(3000);
  const pids = boxes.map((box) => box.pid() ?? 0);
  const before = pids.map(rssMiB);
  for (const pid of pids) resetPeak(pid);
  const seconds = await sendLoad(to.smtp, recipient, {
    messages: 1,
    sizeBytes,
    sessions: 1,
    keepSessions: true,
  });
  return { seconds, grownMiB: pids.map((pid, index) => peakMiB(pid) - (before[index] ?? 0)) };
}

async function measureNarrow({ record }: Figures, sizeBytes: number): Promise<void> {
  await using running = new AsyncDisposableStack();
  const network = running.use(await startNetwork(['alice', 'bob', 'sender'], { prefix: '203.0.113' }));
  const boxes = ['alice', 'bob'].map((name) =>
    running.use(createBox({ name, host: network.host(name), namespace: network.namespace(name) })),
  );
  const [alice, bob] = boxes as [Box, Box];
  const [sender, host] = [network.namespace('sender'), network.host('bob')];
  running.use(await startSink({ host: '127.0.0.1', port: 2526 }, alice.namespace));
  await together(alice, bob, '127.0.0.1');
  const origin = 'bob.example';
  const zone = changingZone({ origin, owner: bob, secondary: alice, ns1: alice.host, ns2: bob.host });
  await bob.well(['zone', 'add', origin, '--file', zone.save()]);
  await zone.changeMs();
  await network.narrow('bob', '128kbit', '2s');
  let done = false;
  const load = { messages: 1, sizeBytes, sessions: 1, keepSessions: true };
  const sending = sendLoad({ host, port: bob.smtp.port }, recipient, load, sender, 3_600_000).finally(() => {
    done = true;
  });
  await pause(5000);
  const changes: number[] = [];
  // Checked by `done`, which the message's end sets.
  while (!isDone()) {
    changes.push(await zone.changeMs());
    await pause(5000);
  }
  const seconds = await sending;
  const name = `${sizeBytes / 1e6} MB passed through at 128 kbit/s`;
  record(`${name}: a zone change meanwhile`, 'ms', changes);
  record(`${name}: of the line`, '%', [(100 * 8 * sizeBytes) / seconds / 128_000]);
  const { friends } = await statusNow(bob);
  if ((await heldAt(bob)) !== 0 || friends.some(({ state }) => !isHeard(state)))
    throw new Error('the message was held, or alice was doubted');
  function isDone(): boolean {
    return done;
  }
}

async function together(alice: Box, bob: Box, mtaHost: string): Promise<void> {
  for (const box of [alice, bob]) {
    await box.init();
    await box.up();
  }
  await join(bob, alice);
  await alice.well(['mail', 'add', domain, '--deliver', `${mtaHost}:2526`]);
  await takesMail(bob, domain);
}

/** Postfix's own smtp-sink: takes every message and forgets it. */
async function startSink(at: Address, namespace?: string): Promise<AsyncDisposable> {
  const [program, args] = within(namespace, ['smtp-sink', '-u', 'postfix', `${at.host}:${at.port}`, '100']);
  const child = spawn(program, args, { stdio: 'ignore' });
  const port = at.port.toString(16).toUpperCase().padStart(4, '0');
  await eventually('smtp-sink listens', async () => {
    const { stdout } = await run(['cat', '/proc/net/tcp'], { namespace });
    return stdout.split('\n').some((line) => line.includes(`:${port} `) && line.includes(' 0A '));
  });
  return {
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
