import { isDue } from '@copain/core';
import type { Troubles } from '@copain/status';
import { alertLimits } from './alert-limits.ts';
import { type KeptTrouble, type KeptTroubles, lookAgain } from './alert-troubles.ts';

/** What a way was told of a raised trouble: the stage, or that it is over. */
const toldOver = Number.MAX_SAFE_INTEGER;
/** It heard of it when it was gone, though not for long enough to be over. */
const toldEnded = 0;

/** One way out to the owner, an `[[alert]]` of `peer.toml`. */
export interface ChannelState {
  /** What it was told, by the id of what was raised. */
  told: ReadonlyMap<number, number>;
  /** When messages got through within the last hour. */
  sentAtMs: readonly number[];
  failing: { sinceMs: number; failures: number; why: string } | undefined;
  /** Not tried before. */
  nextAtMs: number;
  /** What is on its way; told once it got through. */
  sending: ReadonlyMap<number, number> | undefined;
}

/** `about`: a kind or a name; undefined: everything. */
export interface Mute {
  about: string | undefined;
  untilMs: number;
}

export interface AlertState {
  kept: KeptTroubles;
  nextId: number;
  /** By what `peer.toml` says. */
  channels: ReadonlyMap<string, ChannelState>;
  mutes: readonly Mute[];
  blind: boolean;
}

/** One thing that a message tells. `ended`: it was there and is gone, and was never said on this way before. */
export interface AlertItem {
  id: number;
  state: 'on' | 'over' | 'ended';
  kept: KeptTrouble;
}

export type AlertInput =
  /** What `peer.toml` lists now. First of all, and at each reload. */
  | { kind: 'channels'; channels: readonly string[] }
  /** What is wrong now, every few seconds. */
  | { kind: 'look'; found: Troubles }
  | { kind: 'mute'; about: string | undefined; untilMs: number }
  /** Ends the mute of this; without `about` all of them. */
  | { kind: 'unmute'; about: string | undefined }
  /** What became of a message. */
  | { kind: 'sent'; channel: string }
  | { kind: 'failed'; channel: string; why: string };

/** What is to be done, in this order. */
export type AlertEffect =
  /** Have the state on disk before anything else, so that a restart neither forgets nor repeats. */
  | { kind: 'save' }
  /** Tell this on this way, and answer with `sent` or `failed`. */
  | { kind: 'send'; channel: string; items: readonly AlertItem[] }
  /** A way stopped working, or works again. */
  | { kind: 'way'; channel: string; works: boolean; why: string };

export const startAlerts = (): AlertState => ({
  kept: new Map(),
  nextId: 1,
  channels: new Map(),
  mutes: [],
  blind: true,
});

/**
 * Alerts after an input, and what is to be done: one message for a trouble however often it comes and goes, one when it
 * is over, on each way for itself. `nowMs` must come from one clock throughout.
 */
export function stepAlerts(
  before: AlertState,
  input: AlertInput,
  nowMs: number,
): [AlertState, AlertEffect[]] {
  switch (input.kind) {
    case 'channels':
      return settle(before, withChannels(before, input.channels), nowMs);
    case 'look':
      return settle(before, looked(before, input.found, nowMs), nowMs);
    case 'mute': {
      const others = before.mutes.filter(({ about }) => about !== input.about);
      const mutes = [...others, { about: input.about, untilMs: input.untilMs }].slice(-alertLimits.mutes);
      return settle(before, { ...before, mutes }, nowMs);
    }
    case 'unmute': {
      const rest = before.mutes.filter(({ about }) => about !== input.about);
      return settle(before, { ...before, mutes: input.about === undefined ? [] : rest }, nowMs);
    }
    case 'sent':
      return answered(before, input.channel, undefined, nowMs);
    case 'failed':
      return answered(before, input.channel, input.why, nowMs);
  }
}

function withChannels(before: AlertState, names: readonly string[]): AlertState {
  const channels = new Map<string, ChannelState>();
  for (const name of names.slice(0, alertLimits.channels))
    channels.set(name, before.channels.get(name) ?? newChannel(before.kept));
  return { ...before, channels };
}

/** Of what is over before a way is there, that way need not hear. */
function newChannel(kept: KeptTroubles): ChannelState {
  const past = [...kept.values()].flatMap(({ raised, over }): [number, number][] =>
    raised !== undefined && over !== undefined ? [[raised.id, toldOver]] : [],
  );
  return { told: new Map(past), sentAtMs: [], failing: undefined, nextAtMs: 0, sending: undefined };
}

function looked(before: AlertState, found: Troubles, nowMs: number): AlertState {
  const { kept, nextId } = lookAgain(before.kept, found, { nowMs, nextId: before.nextId });
  const ids = new Set([...kept.values()].flatMap(({ raised }) => raised?.id ?? []));
  const isBack = before.blind && !found.blind;
  // Whoever was told of it and not yet of its end need not hear that it came back.
  const again = [...kept].flatMap(([key, { raised }]): [number, number][] => {
    const last = before.kept.get(key)?.raised;
    return raised === undefined || last === undefined || last.id === raised.id ? [] : [[last.id, raised.id]];
  });
  const toldBefore = ({ told }: ChannelState): [number, number][] => [
    ...told,
    ...again.flatMap(([last, id]): [number, number][] => {
      const what = told.get(last);
      return what === undefined || what === toldOver || what === toldEnded ? [] : [[id, what]];
    }),
  ];
  const channels = new Map(
    [...before.channels].map(([name, channel]): [string, ChannelState] => {
      const told = new Map([...toldBefore(channel)].filter(([id]) => ids.has(id)));
      // A line that is back has waited long enough.
      return [
        name,
        { ...channel, told, nextAtMs: isBack ? Math.min(channel.nextAtMs, nowMs) : channel.nextAtMs },
      ];
    }),
  );
  const mutes = before.mutes.filter(({ untilMs }) => untilMs > nowMs);
  return { kept, nextId, channels, mutes, blind: found.blind };
}

/** Is this trouble not to be told now? */
export function isMuted(mutes: readonly Mute[], { trouble }: KeptTrouble, nowMs: number): boolean {
  const names = [trouble.kind, ...trouble.about].map((name) => name.toLowerCase());
  return mutes.some(
    ({ about, untilMs }) => untilMs > nowMs && (about === undefined || names.includes(about.toLowerCase())),
  );
}

/** What this way was not told yet. */
function due(state: AlertState, { told }: ChannelState, nowMs: number): AlertItem[] {
  return [...state.kept.values()]
    .flatMap((kept): AlertItem[] => {
      const { raised, over, onSinceMs, offSinceMs, trouble } = kept;
      if (raised === undefined || isMuted(state.mutes, kept, nowMs)) return [];
      const { id } = raised;
      const last = told.get(id);
      const isGone = over !== undefined || offSinceMs !== undefined;
      if (last === undefined) return [{ id, state: isGone && !trouble.isNews ? 'ended' : 'on', kept }];
      if (last === toldOver || (last === toldEnded && over !== undefined)) return [];
      if (last === toldEnded && nowMs - (onSinceMs ?? nowMs) < trouble.afterMs) return [];
      if (over !== undefined) return trouble.isNews ? [] : [{ id, state: 'over', kept }];
      return last < raised.stage && !isGone ? [{ id, state: 'on', kept }] : [];
    })
    .sort((a, b) => a.id - b.id);
}

/** What a way has been told once this got through. */
function toldBy({ state, kept }: AlertItem): number {
  if (state === 'on') return kept.raised?.stage ?? 1;
  return kept.over === undefined ? toldEnded : toldOver;
}

/** Since when there has been something to say of it. */
const readyAtMs = ({ state, kept }: AlertItem): number =>
  state === 'over' ? (kept.over?.decidedAtMs ?? 0) : (kept.raised?.atMs ?? 0);

/** What ended while it was muted is told to nobody: whoever muted it did not want to know. */
function withSilenced(state: AlertState, nowMs: number): AlertState {
  const silenced = [...state.kept.values()].flatMap((kept) =>
    kept.raised !== undefined && kept.over !== undefined && isMuted(state.mutes, kept, nowMs)
      ? [kept.raised.id]
      : [],
  );
  if (silenced.length === 0) return state;
  const channels = [...state.channels].map(([name, channel]): [string, ChannelState] => {
    const news = silenced.filter((id) => channel.told.get(id) === undefined);
    if (news.length === 0) return [name, channel];
    return [
      name,
      { ...channel, told: new Map([...channel.told, ...news.map((id) => [id, toldOver] as const)]) },
    ];
  });
  return { ...state, channels: new Map(channels) };
}

/** Sends what is due, and has what must outlive a restart written before. */
function settle(before: AlertState, after: AlertState, nowMs: number): [AlertState, AlertEffect[]] {
  const state = withSilenced(after, nowMs);
  const channels = new Map(state.channels);
  const effects: AlertEffect[] = [];
  for (const [name, channel] of state.channels) {
    if (channel.sending !== undefined || !isDue(channel.nextAtMs, nowMs, alertLimits.retryMaxMs)) continue;
    const items = due(state, channel, nowMs);
    if (items.length === 0 || nowMs - Math.min(...items.map(readyAtMs)) < alertLimits.gatherMs) continue;
    const sentAtMs = channel.sentAtMs.filter((atMs) => atMs <= nowMs && nowMs - atMs < 3_600_000);
    if (sentAtMs.length >= alertLimits.messagesPerHour) continue;
    const sending = new Map(items.map((item) => [item.id, toldBy(item)]));
    channels.set(name, { ...channel, sentAtMs, sending });
    effects.push({ kind: 'send', channel: name, items });
  }
  const next = { ...state, channels };
  return [next, isWorthSaving(before, next) ? [{ kind: 'save' }, ...effects] : effects];
}

/** Spans that go on growing are not written each time: after a restart they begin anew. */
function isWorthSaving(before: AlertState, after: AlertState): boolean {
  if (before.nextId !== after.nextId || before.mutes.length !== after.mutes.length) return true;
  if (before.mutes.some((mute, at) => mute !== after.mutes[at])) return true;
  const said = (state: AlertState): (KeptTrouble['raised'] | KeptTrouble['over'])[] =>
    [...state.kept.values()].flatMap(({ raised, over }) => (raised === undefined ? [] : [raised, over]));
  const [was, is] = [said(before), said(after)];
  if (was.length !== is.length || was.some((one, at) => one !== is[at])) return true;
  if (before.channels.size !== after.channels.size) return true;
  return [...after.channels].some(([name, { told }]) => {
    const known = before.channels.get(name)?.told;
    return known?.size !== told.size || [...told].some(([id, what]) => known.get(id) !== what);
  });
}

/** A message got through, or did not. One that was sent on a way that is no more concerns nobody. */
function answered(
  before: AlertState,
  name: string,
  why: string | undefined,
  nowMs: number,
): [AlertState, AlertEffect[]] {
  const channel = before.channels.get(name);
  if (channel?.sending === undefined) return [before, []];
  const { sending, failing, ...rest } = channel;
  if (why === undefined) {
    const told = new Map([...channel.told, ...sending]);
    const sentAtMs = [...channel.sentAtMs, nowMs];
    const next = { ...rest, told, sentAtMs, failing: undefined, sending: undefined };
    const [after, effects] = settle(before, withChannel(before, name, next), nowMs);
    if (failing === undefined) return [after, effects];
    return [after, [...effects, { kind: 'way', channel: name, works: true, why: '' }]];
  }
  const failures = (failing?.failures ?? 0) + 1;
  const waitMs = Math.min(alertLimits.retryMaxMs, alertLimits.retryFirstMs * 2 ** Math.min(20, failures - 1));
  const next = {
    ...rest,
    failing: { sinceMs: failing?.sinceMs ?? nowMs, failures, why },
    nextAtMs: nowMs + waitMs,
    sending: undefined,
  };
  const after = withChannel(before, name, next);
  return [after, failing === undefined ? [{ kind: 'way', channel: name, works: false, why }] : []];
}

const withChannel = (state: AlertState, name: string, channel: ChannelState): AlertState => ({
  ...state,
  channels: new Map(state.channels).set(name, channel),
});
