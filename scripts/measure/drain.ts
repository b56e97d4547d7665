import { setTimeout as pause } from 'node:timers/promises';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { startNetwork } from '../../test/e2e/lib/network.ts';
import { type Postfix, startPostfix } from '../../test/e2e/lib/postfix.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { type RecordingMta, startRecordingMta } from '../../test/e2e/lib/recording-mta.ts';
import { join, takesMail } from '../../test/e2e/lib/scene.ts';
import { isHeard } from '../../test/e2e/lib/status-json.ts';
import { statusNow } from './box-status.ts';
import type { Figures } from './figures.ts';
import { measureManyHeld } from './held-many.ts';
import { domain, heldAt } from './mail-circle.ts';
import { sendLoad } from './mail-load.ts';

const messages = 60;
const load = { messages, sizeBytes: 4096, sessions: 5, keepSessions: true };
const recipient = `u@${domain}`;

/**
 * How soon held mail is at the owner's mail server once she is back: her agent started again, or her line healed; with
 * `whole` beside a stock Postfix whose primary was away for a minute, which takes ten. Then a box that holds 100,000.
 */
export async function measureDraining(
  figures: Figures,
  options: { rounds: number; quick: boolean; whole: boolean },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'postfix', 'smtp-source'], root: true }, 'draining');
  if (lacking !== undefined) throw new Error(lacking);
  const rounds = options.quick ? 1 : options.rounds;
  await measureRestarts(figures, rounds);
  await measureHealedLine(figures, { rounds, cutMs: options.quick ? 20_000 : 60_000 });
  if (options.whole) await measurePostfix(figures);
  await measureManyHeld(figures, options.quick ? 10_000 : 100_000);
}

async function measureRestarts({ record }: Figures, rounds: number): Promise<void> {
  await using running = new AsyncDisposableStack();
  const block = await freshBlock();
  const alice = running.use(createBox({ name: 'alice', host: block.of(1) }));
  const bob = running.use(createBox({ name: 'bob', host: block.of(2) }));
  const mta = running.use(await startRecordingMta({ address: { host: alice.host, port: 2526 } }));
  await together(alice, bob);
  const first: number[] = [];
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await alice.stop();
    await hold(bob);
    const before = mta.messages.length;
    const backMs = performance.now();
    await alice.up();
    const arrived = await arrivals(mta, before);
    first.push((arrived[0] ?? 0) - backMs);
    all.push((arrived.at(-1) ?? 0) - backMs);
    await eventually('bob holds nothing', async () => (await heldAt(bob)) === 0);
  }
  record(`drain: first of ${messages} at the MTA, after \`peer up\``, 'ms', first);
  record(`drain: all of ${messages} at the MTA, after \`peer up\``, 'ms', all);
}

async function measureHealedLine(
  { record }: Figures,
  { rounds, cutMs }: { rounds: number; cutMs: number },
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const network = running.use(await startNetwork(['alice', 'bob', 'sender'], { prefix: '203.0.113' }));
  const boxes = ['alice', 'bob'].map((name) =>
    running.use(createBox({ name, host: '0.0.0.0', namespace: network.namespace(name) })),
  );
  const [alice, bob] = boxes as [Box, Box];
  const postfix = running.use(
    await startPostfix({
      name: 'mta',
      address: { host: '127.0.0.1', port: 2526 },
      namespace: network.namespace('alice'),
      owner: { domain, users: ['u'] },
    }),
  );
  await together(alice, bob, '127.0.0.1');
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await network.cut('alice');
    await eventually('bob noticed', async () => !(await seesUp(bob)), 120_000);
    await hold(bob, network.namespace('sender'), network.host('bob'));
    await pause(cutMs);
    const before = postfix.mailbox('u').length;
    await network.heal('alice');
    const healedMs = performance.now();
    await eventually(
      'all is in her mailbox',
      () => postfix.mailbox('u').length === before + messages,
      120_000,
    );
    all.push(performance.now() - healedMs);
    await eventually('bob sees her up', () => seesUp(bob), 60_000);
  }
  record(`drain: all of ${messages} in the mailbox, line healed after ${cutMs / 1000} s`, 'ms', all);
}

/** Stock clocks: the next look at the queue comes every 300 s, the next try after 300 s at the earliest. */
async function measurePostfix({ record }: Figures): Promise<void> {
  await using running = new AsyncDisposableStack();
  const block = await freshBlock();
  const primary = { host: block.of(1), port: 2526 };
  const address = { host: block.of(3), port: 2527 };
  const backup: Postfix = running.use(
    await startPostfix({ name: 'backup', address, backup: { domain, primary } }),
  );
  const startMs = performance.now();
  for (let index = 0; index < messages; index++) {
    await sendLoad(backup.address, recipient, { ...load, messages: 1 });
    await pause(Math.max(0, startMs + (index + 1) * 1000 - performance.now()));
  }
  const mta = running.use(await startRecordingMta({ address: primary }));
  const backMs = performance.now();
  const arrived = await arrivals(mta, 0, 900_000);
  record(`drain: Postfix, first of ${messages}, primary back after 60 s`, 'ms', [(arrived[0] ?? 0) - backMs]);
  record(`drain: Postfix, all of ${messages}, primary back after 60 s`, 'ms', [
    (arrived.at(-1) ?? 0) - backMs,
  ]);
}

async function together(alice: Box, bob: Box, mtaHost = alice.host): Promise<void> {
  for (const box of [alice, bob]) {
    await box.init();
    await box.up();
  }
  await join(bob, alice);
  await alice.well(['mail', 'add', domain, '--deliver', `${mtaHost}:2526`]);
  await takesMail(bob, domain);
}

const seesUp = async (box: Box): Promise<boolean> =>
  (await statusNow(box)).friends.every((friend) => isHeard(friend.state));

async function hold(bob: Box, namespace?: string, host = bob.smtp.host): Promise<void> {
  await sendLoad({ host, port: bob.smtp.port }, recipient, load, namespace);
  await eventually('bob holds all', async () => (await heldAt(bob)) === messages);
}

/** When each of the next messages came, in order. */
async function arrivals(mta: RecordingMta, before: number, withinMs = 120_000): Promise<number[]> {
  await eventually('all have arrived', () => mta.messages.length >= before + messages, withinMs);
  return mta.messages.slice(before).map(({ atMs }) => atMs);
}
