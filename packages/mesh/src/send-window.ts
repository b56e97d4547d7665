import {
  maxBulkChunkBytes,
  maxSendWindowBytes,
  minBulkChunkBytes,
  minSendWindowBytes,
  rateMemoryMs,
  startSendWindowBytes,
  windowSpanMs,
} from './limits.ts';

/** A chunk that was written and of which the other side has not said that it arrived. */
interface Chunk {
  /** Bytes written up to its end, from the first byte of the transfer on. */
  endsAtBytes: number;
  writtenAtMs: number;
  /** What had arrived when it was written, and when that was known. */
  arrivedBytes: number;
  arrivedAtMs: number;
}

/** How much of a transfer may be under way, so that nothing else waits long behind it. */
export interface SendWindow {
  windowBytes: number;
  writtenBytes: number;
  arrivedBytes: number;
  arrivedAtMs: number;
  inFlight: readonly Chunk[];
  /** What the line carried, as each acknowledgement of the last seconds showed it. */
  rates: readonly { atMs: number; bytesPerSecond: number }[];
  /** Round trip of the latest chunk, and the shortest of all; undefined before the first acknowledgement. */
  rttMs: number | undefined;
  shortestRttMs: number | undefined;
}

/** Nothing written yet; the first window is a guess that hurts no line. */
export function startSendWindow(nowMs: number): SendWindow {
  return {
    windowBytes: startSendWindowBytes,
    writtenBytes: 0,
    arrivedBytes: 0,
    arrivedAtMs: nowMs,
    inFlight: [],
    rates: [],
    rttMs: undefined,
    shortestRttMs: undefined,
  };
}

/**
 * How many bytes may be written now; 0: wait for an acknowledgement. A chunk is a quarter of the window, so that
 * acknowledgements come often enough to keep the line busy. `promisedBytes`: what others may write and did not yet.
 */
export function roomBytes(window: SendWindow, promisedBytes = 0): number {
  const chunk = Math.floor(Math.max(minBulkChunkBytes, Math.min(maxBulkChunkBytes, window.windowBytes / 4)));
  const room = window.windowBytes - (window.writtenBytes - window.arrivedBytes) - promisedBytes;
  const isIdle = window.inFlight.length === 0 && promisedBytes === 0;
  return room >= chunk || isIdle ? chunk : 0;
}

/** A chunk was handed to the network. */
export function chunkWritten(window: SendWindow, sizeBytes: number, nowMs: number): SendWindow {
  const endsAtBytes = window.writtenBytes + sizeBytes;
  const { arrivedBytes, arrivedAtMs } = window;
  // Where nothing was under way, what went before says nothing about the line.
  const sinceMs = window.inFlight.length === 0 ? nowMs : arrivedAtMs;
  const chunk = { endsAtBytes, writtenAtMs: nowMs, arrivedBytes, arrivedAtMs: sinceMs };
  return { ...window, writtenBytes: endsAtBytes, inFlight: [...window.inFlight, chunk] };
}

/**
 * The other side has so many bytes. What arrived between a chunk's writing and its acknowledgement is what the line
 * carries; the window is half a second of that, doubled at most per round trip. A total that was not written, or less
 * than what was known, changes nothing.
 */
export function chunkArrived(window: SendWindow, totalBytes: number, nowMs: number): SendWindow {
  const done = window.inFlight.filter((chunk) => chunk.endsAtBytes <= totalBytes);
  const latest = done.at(-1);
  if (latest === undefined || totalBytes > window.writtenBytes) return window;
  const rttMs = Math.max(0.1, nowMs - latest.writtenAtMs);
  const spanMs = Math.max(rttMs, nowMs - latest.arrivedAtMs);
  const rate = ((latest.endsAtBytes - latest.arrivedBytes) * 1000) / spanMs;
  const rates = [...window.rates, { atMs: nowMs, bytesPerSecond: rate }].filter(
    ({ atMs }) => atMs > nowMs - rateMemoryMs,
  );
  const acknowledged = latest.endsAtBytes - window.arrivedBytes;
  const target = (lineRate(rates) * windowSpanMs) / 1000;
  const windowBytes = Math.max(
    minSendWindowBytes,
    Math.min(maxSendWindowBytes, target, window.windowBytes + acknowledged),
  );
  return {
    ...window,
    windowBytes,
    arrivedBytes: latest.endsAtBytes,
    arrivedAtMs: nowMs,
    inFlight: window.inFlight.slice(done.length),
    rates,
    rttMs,
    shortestRttMs: Math.min(rttMs, window.shortestRttMs ?? rttMs),
  };
}

/** The best of the last seconds, in bytes per second: a pause of the source does not make the line look slower. */
function lineRate(rates: SendWindow['rates']): number {
  return rates.reduce((best, { bytesPerSecond }) => Math.max(best, bytesPerSecond), 0);
}
