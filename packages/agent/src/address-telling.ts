import { isDue } from '@copain/core';
import { tellingLimits } from './telling-limits.ts';

/** The public addresses that count; undefined: none of this kind does. */
export interface Addresses {
  ipv4: string | undefined;
  ipv6: string | undefined;
}

/** Somebody who is told when the address changes. Instants in ms since 1970. */
export interface ToldTarget {
  /** What he took last, and when. */
  told: (Addresses & { atMs: number }) | undefined;
  /** What is on its way to him. */
  telling: Addresses | undefined;
  failing: { sinceMs: number; failures: number; why: string } | undefined;
  /** Not told before. */
  nextAtMs: number;
}

export interface TellingState {
  address: Addresses;
  /** By what `peer.toml` says of him, so that a change of that is told as well. */
  targets: ReadonlyMap<string, ToldTarget>;
}

export type TellingInput =
  /** Who is to be told. First of all, and at each reload. */
  | { kind: 'targets'; targets: readonly string[] }
  /** What counts now. At the start, and at each change. */
  | { kind: 'address'; address: Addresses }
  /** Every second. */
  | { kind: 'tick' }
  /** What became of it. */
  | { kind: 'told'; target: string }
  | { kind: 'failed'; target: string; why: string };

/** What is to be done, in this order. */
export type TellingEffect =
  /** Have it on disk, so that nobody is told again after a restart. */
  | { kind: 'save' }
  /** Tell him, and answer with `told` or `failed`. `before`: what he was told before. */
  | { kind: 'tell'; target: string; address: Addresses; before: Addresses }
  /** He took it after failures, or did not for the first time. */
  | { kind: 'way'; target: string; works: boolean; why: string };

export const startTelling = (): TellingState => ({
  address: { ipv4: undefined, ipv6: undefined },
  targets: new Map(),
});

/** Who has to be told what, after this input. `nowMs` must come from one clock throughout. */
export function stepTelling(
  before: TellingState,
  input: TellingInput,
  nowMs: number,
): [TellingState, TellingEffect[]] {
  switch (input.kind) {
    case 'targets': {
      const targets = new Map(
        input.targets.map((name): [string, ToldTarget] => [
          name,
          before.targets.get(name) ?? {
            told: undefined,
            telling: undefined,
            failing: undefined,
            nextAtMs: 0,
          },
        ]),
      );
      return tellDue({ ...before, targets }, nowMs);
    }
    case 'address': {
      // Another address has not been refused by anybody yet.
      const targets = new Map(
        [...before.targets].map(([name, target]): [string, ToldTarget] => [
          name,
          target.failing === undefined ? target : { ...target, nextAtMs: Math.min(target.nextAtMs, nowMs) },
        ]),
      );
      return tellDue({ address: input.address, targets }, nowMs);
    }
    case 'tick':
      return tellDue(before, nowMs);
    case 'told':
      return answered(before, input.target, undefined, nowMs);
    case 'failed':
      return answered(before, input.target, input.why, nowMs);
  }
}

/** Is there an address that he does not have? What is not known is nobody's news. */
function isNews({ ipv4, ipv6 }: Addresses, told: Addresses | undefined): boolean {
  return (ipv4 !== undefined && ipv4 !== told?.ipv4) || (ipv6 !== undefined && ipv6 !== told?.ipv6);
}

/** Was he told all that counts now? */
export const knowsAll = ({ address }: TellingState, { told }: ToldTarget): boolean => !isNews(address, told);

function tellDue(state: TellingState, nowMs: number): [TellingState, TellingEffect[]] {
  const targets = new Map(state.targets);
  const effects: TellingEffect[] = [];
  for (const [name, target] of state.targets) {
    const mayBeTold = target.telling === undefined && isDue(target.nextAtMs, nowMs, tellingLimits.retryMaxMs);
    if (!mayBeTold || !isNews(state.address, target.told)) continue;
    targets.set(name, { ...target, telling: state.address });
    const { ipv4, ipv6 } = target.told ?? {};
    effects.push({ kind: 'tell', target: name, address: state.address, before: { ipv4, ipv6 } });
  }
  return effects.length === 0 ? [state, []] : [{ ...state, targets }, effects];
}

/** Of somebody who is no longer to be told nothing is remembered. */
function answered(
  before: TellingState,
  name: string,
  why: string | undefined,
  nowMs: number,
): [TellingState, TellingEffect[]] {
  const target = before.targets.get(name);
  if (target?.telling === undefined) return [before, []];
  const { telling, told, failing } = target;
  const withTarget = (next: ToldTarget): TellingState => ({
    ...before,
    targets: new Map(before.targets).set(name, next),
  });
  if (why === undefined) {
    const took = { ipv4: telling.ipv4 ?? told?.ipv4, ipv6: telling.ipv6 ?? told?.ipv6, atMs: nowMs };
    const next = {
      told: took,
      telling: undefined,
      failing: undefined,
      nextAtMs: nowMs + tellingLimits.restMs,
    };
    const way: TellingEffect[] =
      failing === undefined ? [] : [{ kind: 'way', target: name, works: true, why: '' }];
    return [withTarget(next), [{ kind: 'save' }, ...way]];
  }
  const failures = (failing?.failures ?? 0) + 1;
  const waitMs = Math.min(
    tellingLimits.retryMaxMs,
    tellingLimits.retryFirstMs * 2 ** Math.min(20, failures - 1),
  );
  const next = {
    told,
    telling: undefined,
    failing: { sinceMs: failing?.sinceMs ?? nowMs, failures, why: why.slice(0, tellingLimits.whyCharacters) },
    nextAtMs: nowMs + waitMs,
  };
  return [withTarget(next), failing === undefined ? [{ kind: 'way', target: name, works: false, why }] : []];
}
