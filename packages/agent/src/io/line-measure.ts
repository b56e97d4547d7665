import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, CommandError, ExitCode, type Random } from '@copain/core';
import { maxSendWindowBytes } from '@copain/mesh';
import type { Bulk, BulkService, Host } from '@copain/mesh/io';
import type { Config } from '../config-schema.ts';
import { bytesPerSecond, type LineLimit, whatLimits } from '../line-verdict.ts';

/** What a friend who measures his line to us may send: often and long enough to learn something, not to fill ours. */
const measureLimits = { maxBytes: 50_000_000, maxMs: 35_000 } as const;
const measureEveryMs = 60_000;
const longestMs = 30_000;

/** What is under way when the time is over may still need this long; where bulk gets no turn at all, it ends then. */
const emptyingMs = 30_000;

const blockBytes = 16_384;
const pingEveryMs = 1000;

/** The purpose that the offer names. */
const purpose = 'measure';

/** What `peer doctor line` found. */
export interface LineMeasure {
  friend: string;
  bytes: number;
  tookMs: number;
  bytesPerSecond: number;
  ownConnection: boolean;
  limitedBy: LineLimit;
  /** Of a few bytes on the connection that carries beats: before, and while the line was full. */
  roundTripMs: { before: number; duringMedian: number; duringMax: number; samples: number };
}

/** The receiving half: counts nothing, keeps nothing; each friend once a minute. */
export function measureService(clock: Clock): BulkService {
  const lastAtMs = new Map<string, number>();
  return {
    accept: (from) => {
      const waitMs = (lastAtMs.get(from) ?? Number.NEGATIVE_INFINITY) + measureEveryMs - clock.nowMs();
      if (waitMs > 0) return { refuse: `once a minute; again in ${Math.ceil(waitMs / 1000)} s` };
      lastAtMs.set(from, clock.nowMs());
      return measureLimits;
    },
    take: async (_from, chunks) => {
      for await (const _chunk of chunks);
    },
  };
}

/**
 * Sends bytes that mean nothing to a friend for `forMs` (1 to 30 s) and tells what the line carried and how long small
 * messages took meanwhile. Rejects with a CommandError where he refuses or cannot be reached. For `peer doctor line`.
 */
export async function measureLine(
  parts: { bulk: Bulk; host: Host; random: Random; line: Config['line'] },
  friend: { name: string; peer: string },
  forMs: number,
  signal: AbortSignal,
): Promise<LineMeasure> {
  if (!(forMs >= 1000 && forMs <= longestMs))
    throw new CommandError(ExitCode.usage, 'a line is measured for 1 s to 30 s', {
      hint: `peer doctor line ${friend.name} --for 10s`,
    });
  if (parts.host.connections(friend.peer).length === 0)
    throw new CommandError(ExitCode.unreachable, `${friend.name} is not connected`, {
      hint: `peer friends show ${friend.name}`,
    });
  const before = await parts.host.roundTripMs(
    friend.peer,
    AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  );
  // Not compressible, should anything between us try.
  const block = parts.random.bytes(blockBytes);
  const tooLate = AbortSignal.timeout(forMs + emptyingMs);
  const over = new AbortController();
  const during: number[] = [];
  const pinging = (async () => {
    while (!over.signal.aborted) {
      during.push(await parts.host.roundTripMs(friend.peer, over.signal));
      await pause(pingEveryMs, undefined, { signal: over.signal });
    }
  })().catch(() => undefined);
  try {
    const sent = await parts.bulk.send(
      friend.peer,
      { purpose, sizeBytes: 0 },
      async function* (limits) {
        const endsAtMs = performance.now() + forMs;
        let left = limits.maxBytes;
        while (left > 0 && performance.now() < endsAtMs) {
          const part = block.subarray(0, Math.min(left, block.length));
          left -= part.length;
          yield part;
        }
      },
      AbortSignal.any([signal, tooLate]),
    );
    const sorted = during.toSorted((a, b) => a - b);
    const round = (ms: number | undefined): number => Math.round((ms ?? 0) * 10) / 10;
    return {
      friend: friend.name,
      bytes: sent.bytes,
      tookMs: Math.round(sent.tookMs),
      bytesPerSecond: Math.round(bytesPerSecond(sent)),
      ownConnection: sent.ownConnection,
      limitedBy: whatLimits(sent, parts.line, maxSendWindowBytes),
      roundTripMs: {
        before: round(before),
        duringMedian: round(sorted[Math.floor(sorted.length / 2)]),
        duringMax: round(sorted.at(-1)),
        samples: sorted.length,
      },
    };
  } catch (error) {
    // A friend's box gives up a stream on which nothing comes any more, sooner than this one does.
    if (error instanceof CommandError || signal.aborted) throw error;
    const why = `what is more urgent takes the whole line to ${friend.name}, or it carries nothing`;
    throw new CommandError(ExitCode.no, why, { hint: `peer friends show ${friend.name}`, cause: error });
  } finally {
    over.abort();
    await pinging;
  }
}
