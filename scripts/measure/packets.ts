import { type Answerer, decodeMessage, encodeMessage } from '@copain/dns';
import type { Figures } from './figures.ts';
import { PacketMutator } from './mutate-packet.ts';
import {
  oddAnswerer,
  oddTransfers,
  packetSeeds,
  transferHosts,
  transferSeeds,
  transferSeedsMs,
} from './packet-seeds.ts';

/** Above this a packet is looked at again: only what is slow each time is slow by itself. */
const suspiciousMs = 1;

/**
 * Sends mutated packets through the code that answers and the one that decodes: how long the slowest takes by itself,
 * how many a second, and what memory is left behind. A packet that makes anything throw ends the run and is printed.
 */
export function measurePackets({ record }: Figures, options: { packets: number; seed: number }): void {
  const answerer = oddAnswerer();
  const mutator = new PacketMutator(packetSeeds(), options.seed);
  const asker = { transport: 'udp' as const, address: '192.0.2.1', nowMs: 0 };
  const tcp = { ...asker, transport: 'tcp' as const };
  const handle = (packet: Uint8Array, by: Answerer): number => {
    const sinceMs = performance.now();
    by.answer(packet, asker);
    by.answer(packet, tcp);
    const message = decodeMessage(packet);
    if (message) encodeMessage(message);
    return performance.now() - sinceMs;
  };
  const rssBefore = process.memoryUsage().rss;
  let slowestMs = 0;
  let spentMs = 0;
  for (let i = 0; i < options.packets; i++) {
    const packet = mutator.next();
    asker.nowMs = i;
    try {
      let tookMs = handle(packet, answerer);
      spentMs += tookMs;
      // Another process may have had the processor. Asked anew of one that has nothing in its cache.
      for (let again = 0; again < 3 && tookMs > suspiciousMs; again++) {
        tookMs = Math.min(tookMs, handle(packet, oddAnswerer()));
      }
      slowestMs = Math.max(slowestMs, tookMs);
    } catch (cause) {
      throw new Error(`packet ${i}: ${Buffer.from(packet).toString('hex')}`, { cause });
    }
  }
  record(`dns: ${options.packets} mutated packets, the slowest`, 'ms', [slowestMs]);
  record('dns: mutated packets a second, answered twice and decoded', '/s', [
    (1000 * options.packets) / spentMs,
  ]);
  record(`dns: ${options.packets / 10} mutated transfer queries, the slowest`, 'ms', [
    slowestTransferMs(options.packets / 10, options.seed),
  ]);
  const grownMiB = (process.memoryUsage().rss - rssBefore) / 1024 / 1024;
  record('dns: memory after them', 'MiB more', [grownMiB]);
}

/** The same for the code of transfers, each taken to its end; the slowest message of any by itself. */
function slowestTransferMs(packets: number, seed: number): number {
  const mutator = new PacketMutator(transferSeeds(), seed);
  const transfers = oddTransfers();
  const handle = (packet: Uint8Array): number => {
    let slowestMs = 0;
    for (const address of [transferHosts.keyed, transferHosts.plain]) {
      for (const transport of ['udp', 'tcp'] as const) {
        let sinceMs = performance.now();
        const answer = transfers.answer(packet, { transport, address, nowMs: transferSeedsMs });
        slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
        if (answer === undefined || answer instanceof Uint8Array) continue;
        for (let isMore = true; isMore; ) {
          sinceMs = performance.now();
          isMore = answer.next(transferSeedsMs) !== undefined;
          slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
        }
        answer.close('done');
      }
    }
    return slowestMs;
  };
  let slowestMs = 0;
  for (let i = 0; i < packets; i++) {
    const packet = mutator.next();
    try {
      let tookMs = handle(packet);
      for (let again = 0; again < 3 && tookMs > suspiciousMs; again++)
        tookMs = Math.min(tookMs, handle(packet));
      slowestMs = Math.max(slowestMs, tookMs);
    } catch (cause) {
      throw new Error(`transfer query ${i}: ${Buffer.from(packet).toString('hex')}`, { cause });
    }
  }
  return slowestMs;
}
