import type { Connection } from '@libp2p/interface';
import { paceEchoMs, paceFromBytes, paceRestMs } from '../limits.ts';
import { acknowledgementCost, type TrafficClass, trafficRanks, wireCost } from '../line-scheduler.ts';
import { chunkArrived, chunkWritten, roomBytes, startSendWindow } from '../send-window.ts';
import { echoMs } from './connection-echo.ts';
import type { Line } from './line.ts';

/** Leave to write so many bytes; whoever has it says what became of it. */
interface PaceGrant {
  sizeBytes: number;
  settle(written: boolean): void;
}

/** Keeps what is under way on one connection short, whatever queues the kernel and the modem offer. */
export interface ConnectionPace {
  /** Resolves when some of these bytes may be written. Urgent classes go first. */
  room(trafficClass: TrafficClass, wantedBytes: number, signal: AbortSignal): Promise<PaceGrant>;
}

interface Waiter {
  trafficClass: TrafficClass;
  wantedBytes: number;
  go(grant: PaceGrant): void;
}

/** Beats and what is small go at once; bulk has acknowledgements of its own. */
const paced: readonly TrafficClass[] = ['dns', 'live-mail', 'relayed', 'held-mail'];

const paces = new WeakMap<Connection, ConnectionPace>();

/** The one pace of this connection. */
export function paceOf(connection: Connection, line: Line): ConnectionPace {
  const there = paces.get(connection);
  if (there !== undefined) return there;
  const made = startPace(connection, line);
  paces.set(connection, made);
  return made;
}

/**
 * A yamux ping goes along behind the bytes, one at a time, and its answer says that they have arrived: no protocol
 * needs acknowledgements of its own, and every version answers. Half a second of the line is under way at most.
 */
function startPace(connection: Connection, line: Line): ConnectionPace {
  let window = startSendWindow(performance.now());
  let promisedBytes = 0;
  let lastAtMs = performance.now();
  let echoing = false;
  /** Where pings are not answered, nothing is known and nobody waits. */
  let blind = false;
  let waiting: Waiter[] = [];

  const grant = (sizeBytes: number): PaceGrant => {
    promisedBytes += sizeBytes;
    let settled = false;
    return {
      sizeBytes,
      settle: (written) => {
        if (settled) return;
        settled = true;
        promisedBytes -= sizeBytes;
        if (written) window = chunkWritten(window, sizeBytes, performance.now());
        serve();
      },
    };
  };

  const serve = (): void => {
    for (const rank of trafficRanks) {
      for (const waiter of waiting.filter((one) => rank.includes(one.trafficClass))) {
        const room = blind ? waiter.wantedBytes : roomBytes(window, promisedBytes);
        if (room === 0) break;
        waiting = waiting.filter((one) => one !== waiter);
        waiter.go(grant(Math.min(room, waiter.wantedBytes)));
      }
    }
    void echo();
  };

  const echo = async (): Promise<void> => {
    const underWay = window.writtenBytes - window.arrivedBytes;
    const isNeeded = underWay >= paceFromBytes || (waiting.length > 0 && underWay > 0);
    if (echoing || blind || !isNeeded) return;
    echoing = true;
    const upToBytes = window.writtenBytes;
    line.spent(wireCost(0) + acknowledgementCost(1));
    try {
      await echoMs(connection, AbortSignal.timeout(paceEchoMs));
      window = chunkArrived(window, upToBytes, performance.now());
    } catch {
      blind = true;
    }
    echoing = false;
    serve();
  };

  return {
    room: async (trafficClass, wantedBytes, signal) => {
      if (!paced.includes(trafficClass)) return { sizeBytes: wantedBytes, settle: () => {} };
      signal.throwIfAborted();
      const nowMs = performance.now();
      // After a rest the line may be another one; what is known of the old one would only mislead.
      const isRested = nowMs - lastAtMs > paceRestMs;
      if (isRested && !echoing && waiting.length === 0 && promisedBytes === 0)
        window = startSendWindow(nowMs);
      lastAtMs = nowMs;
      const turn = Promise.withResolvers<PaceGrant>();
      const waiter: Waiter = { trafficClass, wantedBytes, go: turn.resolve };
      const giveUp = (): void => {
        waiting = waiting.filter((one) => one !== waiter);
        turn.reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      waiting.push(waiter);
      serve();
      try {
        return await turn.promise;
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
  };
}
