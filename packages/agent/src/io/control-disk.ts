import { join } from 'node:path';
import { diskFloorBytes } from '@copain/mail';
import { type DiskSegments, openFiles } from '@copain/store/io';
import { diskChecks, type StoreFacts } from '../doctor-disk.ts';
import type { Agent } from './agent.ts';
import { freeBytes, hasBallast } from './ballast.ts';
import type { ControlHandler } from './control-socket.ts';

/** After so many messages whoever waits is told how far it is. */
const toldEvery = 200;

/** Where records that cannot be read lie, in the state folder. */
const damagedFolder = 'mail/damaged';

/** What `--fix` does: each message that it sets aside, and what cannot be helped here, in words. Nothing is deleted. */
async function setAsideDamaged(
  { mail, desk, disk }: Agent,
  stores: readonly StoreFacts[],
): Promise<string[]> {
  const done: string[] = [];
  const folder = join(disk.stateDir, damagedFolder);
  const damaged = stores.flatMap(({ name, damaged: ids }) => ids.map((id) => ({ store: name, id })));
  const files = damaged.length === 0 ? undefined : await openFiles(folder);
  for (const { store, id } of damaged) {
    const name = `${store}-${id}.record`;
    const keep = async (bytes: Uint8Array): Promise<void> => {
      if ((await freeBytes(disk.stateDir)) < diskFloorBytes + bytes.length)
        throw new Error('there is no room');
      await files?.write(name, bytes);
    };
    try {
      const outcome = await mail.setAside({ store, id }, keep);
      if (outcome === 'set aside')
        done.push(
          store === 'held'
            ? `${id}, held for a friend, was set aside as ${join(folder, name)}: he sees that it is missing.`
            : `${id}, queued for your mail server, was set aside as ${join(folder, name)}: a copy that a friend has is taken when it comes.`,
        );
      if (outcome === 'unreadable') done.push(`${id} stays: the disk does not even give its bytes now.`);
    } catch (error) {
      done.push(`${id} stays: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  if (damaged.some(({ store }) => store === 'queued')) await desk.flushFriends();
  return done;
}

/** The agent's half of `peer doctor disk`. */
export function diskHandlers(agent: Agent): Record<'doctor.disk', ControlHandler> {
  return {
    'doctor.disk': async (args, { progress, signal }) => {
      const { held, inbox, index, stateDir } = agent.disk;
      const readStores = async (): Promise<StoreFacts[]> => [
        await readAll('held', held, { signal, progress }),
        await readAll('queued', inbox, { signal, progress }),
      ];
      let stores = await readStores();
      const fixed = args.fix === true ? await setAsideDamaged(agent, stores) : [];
      if (fixed.length > 0) stores = await readStores();
      const free = await freeBytes(stateDir).catch(() => undefined);
      const reserve = await hasBallast(stateDir);
      return {
        fixed,
        checks: diskChecks({ freeBytes: free, floorBytes: diskFloorBytes, reserve, stores, index }),
      };
    },
  };
}

/** Reads every record that there is, one at a time, and holds each against its checksum. */
async function readAll(
  name: StoreFacts['name'],
  segments: DiskSegments,
  { signal, progress }: { signal: AbortSignal; progress: (text: string) => void },
): Promise<StoreFacts> {
  const damaged: string[] = [];
  let [messages, bytes] = [0, 0];
  for await (const { id, sizeBytes } of segments.entries()) {
    if (signal.aborted) break;
    try {
      // What was handed over or delivered since the list was begun is no loss.
      if ((await segments.read(id)) === undefined) continue;
    } catch {
      damaged.push(id);
    }
    messages += 1;
    bytes += sizeBytes;
    if (messages % toldEvery === 0) progress(`${messages} messages read`);
  }
  return { name, messages, bytes, damaged, damagedAtStart: segments.damagedRecords };
}
