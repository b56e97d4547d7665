import { type Clock, CommandError, ExitCode, type Random, type Table, toHex } from '@copain/core';
import type { Troubles } from '@copain/status';
import { alertLimits } from '../alert-limits.ts';
import { alertDocument, alertMessage, testMessage } from '../alert-message.ts';
import { decodeAlertRow, encodeAlertRow } from '../alert-row.ts';
import {
  type AlertEffect,
  type AlertInput,
  type AlertItem,
  type AlertState,
  isMuted,
  type Mute,
  startAlerts,
  stepAlerts,
} from '../alert-step.ts';
import type { AlertConfig } from '../config-alert.ts';
import type { Config } from '../config-schema.ts';
import { sendAlert } from './alert-ways.ts';

/** Tells the owner what is wrong, on the ways that `peer.toml` lists. */
export interface Alerts extends AsyncDisposable {
  /** Every second. */
  tick(): void;
  /** After a reload. */
  configured(): void;
  /** What is told, what waits, and which ways work, for people. */
  facts(): AlertFacts;
  /** Ways on which nothing gets through. */
  failures(): { to: string; sinceMs: number; text: string }[];
  /** Sends a message on every way now, and tells of each what became of it: undefined where it was taken. */
  test(): Promise<{ to: string; failed: string | undefined }[]>;
  /** Durable when it resolves. `untilMs` undefined: not muted any more. */
  mute(about: string | undefined, untilMs: number | undefined): Promise<void>;
}

interface AlertFacts {
  alerts: (Record<string, unknown> & { muted: boolean })[];
  ways: {
    to: string;
    sentAtMs: number | undefined;
    failing: { sinceMs: number; why: string; nextAtMs: number } | undefined;
  }[];
  mutes: readonly Mute[];
}

const rowKey = 'alerts';
const lookEveryMs = 5000;
/** Looking takes no more than a two-hundredth of the time: with a thousand zones it is a matter of some ten milliseconds. */
const lookShare = 200;
const lookEveryMaxMs = 60_000;

/** Opens what was said before. `found`: what is wrong now, asked every few seconds. */
export async function openAlerts(options: {
  table: Table;
  clock: Clock;
  random: Random;
  config: () => Config;
  configFile: string;
  peer: string;
  found(): Troubles;
  /** A way stopped working, or works again. */
  way(to: string, works: boolean, why: string): void;
  failed: (error: unknown) => void;
}): Promise<Alerts> {
  const { table, clock, config } = options;
  const row = await table.get(rowKey).catch(() => undefined);
  let state: AlertState = (row && decodeAlertRow(row)) ?? startAlerts();
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let restMs = lookEveryMs;
  let saving: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();

  const byTo = (to: string): AlertConfig | undefined => config().alerts.find((one) => one.to === to);
  const sender = () => ({
    config: config(),
    configFile: options.configFile,
    peer: options.peer,
    nowMs: clock.nowMs(),
  });

  const save = async (): Promise<void> => {
    saving = saving
      .catch(() => undefined)
      .then(() => table.write([{ key: rowKey, value: encodeAlertRow(state) }]));
    await saving;
  };

  const send = async (to: string, items: readonly AlertItem[]): Promise<void> => {
    const alert = byTo(to);
    if (alert === undefined) return;
    const message = alertMessage(items, { name: config().name, nowMs: clock.nowMs() });
    try {
      await sendAlert(message, alert, sender(), stopping.signal);
      await take({ kind: 'sent', channel: to });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!stopping.signal.aborted) await take({ kind: 'failed', channel: to, why });
    }
  };

  const act = async (effects: readonly AlertEffect[]): Promise<void> => {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'save':
          // A disk that is full is one of the troubles that alerts are for: they are told all the same.
          await save().catch(options.failed);
          break;
        case 'send': {
          const sending = send(effect.channel, effect.items).finally(() => underWay.delete(sending));
          underWay.add(sending);
          break;
        }
        case 'way': {
          const shown = byTo(effect.channel)?.shown;
          if (shown !== undefined) options.way(shown, effect.works, effect.why);
          break;
        }
      }
    }
  };

  let acting: Promise<void> = Promise.resolve();
  const take = (input: AlertInput): Promise<void> => {
    const [next, effects] = stepAlerts(state, input, clock.nowMs());
    state = next;
    if (effects.length > 0) acting = acting.then(() => act(effects)).catch(options.failed);
    return acting;
  };
  const configured = (): void => {
    void take({ kind: 'channels', channels: config().alerts.map(({ to }) => to) });
  };
  configured();

  return {
    configured,
    tick: () => {
      const nowMs = clock.nowMs();
      if (stopping.signal.aborted || Math.abs(nowMs - lookedAtMs) < restMs) return;
      lookedAtMs = nowMs;
      const startMs = performance.now();
      const found = options.found();
      const tookMs = performance.now() - startMs;
      restMs = Math.min(lookEveryMaxMs, Math.max(lookEveryMs, tookMs * lookShare));
      void take({ kind: 'look', found });
    },
    failures: () =>
      [...state.channels].flatMap(([to, { failing }]) => {
        const shown = byTo(to)?.shown;
        if (failing === undefined || shown === undefined) return [];
        return [{ to: shown, sinceMs: failing.sinceMs, text: failing.why }];
      }),
    facts: () => {
      const nowMs = clock.nowMs();
      return {
        alerts: [...state.kept.values()].flatMap((kept) => {
          if (kept.raised === undefined) return [];
          const item: AlertItem = {
            id: kept.raised.id,
            state: kept.over === undefined ? 'on' : 'over',
            kept,
          };
          const isTold = [...state.channels.values()].every(({ told }) => told.has(item.id));
          const isGone = kept.over === undefined && kept.offSinceMs !== undefined;
          const until = kept.over === undefined ? { until: null } : {};
          const told = isTold && state.channels.size > 0;
          return [
            {
              ...alertDocument(item),
              ...until,
              gone: isGone,
              told,
              muted: isMuted(state.mutes, kept, nowMs),
            },
          ];
        }),
        ways: [...state.channels].map(([to, { sentAtMs, failing, nextAtMs }]) => ({
          to: byTo(to)?.shown ?? '',
          sentAtMs: sentAtMs.at(-1),
          failing: failing && { sinceMs: failing.sinceMs, why: failing.why, nextAtMs },
        })),
        mutes: state.mutes.filter(({ untilMs }) => untilMs > nowMs),
      };
    },
    test: async () => {
      const ways = config().alerts.slice(0, alertLimits.channels);
      if (ways.length === 0)
        throw new CommandError(ExitCode.no, 'peer.toml names no way for alerts', {
          hint: 'an [[alert]] with to = "mailto:you@elsewhere.example", then peer reload',
        });
      const id = `test-${toHex(options.random.bytes(8))}`;
      const message = testMessage({ name: config().name, nowMs: clock.nowMs(), id });
      return await Promise.all(
        ways.map(async (alert) => {
          const failed = await sendAlert(message, alert, sender(), stopping.signal).then(
            () => undefined,
            (error: unknown) => (error instanceof Error ? error.message : String(error)),
          );
          return { to: alert.shown, failed };
        }),
      );
    },
    mute: async (about, untilMs) => {
      await take(untilMs === undefined ? { kind: 'unmute', about } : { kind: 'mute', about, untilMs });
      await saving;
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.allSettled([...underWay, acting, saving]);
    },
  };
}
