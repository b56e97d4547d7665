import type { StatusFacts } from './facts.ts';
import type { TroubleKind } from './finding.ts';
import { statusLimits } from './limits.ts';
import { outOfCircle } from './membership-findings.ts';
import { serviceAlert } from './service-findings.ts';
import { allFindings, friendAlert } from './verdict.ts';

/** One thing that is wrong now and that the owner of this box wants to hear of, wherever he is. */
export interface Trouble {
  /** The same as long as it is the same trouble, also over a restart. */
  key: string;
  kind: TroubleKind;
  /** Names by which it can be muted. */
  about: readonly string[];
  weight: 'danger' | 'attention';
  text: string;
  /** What to do about it. */
  command: string;
  /** A higher one is worse, and said again. */
  stage: number;
  /** How long it has to stand before it is said, in ms. */
  afterMs: number;
  /** Since when it is so, where that is known better than by looking. */
  sinceMs?: number | undefined;
  /** What is said once it is over; undefined: that it is over. */
  over: string | undefined;
  /** It is a piece of news: nothing is said when it is over. */
  isNews: boolean;
}

/** What is wrong, and of what nobody can tell now whether it still is. */
export interface Troubles {
  troubles: Trouble[];
  /** Keys of troubles that may be there or not: a friend who is not judged yet, a service that nobody could try. */
  unsure: string[];
  /** This box sees nothing of the outside: it has just started, or its own line is cut. What is not seen may still be. */
  blind: boolean;
}

/**
 * The findings of the status that are worth an alert, the gravest first. Whatever the page does not call for attention
 * over is no alert, so that both tell the same.
 */
export function findTroubles(facts: StatusFacts, nowMs: number): Troubles {
  const blind = facts.line.state === 'cut' || nowMs - facts.startedAtMs < statusLimits.startGraceMs;
  const out = outOfCircle(facts);
  if (out !== undefined) {
    const trouble: Trouble = {
      key: 'circle/out',
      kind: 'circle',
      about: ['circle'],
      weight: 'danger',
      text: out.text,
      command: out.todo[0]?.command ?? 'peer status',
      stage: 1,
      afterMs: 0,
      over: 'This box is in its circle.',
      isNews: false,
    };
    return { troubles: [trouble], unsure: [], blind: true };
  }
  const troubles = allFindings(facts, nowMs).flatMap(({ weight, todo, alert }): Trouble[] => {
    if (alert === undefined || weight === 'hint') return [];
    const {
      key,
      kind,
      about,
      sinceMs,
      afterMs = 0,
      stage = 1,
      text = todo.text,
      over,
      isNews = false,
    } = alert;
    return [{ key, kind, about, weight, text, command: todo.command, stage, afterMs, sinceMs, over, isNews }];
  });
  const friends = facts.friends.filter(({ state }) => state === 'unknown' || state === 'suspect');
  const services = (facts.services ?? []).filter(({ isOwn, state }) => isOwn && state === 'unknown');
  return {
    troubles,
    unsure: [
      ...friends.map(({ name }) => friendAlert(name).key),
      ...services.map(({ service, target }) => serviceAlert(service, target).key),
    ],
    blind,
  };
}
