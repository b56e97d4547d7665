import { equalBytes, isDue } from '@copain/core';
import { fetchPatienceMs, fetchRetryMs, holdersPerZoneMax, zoneBytesMax, zonesHeldMax } from './limits.ts';
import {
  compareZoneVersions,
  sameZoneVersion,
  type ZoneKey,
  type ZoneVersion,
  zoneKey,
} from './zone-version.ts';

/** A friend's side of one zone. */
export interface HeldZone {
  /** The version that is stored and answered from. */
  readonly serving: ZoneVersion | undefined;
  /** A newer version that is known of, but not here yet. */
  readonly wanted: ZoneVersion | undefined;
  readonly fetching:
    | { readonly header: ZoneVersion; readonly from: string; readonly sinceMs: number }
    | undefined;
  /** Who is known to hold which version. */
  readonly holders: ReadonlyMap<string, { readonly epoch: number; readonly sequence: number }>;
  /** Who failed to deliver the wanted version since the last pause. */
  readonly tried: readonly string[];
  readonly pauses: number;
  readonly retryAtMs: number;
  /** Served until then without hearing from the owner again; then SERVFAIL (RFC 1035 §3.3.13). */
  readonly freshUntilMs: number;
  readonly expired: boolean;
}

/** All zones held for friends, and which friends are connected, as peer ids. */
export interface SecondaryState {
  readonly zones: ReadonlyMap<ZoneKey, HeldZone>;
  readonly connected: readonly string[];
}

/**
 * What happened. `announced`: a version whose signature and grant were checked; `direct` when it came over the owner's
 * own connection. `fetched`: its content is here, matches the hash and is a zone. `owner-current`: the owner himself
 * said that this is his newest version.
 */
export type SecondaryInput =
  | { kind: 'announced'; header: ZoneVersion; from: string; direct: boolean }
  | { kind: 'peers'; connected: readonly string[] }
  | { kind: 'holder'; peer: string; zones: readonly { key: ZoneKey; epoch: number; sequence: number }[] }
  | { kind: 'fetched'; header: ZoneVersion; from: string }
  | { kind: 'fetch-failed'; key: ZoneKey; from: string; why: string }
  | { kind: 'owner-current'; key: ZoneKey }
  | { kind: 'retired'; key: ZoneKey }
  | { kind: 'tick' };

/** Why an announced version is not taken. `equivocation`: one number, two contents; somebody should look. */
export type Refusal = 'older' | 'equivocation' | 'too-large' | 'too-many';

/**
 * What is to be done, in order. `save` before `serve`: what is answered is on disk. `renewed`: store the new term,
 * and answer again if it was expired. `expired`: answer SERVFAIL. `drop`: stop answering, then delete.
 */
export type SecondaryEffect =
  | { kind: 'fetch'; header: ZoneVersion; from: string }
  | { kind: 'save'; header: ZoneVersion; freshUntilMs: number }
  | { kind: 'serve'; header: ZoneVersion }
  | { kind: 'renewed'; key: ZoneKey; freshUntilMs: number }
  | { kind: 'expired'; key: ZoneKey }
  | { kind: 'drop'; key: ZoneKey }
  | { kind: 'refused'; why: Refusal; header: ZoneVersion; from: string };

type Step<T> = [T, SecondaryEffect[]];

const nothing: HeldZone = {
  serving: undefined,
  wanted: undefined,
  fetching: undefined,
  holders: new Map(),
  tried: [],
  pauses: 0,
  retryAtMs: 0,
  freshUntilMs: 0,
  expired: false,
};

/** The state at start, from what was stored. Whatever had expired meanwhile is said by the first `tick`. */
export function startSecondaryState(
  stored: Iterable<{ header: ZoneVersion; freshUntilMs: number }>,
): SecondaryState {
  const zones = new Map<ZoneKey, HeldZone>();
  for (const { header, freshUntilMs } of stored)
    zones.set(zoneKey(header), { ...nothing, serving: header, freshUntilMs });
  return { zones, connected: [] };
}

/** Decides what to fetch, from whom, what to serve, and for how long. Never goes back to an older version. */
export function stepSecondary(
  state: SecondaryState,
  input: SecondaryInput,
  nowMs: number,
): Step<SecondaryState> {
  switch (input.kind) {
    case 'peers':
      return everyZone({ ...state, connected: input.connected }, (zone, next) =>
        reconnected(zone, state, next, nowMs),
      );
    case 'tick':
      return everyZone(state, (zone, same, key) => tick(zone, key, same, nowMs));
    case 'retired': {
      if (!state.zones.has(input.key)) return [state, []];
      const zones = new Map(state.zones);
      zones.delete(input.key);
      return [{ ...state, zones }, [{ kind: 'drop', key: input.key }]];
    }
    case 'announced':
      return announced(state, input, nowMs);
    case 'fetched':
      return oneZone(state, zoneKey(input.header), (zone) => fetched(zone, input, state, nowMs));
    case 'fetch-failed':
      return oneZone(state, input.key, (zone) => {
        const { fetching, wanted } = zone;
        if (fetching?.from !== input.from) return [zone, []];
        // Whoever has a newer version than the one asked for may have given the older one away; he is asked for the newer.
        const isPast = wanted !== undefined && !sameZoneVersion(fetching.header, wanted);
        const tried = isPast ? zone.tried : [...zone.tried, input.from];
        return pursue({ ...zone, fetching: undefined, tried }, state, nowMs);
      });
    case 'holder':
      return holder(state, input, nowMs);
    case 'owner-current':
      return oneZone(state, input.key, (zone) => renew(zone, input.key, nowMs, nowMs));
  }
}

function oneZone(
  state: SecondaryState,
  key: ZoneKey,
  change: (zone: HeldZone) => Step<HeldZone>,
): Step<SecondaryState> {
  const zone = state.zones.get(key);
  if (!zone) return [state, []];
  const [changed, effects] = change(zone);
  return [{ ...state, zones: new Map(state.zones).set(key, changed) }, effects];
}

/** A friend says which versions he has. He says so of all his zones each time, and most of it is no news. */
function holder(
  state: SecondaryState,
  { peer, zones }: Extract<SecondaryInput, { kind: 'holder' }>,
  nowMs: number,
): Step<SecondaryState> {
  const changed = new Map<ZoneKey, HeldZone>();
  const effects: SecondaryEffect[] = [];
  for (const { key, ...version } of zones) {
    const zone = changed.get(key) ?? state.zones.get(key);
    if (!zone) continue;
    const [next, more] = pursue(withHolder(zone, peer, version), state, nowMs);
    if (next !== zone) changed.set(key, next);
    effects.push(...more);
  }
  return changed.size === 0
    ? [state, []]
    : [{ ...state, zones: new Map([...state.zones, ...changed]) }, effects];
}

function everyZone(
  state: SecondaryState,
  change: (zone: HeldZone, state: SecondaryState, key: ZoneKey) => Step<HeldZone>,
): Step<SecondaryState> {
  const effects: SecondaryEffect[] = [];
  const zones = new Map<ZoneKey, HeldZone>();
  for (const [key, zone] of state.zones) {
    const [changed, more] = change(zone, state, key);
    zones.set(key, changed);
    effects.push(...more);
  }
  return [{ ...state, zones }, effects];
}

function withHolder(zone: HeldZone, peer: string, version: { epoch: number; sequence: number }): HeldZone {
  const known = zone.holders.get(peer);
  if (known ? compareZoneVersions(version, known) <= 0 : zone.holders.size >= holdersPerZoneMax) return zone;
  const { epoch, sequence } = version;
  return { ...zone, holders: new Map(zone.holders).set(peer, { epoch, sequence }) };
}

function announced(
  state: SecondaryState,
  input: Extract<SecondaryInput, { kind: 'announced' }>,
  nowMs: number,
): Step<SecondaryState> {
  const { header, from } = input;
  const key = zoneKey(header);
  const refused = (why: Refusal): Step<SecondaryState> => [state, [{ kind: 'refused', why, header, from }]];
  const known = state.zones.get(key);
  if (!known && state.zones.size >= zonesHeldMax) return refused('too-many');
  if (header.sizeBytes > zoneBytesMax) return refused('too-large');
  const zone = withHolder(known ?? nothing, from, header);
  const newest = zone.wanted ?? zone.serving;
  const order = newest ? compareZoneVersions(header, newest) : 1;
  const twins = [zone.wanted, zone.serving].filter((one) => one && compareZoneVersions(one, header) === 0);
  if (twins.some((one) => one && !sameZoneVersion(one, header))) return refused('equivocation');
  if (order < 0) {
    // An old head that a friend passes on late is ordinary; what is being served is simply newer.
    return zone.serving && sameZoneVersion(header, zone.serving)
      ? settle(state, key, [zone, []])
      : refused('older');
  }
  const heardAtMs = input.direct ? nowMs : Math.min(header.atMs, nowMs);
  const isServed = zone.serving !== undefined && sameZoneVersion(header, zone.serving);
  if (isServed) return settle(state, key, renew(zone, key, heardAtMs, nowMs));
  if (order === 0) return settle(state, key, pursue(zone, state, nowMs));
  if (zone.serving && sameContent(zone.serving, header))
    return settle(state, key, confirmed(zone, header, { heardAtMs, nowMs }));
  return settle(
    state,
    key,
    pursue({ ...zone, wanted: header, tried: [], pauses: 0, retryAtMs: 0 }, state, nowMs),
  );
}

function settle(state: SecondaryState, key: ZoneKey, [zone, effects]: Step<HeldZone>): Step<SecondaryState> {
  return [{ ...state, zones: new Map(state.zones).set(key, zone) }, effects];
}

const sameContent = (a: ZoneVersion, b: ZoneVersion): boolean =>
  a.serial === b.serial && a.sizeBytes === b.sizeBytes && equalBytes(a.contentHash, b.contentHash);

/** A newer version of the very content that is served: there is nothing to fetch, and a wanted one in between is past. */
function confirmed(
  zone: HeldZone,
  header: ZoneVersion,
  { heardAtMs, nowMs }: { heardAtMs: number; nowMs: number },
): Step<HeldZone> {
  const freshUntilMs = Math.max(zone.freshUntilMs, heardAtMs + header.expiresAfterMs);
  const next: HeldZone = {
    ...zone,
    serving: header,
    wanted: undefined,
    fetching: undefined,
    tried: [],
    pauses: 0,
    retryAtMs: 0,
    freshUntilMs,
    expired: freshUntilMs <= nowMs,
  };
  return [
    next,
    [
      { kind: 'save', header, freshUntilMs },
      { kind: 'serve', header },
    ],
  ];
}

/** A late, relayed head never prolongs life beyond what its own date allows, and nothing ever shortens it. */
function renew(zone: HeldZone, key: ZoneKey, heardAtMs: number, nowMs: number): Step<HeldZone> {
  if (!zone.serving) return [zone, []];
  const freshUntilMs = Math.max(zone.freshUntilMs, heardAtMs + zone.serving.expiresAfterMs);
  if (freshUntilMs === zone.freshUntilMs) return [zone, []];
  return [
    { ...zone, freshUntilMs, expired: freshUntilMs <= nowMs },
    [{ kind: 'renewed', key, freshUntilMs }],
  ];
}

function fetched(
  zone: HeldZone,
  { header, from }: { header: ZoneVersion; from: string },
  state: SecondaryState,
  nowMs: number,
): Step<HeldZone> {
  const isOurs = zone.fetching !== undefined && sameZoneVersion(zone.fetching.header, header);
  const idle: HeldZone = isOurs ? { ...zone, fetching: undefined } : zone;
  if (zone.serving && compareZoneVersions(header, zone.serving) <= 0) return pursue(idle, state, nowMs);
  const stillWanted = zone.wanted !== undefined && compareZoneVersions(zone.wanted, header) > 0;
  const freshUntilMs = Math.max(zone.freshUntilMs, Math.min(header.atMs, nowMs) + header.expiresAfterMs);
  const updated: HeldZone = {
    ...withHolder(idle, from, header),
    serving: header,
    wanted: stillWanted ? zone.wanted : undefined,
    tried: [],
    pauses: 0,
    freshUntilMs,
    expired: freshUntilMs <= nowMs,
  };
  const [next, more] = pursue(updated, state, nowMs);
  const kept: SecondaryEffect[] = [
    { kind: 'save', header, freshUntilMs },
    { kind: 'serve', header },
  ];
  return [next, [...kept, ...more]];
}

/** Starts the next attempt at the wanted version where none is under way: known holders first, then anyone connected. */
function pursue(zone: HeldZone, state: SecondaryState, nowMs: number): Step<HeldZone> {
  const { wanted } = zone;
  const rests = !isDue(zone.retryAtMs, nowMs, fetchRetryMs.last);
  if (!wanted || zone.fetching || rests) return [zone, []];
  // After a pause everyone is asked again.
  const rested: HeldZone = zone.retryAtMs > 0 ? { ...zone, tried: [], retryAtMs: 0 } : zone;
  const untried = state.connected.filter((peer) => !rested.tried.includes(peer));
  const holds = (peer: string) => {
    const held = zone.holders.get(peer);
    return held !== undefined && compareZoneVersions(held, wanted) >= 0;
  };
  const from = untried.find(holds) ?? untried[0];
  if (from !== undefined) {
    const fetching = { header: wanted, from, sinceMs: nowMs };
    return [{ ...rested, fetching }, [{ kind: 'fetch', header: wanted, from }]];
  }
  // Nobody is left to ask: pause, longer each time. A new connection ends the pause.
  const pauseMs = Math.min(fetchRetryMs.first * 2 ** Math.min(zone.pauses, 10), fetchRetryMs.last);
  return [{ ...rested, pauses: zone.pauses + 1, retryAtMs: nowMs + pauseMs }, []];
}

function reconnected(
  zone: HeldZone,
  before: SecondaryState,
  after: SecondaryState,
  nowMs: number,
): Step<HeldZone> {
  const arrived = after.connected.filter((peer) => !before.connected.includes(peer));
  const lost = zone.fetching && !after.connected.includes(zone.fetching.from);
  const next: HeldZone = {
    ...zone,
    fetching: lost ? undefined : zone.fetching,
    tried: zone.tried.filter((peer) => !arrived.includes(peer)),
    retryAtMs: arrived.length > 0 ? 0 : zone.retryAtMs,
    pauses: arrived.length > 0 ? 0 : zone.pauses,
  };
  return pursue(next, after, nowMs);
}

function tick(zone: HeldZone, key: ZoneKey, state: SecondaryState, nowMs: number): Step<HeldZone> {
  const effects: SecondaryEffect[] = [];
  let next = zone;
  if (zone.fetching && nowMs - zone.fetching.sinceMs > fetchPatienceMs) {
    next = { ...next, fetching: undefined, tried: [...next.tried, zone.fetching.from] };
  }
  if (next.serving && !next.expired && next.freshUntilMs <= nowMs) {
    next = { ...next, expired: true };
    effects.push({ kind: 'expired', key });
  }
  const [pursued, more] = pursue(next, state, nowMs);
  return [pursued, [...effects, ...more]];
}
