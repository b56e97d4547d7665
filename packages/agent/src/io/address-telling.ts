import { createHash } from 'node:crypto';
import { type Clock, formatHostPort, isoTime, type Table, visible } from '@copain/core';
import { nameOf, parseIpv4, parseIpv6 } from '@copain/dns';
import { sendUpdate } from '@copain/dns/io';
import type { AddressTold } from '@copain/status';
import {
  type Addresses,
  knowsAll,
  startTelling,
  stepTelling,
  type TellingEffect,
  type TellingInput,
  type TellingState,
} from '../address-telling.ts';
import { decodeTellingRow, encodeTellingRow } from '../address-telling-row.ts';
import type { AddressUpdateConfig } from '../config-address.ts';
import { besideConfig } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { tellingLimits } from '../telling-limits.ts';
import type { EventLog } from './event-log.ts';
import type { PublicAddress } from './public-address.ts';
import { runHook } from './run-hook.ts';
import { readTsigFile } from './tsig-file.ts';

/** Tells others, outside the circle, which public address this box has: a program, and servers of other people's zones. */
export interface AddressTelling extends AsyncDisposable {
  /** Every second. */
  tick(): void;
  /** After a reload. */
  configured(): void;
  /** Another address counts. */
  changed(): void;
  facts(): AddressTold[];
  /** Whoever does not take it. */
  failures(): { to: string; sinceMs: number; text: string }[];
}

/** Somebody to tell; `shown` is for people. */
interface Target {
  shown: string;
  tell(address: Addresses, before: Addresses, signal: AbortSignal): Promise<void>;
}

const rowKey = 'address-told';

/** Opens what was told before a restart, so that nobody is told again. */
export async function openAddressTelling(options: {
  table: Table;
  clock: Clock;
  config: () => Config;
  configFile: string;
  publicAddress: Pick<PublicAddress, 'current'>;
  events: Pick<EventLog, 'add'>;
  failed: (what: string) => (error: unknown) => void;
}): Promise<AddressTelling> {
  const { table, clock, config, events } = options;
  const failed = options.failed('telling the own address');
  const row = await table.get(rowKey).catch(() => undefined);
  const targets = (row && decodeTellingRow(row)) ?? new Map();
  let state: TellingState = { ...startTelling(), targets };
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  let saving: Promise<void> = Promise.resolve();
  let known = new Map<string, Target>();

  const tell = async (id: string, address: Addresses, before: Addresses): Promise<void> => {
    try {
      await known.get(id)?.tell(address, before, stopping.signal);
      take({ kind: 'told', target: id });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!stopping.signal.aborted) take({ kind: 'failed', target: id, why });
    }
  };

  const act = (effect: TellingEffect): void => {
    switch (effect.kind) {
      case 'save':
        saving = saving
          .then(() => table.write([{ key: rowKey, value: encodeTellingRow(state) }]))
          .catch(failed);
        break;
      case 'tell': {
        const telling = tell(effect.target, effect.address, effect.before).finally(() =>
          underWay.delete(telling),
        );
        underWay.add(telling);
        break;
      }
      case 'way': {
        const shown = known.get(effect.target)?.shown ?? '';
        if (effect.works) events.add('address.told', `${shown} has this box's address again.`);
        else
          events.add(
            'address.untold',
            `${shown} could not be told of this box's address, and is tried again: ${visible(effect.why, 400)}.`,
          );
        break;
      }
    }
  };
  const take = (input: TellingInput): void => {
    const [next, effects] = stepTelling(state, input, clock.nowMs());
    state = next;
    for (const effect of effects) act(effect);
  };
  const configured = (): void => {
    known = targetsOf(config(), options.configFile, clock);
    take({ kind: 'targets', targets: [...known.keys()] });
  };
  const changed = (): void => take({ kind: 'address', address: options.publicAddress.current() });
  configured();
  changed();

  return {
    configured,
    changed,
    tick: () => {
      if (!stopping.signal.aborted) take({ kind: 'tick' });
    },
    facts: () =>
      [...state.targets].map(([id, target]) => {
        const { told, failing, nextAtMs } = target;
        return {
          to: known.get(id)?.shown ?? '',
          ipv4: told?.ipv4 ?? null,
          ipv6: told?.ipv6 ?? null,
          at: told === undefined ? null : isoTime(told.atMs),
          current: knowsAll(state, target),
          failing:
            failing === undefined
              ? null
              : { since: isoTime(failing.sinceMs), text: failing.why, nextTryAt: isoTime(nextAtMs) },
        };
      }),
    failures: () =>
      [...state.targets].flatMap(([id, { failing }]) =>
        failing === undefined
          ? []
          : [{ to: known.get(id)?.shown ?? '', sinceMs: failing.sinceMs, text: failing.why }],
      ),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.allSettled(underWay);
      await saving;
    },
  };
}

/** By what says which one it is: whoever is configured otherwise is told anew. */
function targetsOf({ address, name }: Config, configFile: string, clock: Clock): Map<string, Target> {
  const idOf = (...parts: unknown[]): string =>
    createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
  const targets = new Map<string, Target>();
  const [program, ...words] = address.hook;
  if (program !== undefined)
    targets.set(idOf('hook', address.hook), {
      shown: program,
      tell: async (now, before, signal) => {
        const document = {
          schema: 'peer.address.hook/1',
          box: name,
          at: isoTime(clock.nowMs()),
          ipv4: now.ipv4 ?? null,
          ipv6: now.ipv6 ?? null,
          before: { ipv4: before.ipv4 ?? null, ipv6: before.ipv6 ?? null },
        };
        await runHook([program, ...words], {
          input: `${JSON.stringify(document)}\n`,
          env: { COPAIN_IPV4: now.ipv4 ?? '', COPAIN_IPV6: now.ipv6 ?? '' },
          limits: { forMs: tellingLimits.hookMs, outputBytes: tellingLimits.outputBytes },
          signal,
        });
      },
    });
  for (const update of address.updates) {
    const names = update.names.map((one) => (one === '@' ? update.zone : `${one}.${update.zone}`));
    targets.set(idOf('update', update), {
      shown: `${names.join(', ')} at ${formatHostPort(update.server)}`,
      tell: async (now, _before, signal) => await updateNames(update, names, now, configFile, signal),
    });
  }
  return targets;
}

/** Rejects with why the server did not take it. The key is read each time, so that a new one needs no reload. */
async function updateNames(
  { server, zone, tsigFile, ttlS }: AddressUpdateConfig,
  names: readonly string[],
  { ipv4, ipv6 }: Addresses,
  configFile: string,
  signal: AbortSignal,
): Promise<void> {
  const key = tsigFile === undefined ? undefined : await readTsigFile(besideConfig(configFile, tsigFile));
  if (key !== undefined && 'why' in key) throw new Error(key.why);
  const why = await sendUpdate({
    address: server,
    update: {
      zone: nameOf(zone),
      names: names.map(nameOf),
      ipv4: ipv4 === undefined ? undefined : parseIpv4(ipv4),
      ipv6: ipv6 === undefined ? undefined : parseIpv6(ipv6),
      ttlS,
    },
    key,
    signal,
  });
  if (why !== undefined) throw new Error(why);
}
