import { burstMs, maxLineQueue, maxPieceBytes, minPieceBytes, segmentBytes, wireOverhead } from './limits.ts';

/**
 * The classes that share the uplink, most urgent first. A beat never waits behind a backup. `relayed`: what this box
 * passes on for friends, of which it cannot know what it is.
 */
export const trafficClasses = ['control', 'dns', 'live-mail', 'relayed', 'held-mail', 'bulk'] as const;
export type TrafficClass = (typeof trafficClasses)[number];

/** Most urgent first. Classes of one rank take turns: neither our own held mail nor a friend's backup may stop the other. */
export const trafficRanks: readonly (readonly TrafficClass[])[] = [
  ['control'],
  ['dns'],
  ['live-mail'],
  ['relayed', 'held-mail'],
  ['bulk'],
];

/** One piece that waits for its turn on the line. */
interface Waiting {
  id: number;
  class: TrafficClass;
  costBytes: number;
}

/** The uplink as one token bucket. */
export interface LineState {
  /** undefined: no limit; everything goes at once. */
  bytesPerSecond: number | undefined;
  /** What bulk may use of it. */
  bulkBytesPerSecond: number | undefined;
  /** Bytes that may be sent now; below zero after a piece larger than what was there. */
  tokens: number;
  bulkTokens: number;
  updatedAtMs: number;
  waiting: readonly Waiting[];
}

export type LineInput =
  | { kind: 'limits'; bytesPerSecond: number | undefined; bulkBytesPerSecond: number | undefined }
  /** Somebody wants to write a piece; `id` is his to choose and comes back with the permit. */
  | { kind: 'want'; id: number; class: TrafficClass; sizeBytes: number }
  /** Bytes that went out without asking, since they could not wait: pings, acknowledgements. */
  | { kind: 'spent'; costBytes: number }
  /** He gave up waiting. */
  | { kind: 'forget'; id: number }
  | { kind: 'tick' };

/** `permit`: write it now. `wake`: look again then. `full`: the queue is too long; give up the stream. */
export type LineEffect =
  | { kind: 'permit'; id: number }
  | { kind: 'wake'; afterMs: number }
  | { kind: 'full'; id: number };

/** A line without a limit. */
export function openLine(nowMs: number): LineState {
  return {
    bytesPerSecond: undefined,
    bulkBytesPerSecond: undefined,
    tokens: 0,
    bulkTokens: 0,
    updatedAtMs: nowMs,
    waiting: [],
  };
}

/** What a write of this size costs on the wire: Noise, yamux, TCP and IP headers included (measured within 5 %). */
export function wireCost(sizeBytes: number): number {
  const segments = Math.max(1, Math.ceil(sizeBytes / segmentBytes));
  return sizeBytes + wireOverhead.perWriteBytes + segments * wireOverhead.perSegmentBytes;
}

/** What TCP sends back for so many bytes received: one bare packet for two full ones. */
export function acknowledgementCost(receivedBytes: number): number {
  return Math.ceil(receivedBytes / (2 * segmentBytes)) * wireOverhead.perSegmentBytes;
}

/** What this class may send at most, in bytes per second; undefined: no limit. */
export function rateOf(
  { bytesPerSecond, bulkBytesPerSecond }: Pick<LineState, 'bytesPerSecond' | 'bulkBytesPerSecond'>,
  trafficClass: TrafficClass,
): number | undefined {
  if (trafficClass !== 'bulk' || bulkBytesPerSecond === undefined) return bytesPerSecond;
  return Math.min(bulkBytesPerSecond, bytesPerSecond ?? bulkBytesPerSecond);
}

/**
 * How large one write may be at this rate: a quarter of a second of the line, so that the queues of the kernel and the
 * modem stay short and whatever is more urgent gets its turn soon.
 */
export function pieceBytes(bytesPerSecond: number | undefined): number {
  if (bytesPerSecond === undefined) return maxPieceBytes;
  return Math.max(minPieceBytes, Math.min(maxPieceBytes, Math.floor(bytesPerSecond / 4)));
}

/**
 * Decides who writes next. Pieces go by class, and within a class in the order in which they came. A bucket never
 * holds more than `burstMs` of its rate; bulk needs a permit from its own bucket too.
 */
export function stepLine(state: LineState, input: LineInput, nowMs: number): [LineState, LineEffect[]] {
  const filled = fill(state, nowMs);
  switch (input.kind) {
    case 'limits': {
      const { bytesPerSecond, bulkBytesPerSecond } = input;
      return serve({ ...filled, bytesPerSecond, bulkBytesPerSecond, tokens: 0, bulkTokens: 0 });
    }
    case 'want': {
      if (filled.waiting.length >= maxLineQueue) return [filled, [{ kind: 'full', id: input.id }]];
      const piece = { id: input.id, class: input.class, costBytes: wireCost(input.sizeBytes) };
      return serve({ ...filled, waiting: [...filled.waiting, piece] });
    }
    case 'spent':
      return serve({ ...filled, tokens: filled.tokens - input.costBytes });
    case 'forget':
      return serve({ ...filled, waiting: filled.waiting.filter((piece) => piece.id !== input.id) });
    case 'tick':
      return serve(filled);
  }
}

function fill(state: LineState, nowMs: number): LineState {
  // A clock that was set back must not take tokens away; one set forward gives no more than the burst below.
  const passedMs = Math.max(0, nowMs - state.updatedAtMs);
  const grow = (tokens: number, bytesPerSecond: number | undefined): number =>
    bytesPerSecond === undefined
      ? 0
      : Math.min((bytesPerSecond * burstMs) / 1000, tokens + (bytesPerSecond * passedMs) / 1000);
  return {
    ...state,
    tokens: grow(state.tokens, state.bytesPerSecond),
    bulkTokens: grow(state.bulkTokens, state.bulkBytesPerSecond),
    updatedAtMs: nowMs,
  };
}

function serve(state: LineState): [LineState, LineEffect[]] {
  const effects: LineEffect[] = [];
  let { tokens, bulkTokens } = state;
  let waiting = state.waiting;
  const mayGo = (piece: Waiting): boolean =>
    (state.bytesPerSecond === undefined || tokens > 0) &&
    (piece.class !== 'bulk' || state.bulkBytesPerSecond === undefined || bulkTokens > 0);
  for (;;) {
    const next = firstByClass(waiting.filter(mayGo));
    if (next === undefined) break;
    waiting = waiting.filter((piece) => piece !== next);
    tokens -= next.costBytes;
    if (next.class === 'bulk') bulkTokens -= next.costBytes;
    effects.push({ kind: 'permit', id: next.id });
  }
  if (waiting.length > 0)
    effects.push({ kind: 'wake', afterMs: waitMs(state, { tokens, bulkTokens, waiting }) });
  return [{ ...state, tokens, bulkTokens, waiting }, effects];
}

function firstByClass(pieces: readonly Waiting[]): Waiting | undefined {
  for (const rank of trafficRanks) {
    const first = pieces.find((piece) => rank.includes(piece.class));
    if (first !== undefined) return first;
  }
  return undefined;
}

/** Until the bucket that everybody waits for has something in it again. */
function waitMs(
  limits: Pick<LineState, 'bytesPerSecond' | 'bulkBytesPerSecond'>,
  now: Pick<LineState, 'tokens' | 'bulkTokens' | 'waiting'>,
): number {
  const until = (tokens: number, bytesPerSecond: number | undefined): number =>
    bytesPerSecond === undefined || tokens > 0 ? 0 : ((1 - tokens) * 1000) / bytesPerSecond;
  const all = until(now.tokens, limits.bytesPerSecond);
  const onlyBulk = now.waiting.every((piece) => piece.class === 'bulk');
  const ms = onlyBulk ? Math.max(all, until(now.bulkTokens, limits.bulkBytesPerSecond)) : all;
  return Math.max(1, Math.ceil(ms));
}
