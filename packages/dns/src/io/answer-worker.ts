import type { Socket } from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';
import { type Answerer, createAnswerer } from '../answer.ts';
import { AnswerCounts } from '../answer-counts.ts';
import { forwardsPerSecondMax, limitedNetworksMax } from '../limits.ts';
import { needsMain } from '../needs-main.ts';
import { RateLimiter } from '../rate-limit.ts';
import type { ServedZone } from '../resolve.ts';
import type { Zone } from '../zone.ts';
import { decodeZone } from '../zone-encoding.ts';
import { sha1 } from './hash.ts';
import { answerDatagrams, openUdp } from './udp-answering.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts';

/** One thread of an `AnswerPool`: answers over UDP from the zones it is given, and passes on what is not for it. */

const setup = workerData as WorkerSetup;
const options = {
  sha1,
  identity: setup.identity,
  cookies: setup.secrets,
  limiter: new RateLimiter(setup.answersPerSecond, limitedNetworksMax, setup.limiterMemory),
  counts: new AnswerCounts(setup.countsMemory),
};
const sockets = new Map<string, Socket>();
/** Endpoints that are open, or being opened. */
const opened = new Set<string>();
const zones = new Map<number, Zone>();
const prepared = new Map<number, Answerer>();
let answerer: Answerer = createAnswerer([], options);
let forwards = { second: 0, count: 0 };

function tell(message: FromWorker): void {
  parentPort?.postMessage(message);
}

async function open({ endpoint, host, port }: Extract<ToWorker, { kind: 'open' }>): Promise<void> {
  if (opened.has(endpoint)) {
    tell({ kind: 'opened', endpoint, cause: undefined });
    return;
  }
  opened.add(endpoint);
  try {
    const udp = await openUdp({ host, port }, true);
    sockets.set(endpoint, udp);
    udp.on('error', (cause) => tell({ kind: 'failed', cause: String(cause) }));
    answerDatagrams(udp, (query, asker, port) => {
      try {
        if (!needsMain(query)) return answerer.answer(query, asker);
        const second = Math.floor(asker.nowMs / 1000);
        if (second !== forwards.second) forwards = { second, count: 0 };
        // What is beyond the pace is left out, so that a flood on this thread stays here.
        if (++forwards.count <= forwardsPerSecondMax)
          tell({ kind: 'for-main', endpoint, query, address: asker.address, port });
      } catch (cause) {
        tell({ kind: 'failed', cause: String(cause) });
      }
      return undefined;
    });
    tell({ kind: 'opened', endpoint, cause: undefined });
  } catch (cause) {
    opened.delete(endpoint);
    tell({ kind: 'opened', endpoint, cause: String(cause) });
  }
}

function prepare({ generation, added, served, awaited }: Extract<ToWorker, { kind: 'zones' }>): void {
  for (const { zoneId, origin, body } of added) {
    const zone = decodeZone(new Uint8Array(body), origin);
    if (zone) zones.set(zoneId, zone);
    else tell({ kind: 'failed', cause: 'a zone could not be read again' });
  }
  const used = new Set(served.map(({ zoneId }) => zoneId));
  for (const zoneId of zones.keys()) if (!used.has(zoneId)) zones.delete(zoneId);
  const list = served.flatMap(({ zoneId, expired, expiresAtMs }): ServedZone[] => {
    const zone = zones.get(zoneId);
    return zone ? [{ zone, expired, expiresAtMs }] : [];
  });
  prepared.set(generation, createAnswerer(list, { ...options, awaited: new Set(awaited) }));
  tell({ kind: 'ready', generation });
}

function use(generation: number): void {
  answerer = prepared.get(generation) ?? answerer;
  for (const older of prepared.keys()) if (older <= generation) prepared.delete(older);
}

parentPort?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'open':
      void open(message);
      break;
    case 'close':
      sockets.get(message.endpoint)?.close();
      sockets.delete(message.endpoint);
      opened.delete(message.endpoint);
      break;
    case 'zones':
      prepare(message);
      break;
    case 'use':
      use(message.generation);
      break;
    case 'secrets':
      setup.secrets.current = message.current;
      setup.secrets.previous = message.previous;
      break;
  }
});
