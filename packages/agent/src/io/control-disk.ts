import { diskFloorBytes } from '@copain/mail';
import type { DiskSegments } from '@copain/store/io';
import { diskChecks, type StoreFacts } from '../doctor-disk.ts';
import type { Agent } from './agent.ts';
import { freeBytes, hasBallast } from './ballast.ts';
import type { ControlHandler } from './control-socket.ts';

/** Ids of unreadable messages that are shown. */
const shownMax = 5;
/** After so many messages whoever waits is told how far it is. */
const toldEvery = 200;

/** The agent's half of `peer doctor disk`. */
export function diskHandlers(agent: Agent): Record<'doctor.disk', ControlHandler> {
  return {
    'doctor.disk': async (_args, { progress, signal }) => {
      const { held, inbox, index, stateDir } = agent.disk;
      const stores: StoreFacts[] = [];
      for (const [name, segments] of [
        ['held', held],
        ['queued', inbox],
      ] as const)
        stores.push(await readAll(name, segments, { signal, progress }));
      const free = await freeBytes(stateDir).catch(() => undefined);
      const reserve = await hasBallast(stateDir);
      return {
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
  const unreadable: string[] = [];
  let [messages, bytes, unreadableCount] = [0, 0, 0];
  for await (const { id, sizeBytes } of segments.entries()) {
    if (signal.aborted) break;
    try {
      // What was handed over or delivered since the list was begun is no loss.
      if ((await segments.read(id)) === undefined) continue;
    } catch {
      unreadableCount += 1;
      if (unreadable.length < shownMax) unreadable.push(id);
    }
    messages += 1;
    bytes += sizeBytes;
    if (messages % toldEvery === 0) progress(`${messages} messages read`);
  }
  return { name, messages, bytes, unreadable, unreadableCount, damagedAtStart: segments.damagedRecords };
}
