import { humanDuration, visible } from '@copain/core';
import type { StatusFacts, ZoneFacts } from './facts.ts';
import { type AlertMark, type Finding, groupBy } from './finding.ts';
import { joinNames, shellWord } from './wording.ts';

/** From here on the copies of one of our zones are worth more than a look, where no friend has a younger one. */
const gravePercent = 75;
/** Names by which one alert can be muted: more are not typed. */
const namesMax = 20;

const leftMs = (ends: readonly (number | undefined)[], nowMs: number): number =>
  Math.min(...ends.map((endMs) => (endMs ?? nowMs) - nowMs));

/** Friends' zones that their owners did not refresh for long: one finding for each owner, and one for what has ended. */
export function friendsZonesFindings({ zones }: StatusFacts, nowMs: number): Finding[] {
  const aged = zones.filter(
    ({ role, expiresAtMs, agedPercent = 0 }) =>
      role === 'secondary' && expiresAtMs !== undefined && agedPercent > 0,
  );
  const answer = ({ owner, agedPercent = 0 }: ZoneFacts): string => `${agedPercent === 100} ${owner}`;
  return groupBy(aged, answer).flatMap((group): Finding[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { owner } = first;
    const hasEnded = first.agedPercent === 100;
    const end = hasEnded
      ? `no longer answered (SERVFAIL) until ${visible(owner)}'s box is heard`
      : `answered for ${humanDuration(
          leftMs(
            group.map(({ expiresAtMs }) => expiresAtMs),
            nowMs,
          ),
        )} more`;
    const names = joinNames(group.map(({ origin }) => origin));
    const [was, is] = group.length === 1 ? ['was', 'is'] : ['were', 'are'];
    const text = `${names} of ${visible(owner)} ${was} not refreshed and ${is} ${end}.`;
    const command = `peer friends show ${shellWord(owner)}`;
    const alert: AlertMark = {
      key: `zone/of/${owner}/${hasEnded ? 'ended' : 'age'}`,
      kind: 'zone',
      about: [owner, ...group.map(({ origin }) => origin).slice(0, namesMax)],
      stage: Math.max(...group.map(({ agedPercent = 0 }) => agedPercent)),
      over: `Zones of ${visible(owner)} are refreshed again.`,
    };
    return [{ weight: hasEnded ? 'danger' : 'attention', todo: { text, command }, alert }];
  });
}

/**
 * Copies of our zones whose keepers had no word from this box for long: one finding for each of them. Of a friend whose
 * box is away for all, that is said already.
 */
export function agedCopiesFindings({ zones, friends }: StatusFacts, nowMs: number): Finding[] {
  const isAway = (name: string): boolean =>
    friends.some((friend) => friend.name === name && friend.state === 'down' && friend.confirmed);
  const copies = zones
    .filter(({ role }) => role === 'primary')
    .flatMap((zone) => {
      const youngest = Math.min(
        ...zone.friends.map(({ serial, agedPercent = 0 }) => (serial === undefined ? 100 : agedPercent)),
      );
      return zone.friends
        .filter(({ agedPercent = 0, name }) => agedPercent > 0 && !isAway(name))
        .map((copy) => ({ ...copy, origin: zone.origin, isGrave: youngest >= gravePercent }));
    });
  const answer = ({ name, agedPercent = 0, isGrave }: (typeof copies)[number]): string =>
    `${agedPercent === 100} ${isGrave} ${name}`;
  return groupBy(copies, answer).flatMap((group): Finding[] => {
    const [first] = group;
    if (first === undefined) return [];
    const names = joinNames(group.map(({ origin }) => origin));
    const who = visible(first.name);
    const span = humanDuration(
      leftMs(
        group.map(({ expiresAtMs }) => expiresAtMs),
        nowMs,
      ),
    );
    const text =
      first.agedPercent === 100
        ? `${who}'s copy of ${names} had no word from this box for too long: he does not answer it any more.`
        : `${who}'s copy of ${names} had no word from this box for long: he answers it for ${span} more.`;
    const command = `peer friends show ${shellWord(first.name)}`;
    const alert: AlertMark = {
      key: `zone/at/${first.name}/${first.agedPercent === 100 ? 'ended' : first.isGrave ? 'grave' : 'age'}`,
      kind: 'zone',
      about: [first.name, ...group.map(({ origin }) => origin).slice(0, namesMax)],
      stage: Math.max(...group.map(({ agedPercent = 0 }) => agedPercent)),
      over: `${who} hears of your zones again.`,
    };
    return [{ weight: first.isGrave ? 'danger' : 'attention', todo: { text, command }, alert }];
  });
}
