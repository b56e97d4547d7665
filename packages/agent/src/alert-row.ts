import type { Trouble, TroubleKind } from '@copain/status';
import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  type FieldReader,
  readFields,
} from '@copain/trust';
import { alertLimits } from './alert-limits.ts';
import { type AlertState, type ChannelState, startAlerts } from './alert-step.ts';
import type { KeptTrouble } from './alert-troubles.ts';

const latestMs = 8_640_000_000_000_000;

/**
 * What is kept of alerts over a restart, as a row of the agent's table: what was said, and to whom. What was seen and not
 * said yet is seen again.
 */
export function encodeAlertRow(state: AlertState): Uint8Array {
  return encodeCanonical({
    next: state.nextId,
    kept: [...state.kept.values()].flatMap((one) => keptValue(one) ?? []),
    ways: [...state.channels].map(([to, { told, sentAtMs, failing }]) => ({
      to,
      told: [...told].map(([id, what]) => ({ id, what })),
      sent: sentAtMs.map((atMs) => Math.round(atMs)),
      failing: failing && {
        since: Math.round(failing.sinceMs),
        failures: failing.failures,
        why: failing.why.slice(0, alertLimits.textCharacters),
      },
    })),
    mutes: state.mutes.map(({ about, untilMs }) => ({ about, until: Math.round(untilMs) })),
  });
}

function keptValue({ trouble, raised, over, rounds }: KeptTrouble): CanonicalValue | undefined {
  if (raised === undefined) return undefined;
  const cut = (text: string): string => text.slice(0, alertLimits.textCharacters);
  return {
    key: trouble.key,
    kind: trouble.kind,
    about: trouble.about.map(cut),
    danger: trouble.weight === 'danger',
    command: cut(trouble.command),
    after: trouble.over === undefined ? undefined : cut(trouble.over),
    news: trouble.isNews,
    id: raised.id,
    stage: raised.stage,
    at: Math.round(raised.atMs),
    since: Math.round(raised.sinceMs),
    text: cut(raised.text),
    over: over && { at: Math.round(over.atMs), decided: Math.round(over.decidedAtMs) },
    rounds,
  };
}

/** Undefined where the row is damaged: what stands is then said once more. */
export function decodeAlertRow(bytes: Uint8Array): AlertState | undefined {
  const row = readFields(decodeCanonical(bytes, alertLimits.rowBytes));
  const kept = listOf(row, 'kept', 2 * alertLimits.troubles, readKept);
  const channels = listOf(row, 'ways', alertLimits.channels, readChannel);
  const mutes = listOf(row, 'mutes', alertLimits.mutes, (fields) => ({
    about: fields.has('about') ? fields.text('about', 4096) : undefined,
    untilMs: instant(fields, 'until'),
  }));
  const nextId = row.integer('next', 1, Number.MAX_SAFE_INTEGER);
  if (!row.ok) return undefined;
  return {
    ...startAlerts(),
    kept: new Map(kept.map((one) => [one.trouble.key, one])),
    nextId,
    channels: new Map(channels),
    mutes,
  };
}

const instant = (fields: FieldReader, name: string): number => fields.integer(name, 0, latestMs);

function listOf<T>(row: FieldReader, name: string, maxCount: number, read: (item: FieldReader) => T): T[] {
  return row.list(name, maxCount).map((value) => {
    const fields = readFields(value);
    const item = read(fields);
    if (!fields.ok) row.refuse();
    return item;
  });
}

function readKept(fields: FieldReader): KeptTrouble {
  const text = fields.text('text', 2 * alertLimits.textCharacters);
  const stage = fields.integer('stage', 0, 1_000_000);
  const trouble: Trouble = {
    key: fields.text('key', 4096),
    kind: fields.text('kind', 16) as TroubleKind,
    about: fields.texts('about', 100, alertLimits.textCharacters),
    weight: fields.flag('danger') ? 'danger' : 'attention',
    text,
    command: fields.text('command', alertLimits.textCharacters),
    stage,
    afterMs: 0,
    over: fields.has('after') ? fields.text('after', alertLimits.textCharacters) : undefined,
    isNews: fields.flag('news'),
  };
  const sinceMs = instant(fields, 'since');
  const over = fields.has('over') ? readFields(fields.value('over')) : undefined;
  const one: KeptTrouble = {
    trouble,
    onSinceMs: undefined,
    offSinceMs: undefined,
    firstAtMs: sinceMs,
    spells: 0,
    raised: {
      id: fields.integer('id', 1, Number.MAX_SAFE_INTEGER),
      stage,
      atMs: instant(fields, 'at'),
      sinceMs,
      text,
    },
    over: over && { atMs: instant(over, 'at'), decidedAtMs: instant(over, 'decided') },
    rounds: fields.integer('rounds', 0, 1_000_000),
  };
  if (over?.ok === false) fields.refuse();
  return one;
}

function readChannel(fields: FieldReader): [string, ChannelState] {
  const told = listOf(fields, 'told', 4 * alertLimits.troubles, (one): [number, number] => [
    one.integer('id', 1, Number.MAX_SAFE_INTEGER),
    one.integer('what', 0, Number.MAX_SAFE_INTEGER),
  ]);
  const sentAtMs = fields.list('sent', 1000).filter((at): at is number => typeof at === 'number');
  const failing = fields.has('failing') ? readFields(fields.value('failing')) : undefined;
  const channel: ChannelState = {
    told: new Map(told),
    sentAtMs,
    failing: failing && {
      sinceMs: instant(failing, 'since'),
      failures: failing.integer('failures', 1, Number.MAX_SAFE_INTEGER),
      why: failing.text('why', alertLimits.textCharacters),
    },
    nextAtMs: 0,
    sending: undefined,
  };
  return [fields.text('to', 4096), channel];
}
