import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openSegments } from '@copain/store/io';
import { decodeSpoolRecord, encodeSpoolRecord } from '../../packages/mail/src/spool-record.ts';
import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { statusNow } from './box-status.ts';
import type { Figures } from './figures.ts';
import { awayOwner, domain, heldAt } from './mail-circle.ts';
import { sendLoad } from './mail-load.ts';
import { cpuSeconds, rssMiB } from './process-use.ts';

/** Messages that are really accepted; the others are these again under tags of their own. */
const accepted = 100;
/** Appended at once: as many as one group commit takes. */
const group = 1000;

/** A box that holds this many messages of 1 KB: how long it starts, what it keeps in memory, how long a list takes. */
export async function measureManyHeld({ record }: Figures, messages: number): Promise<void> {
  const block = await freshBlock();
  await using box = createBox({ name: 'bob', host: block.of(2) });
  await awayOwner(box, block.of(1));
  await box.stop();
  const emptyMs = await startMs(box);
  const emptyCpuSeconds = cpuSeconds(box.pid() ?? 0);
  const emptyMiB = rssMiB(box.pid() ?? 0);
  const load = { messages: accepted, sizeBytes: 1024, sessions: 5, keepSessions: true };
  await sendLoad(box.smtp, `u@${domain}`, load);
  await box.stop();
  await multiply(join(box.home, 'state/mail/held'), messages - accepted);

  record(`${messages} held: first start, which counts what was never counted`, 'ms', [await startMs(box)]);
  await box.stop();
  record('none held: start', 'ms', [emptyMs]);
  record(`${messages} held: start`, 'ms', [await startMs(box)]);
  record('none held: processor until it is ready', 's', [emptyCpuSeconds]);
  record(`${messages} held: processor until it is ready`, 's', [cpuSeconds(box.pid() ?? 0)]);
  const held = await heldAt(box);
  if (held !== messages) throw new Error(`${held} messages are held, not ${messages}`);
  const before = rssMiB(box.pid() ?? 0);
  const lists: number[] = [];
  const statuses: number[] = [];
  for (let round = 0; round < 5; round++) {
    lists.push(await timed(() => box.well(['mail', 'list', '--here'])));
    statuses.push(await timed(() => statusNow(box)));
  }
  record('none held: resident memory after the start', 'MiB', [emptyMiB]);
  record(`${messages} held: resident memory after the start`, 'MiB', [before]);
  record(`${messages} held: and after five lists`, 'MiB', [rssMiB(box.pid() ?? 0)]);
  record(`${messages} held: peer mail list`, 'ms', lists);
  record(`${messages} held: status from the agent`, 'ms', statuses);
}

const startMs = (box: Box): Promise<number> => timed(() => box.up());

async function timed(work: () => Promise<unknown>): Promise<number> {
  const sinceMs = performance.now();
  await work();
  return performance.now() - sinceMs;
}

/** Appends `more` records to the spool of a box that is stopped: what it has, each time with another tag. */
async function multiply(dir: string, more: number): Promise<void> {
  const segments = await openSegments(dir);
  const records: Uint8Array[] = [];
  for await (const { id } of segments.entries()) {
    const bytes = await segments.read(id);
    if (bytes) records.push(bytes);
  }
  const another = (index: number): Uint8Array => {
    const decoded = decodeSpoolRecord(records[index % records.length] ?? new Uint8Array());
    if (!decoded) throw new Error('a record of the spool does not decode');
    return encodeSpoolRecord({ ...decoded.header, tags: [new Uint8Array(randomBytes(16))] }, decoded.sealed);
  };
  for (let at = 0; at < more; at += group) {
    const size = Math.min(group, more - at);
    const appends = Array.from({ length: size }, (_, index) => segments.append(another(at + index)));
    for (const outcome of await Promise.all(appends)) if (outcome.kind === 'failed') throw outcome.cause;
  }
  await segments.close();
}
