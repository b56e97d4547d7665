import type { Box } from '../box/box.ts';
import type { Circle } from '../circle.ts';
import { startMs as rightMs } from '../world/clock.ts';
import type { Checker, Report } from './checker.ts';

const secondMs = 1000;
const minuteMs = 60_000;
const afterMs = 180 * secondMs;
/** A try may be under way, and a beat a beat old. */
const slackMs = 15 * secondMs;
/** Cut → swapped at every secondary, at the latest; and this much for a circle that is busy with other faults. */
const swappedByMs = 205 * secondMs;
/** What was out of reach takes most of its silence to be missed. */
const cutUnnoticedMs = 32 * secondMs;
const toldAfterMs = minuteMs;
const steadyAfterMs = 5 * minuteMs;

/** Of one box and one site: can it be reached, since when, and since when it could not before that. */
interface Reach {
  isUp: boolean;
  sinceMs: number;
  outFromMs: number;
}

/**
 * Nobody votes for a standby without having missed the site for its time; no cut-off box votes at all; all who hear each other
 * answer the same, by a number that only rises; a home that is out is answered from its standby in time, and home in the end.
 */
export function checkTakeovers(run: Circle, broken: Report): Checker {
  const { agenda, net, sites } = run;
  const owners = run.people.flatMap(({ number, owns }) => (owns?.standby === undefined ? [] : [number]));
  const standbyOf = (owner: number): number => run.people[owner]?.owns?.standby ?? owner;
  const keyOf = (owner: number): string => `${run.people[owner]?.peer}/web`;
  const ownerOf = (service: string): number => run.numberOf(service.slice(0, service.indexOf('/')));
  const reach = new Map<string, Reach>();
  /** Since when a box does not reach a site's copy. */
  const standbyLostMs = new Map<string, number>();
  /** Since when a box is well, and hears another; undefined while it is not or does not. */
  const wellSinceMs: (number | undefined)[] = run.boxes.map(() => 0);
  const togetherSinceMs = new Map<number, number>();
  const fewSinceMs: (number | undefined)[] = run.boxes.map(() => undefined);
  const highest = new Map<string, number>();
  const swappedAfterMs: number[] = [];
  /** When the home itself was last lost, for the figures. */
  const lostAtMs = new Map<number, number>();
  const taken = new Set<string>();
  const counts = {
    swapVotes: 0,
    takeovers: 0,
    falseTakeovers: 0,
    handBacks: 0,
    homesOut: 0,
    homesOutJudged: 0,
  };

  const pairOf = (a: number, b: number): number => Math.min(a, b) * run.size + Math.max(a, b);
  const isWell = (box: Box): boolean => box.on && net.isLineUp(box.number);
  const members = (): Box[] => run.boxes.filter((box) => run.isIn(box) && run.friendsOf(box).length > 0);
  const reaches = (a: Box, b: Box): boolean =>
    a === b || (isWell(a) && isWell(b) && net.connects(a.number, b.number));
  const heldForMs = (sinceMs: number | undefined): number => agenda.nowMs() - (sinceMs ?? agenda.nowMs());
  const isSteady = (box: Box, forMs = steadyAfterMs): boolean => heldForMs(wellSinceMs[box.number]) > forMs;
  const areSteady = (a: Box, b: Box, forMs = steadyAfterMs): boolean =>
    a === b ||
    (heldForMs(togetherSinceMs.get(pairOf(a.number, b.number)) ?? 0) > forMs && run.talk(a.number, b.number));
  const numberAt = (box: Box, owner: number) => box.takeovers.services().get(keyOf(owner))?.standing;
  const isPinned = (owner: number): boolean =>
    run.box(owner).takeovers.services().get(keyOf(owner))?.entry.pin !== 'obey';

  const noteFew = (box: Box): void => {
    const running = members().filter(isWell);
    const within = members().filter((other) => reaches(box, other)).length;
    const isFew = 2 * within < running.length;
    if (!isFew) fewSinceMs[box.number] = undefined;
    else fewSinceMs[box.number] ??= agenda.nowMs();
  };
  const noteBox = (box: Box): void => {
    if (!isWell(box)) wellSinceMs[box.number] = undefined;
    else wellSinceMs[box.number] ??= agenda.nowMs();
  };
  const notePair = (a: Box, b: Box): void => {
    const pair = pairOf(a.number, b.number);
    // Undefined has been so from the start.
    if (!reaches(a, b)) togetherSinceMs.set(pair, Number.POSITIVE_INFINITY);
    else if (togetherSinceMs.get(pair) === Number.POSITIVE_INFINITY)
      togetherSinceMs.set(pair, agenda.nowMs());
  };
  const noteReach = (box: number, owner: number): void => {
    const place = `${box} ${owner}`;
    const isUp = sites.answers(box, owner, 'primary');
    if (sites.answers(box, owner, 'standby')) standbyLostMs.delete(place);
    else if (!standbyLostMs.has(place)) standbyLostMs.set(place, agenda.nowMs());
    const before = reach.get(place) ?? { isUp: true, sinceMs: 0, outFromMs: 0 };
    if (before.isUp === isUp) return;
    const nowMs = agenda.nowMs();
    // A site that is back for less than a try may take is seen by nobody.
    const isBlip = !isUp && nowMs - before.sinceMs < slackMs;
    const outFromMs = isUp || isBlip ? before.outFromMs : nowMs;
    reach.set(place, { isUp, sinceMs: nowMs, outFromMs });
  };
  sites.onChange(noteReach);

  /** The home as such is gone, box and site: by its line or its power. */
  const homeLost = (owner: Box): void => {
    const sinceMs = agenda.nowMs();
    if (lostAtMs.has(owner.number)) return;
    lostAtMs.set(owner.number, sinceMs);
    counts.homesOut += 1;
    const wasHome = numberAt(run.box(standbyOf(owner.number)), owner.number)?.onStandby === false;
    const there = members().filter(
      (box) => box !== owner && isSteady(box) && areSteady(box, owner, 30 * secondMs),
    );
    agenda.after(swappedByMs, () => {
      if (lostAtMs.get(owner.number) !== sinceMs || !wasHome || isPinned(owner.number)) return;
      const judges = there.filter(
        (box) =>
          run.isIn(box) &&
          isSteady(box) &&
          !box.disk.isFull() &&
          there.every((other) => areSteady(box, other)) &&
          sites.answers(box.number, owner.number, 'standby') &&
          // Whoever heard too few for a while counts every silence anew from then on.
          2 * there.filter((other) => isSteady(other) && areSteady(box, other)).length > members().length,
      );
      // Votes of one certificate are within ten minutes, by the clocks of those who vote.
      const inTime = judges.filter((box) => Math.abs(box.clock.localMs(0) - rightMs) < minuteMs);
      if (inTime.length < Math.max(2, Math.floor((members().length - 1) / 2) + 1)) return;
      counts.homesOutJudged += 1;
      for (const judge of judges)
        if (numberAt(judge, owner.number)?.onStandby !== true)
          broken(
            'swapped-in-time',
            `box ${owner.number} is out for ${swappedByMs / secondMs} s, and box ${judge.number} answers ${numberAt(judge, owner.number)?.number}`,
          );
    });
  };
  const noteHome = (box: Box): void => {
    if (!owners.includes(box.number)) return;
    // A site goes on while only the agent beside it is off.
    if (net.isLineUp(box.number) && sites.hasPower(box.number)) lostAtMs.delete(box.number);
    else homeLost(box);
  };
  const note = (box: Box): void => {
    noteHome(box);
    noteBox(box);
  };
  net.onChange((a, b) => {
    for (const number of [a, b]) note(run.box(number));
    notePair(run.box(a), run.box(b));
    for (const number of [a, b]) noteFew(run.box(number));
  });

  const checkVote = (box: Box, service: string, number: number): void => {
    counts.swapVotes += 1;
    const fewMs = heldForMs(fewSinceMs[box.number]);
    if (fewMs > cutUnnoticedMs)
      broken(
        'cut-off-never-acts',
        `box ${box.number} votes for ${number}, in a minority for ${Math.round(fewMs / secondMs)} s`,
      );
    if (number % 2 === 0) return;
    const { isUp, sinceMs, outFromMs } = reach.get(`${box.number} ${ownerOf(service)}`) ?? {
      isUp: true,
      sinceMs: 0,
      outFromMs: 0,
    };
    const outForMs = (isUp && heldForMs(sinceMs) > slackMs ? outFromMs : agenda.nowMs()) - outFromMs;
    const standbyMs = heldForMs(standbyLostMs.get(`${box.number} ${ownerOf(service)}`));
    if (standbyMs > minuteMs)
      broken(
        'fails-open',
        `box ${box.number} votes for ${number}, and its standby is out for ${Math.round(standbyMs / secondMs)} s`,
      );
    if (outForMs < afterMs - slackMs)
      broken(
        'vote-has-a-reason',
        `box ${box.number} votes for ${number}, and missed the site for ${Math.round(outForMs / secondMs)} s`,
      );
  };

  const checkCertificate = (box: Box, service: string, number: number, voters: readonly string[]): void => {
    if (number % 2 === 0) return;
    // What friends answer already was agreed before; whoever certifies it again, as after a restart, moves nobody.
    const isInForce = taken.has(`${service} ${number}`);
    // A newcomer, or somebody removed, may not be known to all.
    if (voters.length < 2 || 2 * voters.length <= members().length - 3)
      broken(
        'majority-decides',
        `box ${box.number} certifies ${number} with ${voters.length} votes of ${members().length} members`,
      );
    const owner = ownerOf(service);
    const reaching = members().filter(({ number: from }) => {
      const seen = reach.get(`${from} ${owner}`);
      return (
        from !== owner &&
        run.box(from).on &&
        (seen === undefined || (seen.isUp && heldForMs(seen.sinceMs) > minuteMs))
      );
    });
    if (isInForce || 2 * reaching.length <= members().length - 1) return;
    counts.falseTakeovers += 1;
    broken(
      'no-false-takeover',
      `box ${owner} is taken over, and ${reaching.length} of ${members().length - 1} reach its site`,
    );
  };

  const checkAnswer = (
    box: Box,
    seen: { service: string; number: number; onStandby: boolean; by: string },
  ): void => {
    const { service, number } = seen;
    const owner = ownerOf(service);
    const place = `${box.number} ${service}`;
    const before = highest.get(place) ?? 0;
    if (number < before)
      broken('answers-only-rise', `box ${box.number} goes from ${before} back to ${number} of box ${owner}`);
    highest.set(place, number);
    if (number <= before) return;
    const lostMs = lostAtMs.get(owner);
    // Who had lost the site before by a fault of its own or of the way there is no measure.
    const outFromMs = reach.get(`${box.number} ${owner}`)?.outFromMs ?? 0;
    const lostItThen = lostMs !== undefined && Math.abs(outFromMs - lostMs) < secondMs;
    if (seen.onStandby && seen.by === 'friends' && lostItThen && box.number !== owner)
      swappedAfterMs.push(agenda.nowMs() - lostMs);
    if (!taken.has(`${service} ${number}`) && seen.by === 'friends') {
      taken.add(`${service} ${number}`);
      if (seen.onStandby) counts.takeovers += 1;
      else counts.handBacks += 1;
    }
    const sinceMs = agenda.nowMs();
    agenda.after(toldAfterMs, () => {
      for (const other of members()) {
        if (other === box || !isSteady(other) || other.disk.isFull() || !run.isIn(box)) continue;
        if (!areSteady(box, other, steadyAfterMs) || !isSteady(box) || other.startedAtMs > sinceMs) continue;
        const there = numberAt(other, owner)?.number ?? 0;
        if (there < number)
          broken(
            'one-answer',
            `box ${other.number} answers ${there} of box ${owner}, and box ${box.number} ${number}`,
          );
      }
    });
  };

  run.watch((box, seen) => {
    if (seen.kind === 'started' || seen.kind === 'stopped')
      agenda.after(0, () => {
        note(box);
        for (const other of run.boxes) if (other !== box) notePair(box, other);
        for (const other of run.boxes) noteFew(other);
      });
    else if (seen.kind === 'takeover-vote' && seen.stands) checkVote(box, seen.service, seen.number);
    else if (seen.kind === 'takeover-certified')
      checkCertificate(box, seen.service, seen.number, seen.voters);
    else if (seen.kind === 'takeover-answers') checkAnswer(box, seen);
  });

  return {
    atEnd: () => {
      for (const owner of owners) {
        const own = numberAt(run.box(owner), owner);
        for (const box of members()) {
          const there = numberAt(box, owner);
          if (there?.onStandby === false && there.number === own?.number) continue;
          broken(
            'home-in-the-end',
            `box ${box.number} answers ${there?.number} of box ${owner}, which says ${own?.number}`,
          );
        }
      }
    },
    figures: () => {
      const sorted = swappedAfterMs.toSorted((a, b) => a - b);
      const at = (share: number): number => Math.round(sorted[Math.floor(share * sorted.length)] ?? 0);
      return {
        ...counts,
        swappedLeastMs: at(0),
        swappedMedianMs: at(0.5),
        swapped99Ms: at(0.99),
      };
    },
  };
}
