import type { Box } from '../box/box.ts';
import type { Circle } from '../circle.ts';
import type { Checker, Report } from './checker.ts';

const secondMs = 1000;
const minuteMs = 60_000;

/** When silence must have been noticed, and when an outage must have been agreed. */
const noticedAfterMs = 46 * secondMs;
const missedAfterMs = 10 * minuteMs;
/** No vote is older than a silence of 35 s, and no suspicion than one of 30 s. */
const hastyBeforeMs = 34 * secondMs;
const hastySilenceMs = 29 * secondMs;
/** So long a box may take most of the circle for heard that a cut has just taken away: a silence of 30 s, and packets late. */
const cutUnnoticedMs = 32 * secondMs;
/** Who judges heard most of the circle 22 s after the last word of whom he judges, and that is a beat old when a cut comes. */
const outlastedMs = 10 * secondMs;
/** Whoever has been well for so long counts as a witness. */
const steadyAfterMs = 2 * minuteMs;

/**
 * Nobody is called down for sure while he runs and two others hear him, nor by a box in a minority; every silence is
 * noticed, every outage of more than ten minutes agreed.
 */
export function checkLiveness(run: Circle, broken: Report): Checker {
  const { agenda, net } = run;
  /** Since when a box runs with its line up, or has not; and of each pair since when packets pass. */
  const wellSinceMs: (number | undefined)[] = run.boxes.map(() => 0);
  const ailsSinceMs: (number | undefined)[] = run.boxes.map(() => undefined);
  const apartSinceMs = new Map<number, number>();
  const togetherSinceMs = new Map<number, number>();
  const agreedMs: number[] = [];
  const counts = {
    verdicts: 0,
    falseVerdicts: 0,
    outagesOver10Min: 0,
    missedOutages: 0,
  };

  /** How long a box was not well before it became so again. */
  const ailedForMs: number[] = run.boxes.map(() => 0);

  const pairOf = (a: Box, b: Box): number =>
    Math.min(a.number, b.number) * run.size + Math.max(a.number, b.number);
  const isWell = (box: Box): boolean => box.on && net.isLineUp(box.number);
  const members = (): Box[] => run.boxes.filter((box) => run.isIn(box) && run.friendsOf(box).length > 0);
  const reaches = (a: Box, b: Box): boolean =>
    a === b || (isWell(a) && isWell(b) && net.connects(a.number, b.number));
  const inReach = (from: Box): Box[] => members().filter((box) => reaches(from, box));

  const note = (box: Box): void => {
    const nowMs = agenda.nowMs();
    const wasWell = wellSinceMs[box.number] !== undefined;
    if (isWell(box) === wasWell) return;
    if (!wasWell) ailedForMs[box.number] = nowMs - (ailsSinceMs[box.number] ?? nowMs);
    wellSinceMs[box.number] = wasWell ? undefined : nowMs;
    ailsSinceMs[box.number] = wasWell ? nowMs : undefined;
    if (!wasWell) return;
    agenda.after(noticedAfterMs, () => checkNoticed(box, nowMs));
    agenda.after(missedAfterMs, () => checkAgreed(box, nowMs));
  };
  const notePath = (a: Box, b: Box): void => {
    const pair = pairOf(a, b);
    const works = reaches(a, b);
    if (works) apartSinceMs.delete(pair);
    else if (!apartSinceMs.has(pair)) apartSinceMs.set(pair, agenda.nowMs());
    if (!works) togetherSinceMs.delete(pair);
    else if (!togetherSinceMs.has(pair)) togetherSinceMs.set(pair, agenda.nowMs());
  };
  net.onChange((a, b) => {
    note(run.box(a));
    note(run.box(b));
    notePath(run.box(a), run.box(b));
  });

  const stateOf = (observer: Box, about: Box) => observer.watch.view().friends.get(about.person.peer);
  const isSteady = (box: Box): boolean =>
    agenda.nowMs() - (wellSinceMs[box.number] ?? agenda.nowMs()) > steadyAfterMs;
  const together = (a: Box, b: Box): boolean =>
    a === b || agenda.nowMs() - (togetherSinceMs.get(pairOf(a, b)) ?? agenda.nowMs()) > steadyAfterMs;

  const checkNoticed = (about: Box, sinceMs: number): void => {
    if (ailsSinceMs[about.number] !== sinceMs) return;
    for (const observer of members()) {
      const startedMs = agenda.nowMs() - observer.startedAtMs;
      if (observer === about || !observer.on || startedMs < noticedAfterMs) continue;
      if (stateOf(observer, about)?.state !== 'up') continue;
      broken('silence-noticed', `box ${observer.number} has not noticed that box ${about.number} is gone`);
    }
  };

  /** Those who are well, hear each other, and are more than half of the circle, can judge, and must have done so. */
  const checkAgreed = (about: Box, sinceMs: number): void => {
    if (ailsSinceMs[about.number] !== sinceMs || !run.isIn(about)) return;
    counts.outagesOver10Min += 1;
    const witnesses = members().filter((box) => box !== about && isSteady(box) && !box.disk.isFull());
    const hear = (a: Box, b: Box): boolean => together(a, b) && (a === b || run.talk(a.number, b.number));
    const judges = witnesses.filter((box) => witnesses.every((other) => hear(box, other)));
    if (judges.length < 2 || 2 * judges.length <= members().length) return;
    for (const judge of judges) {
      const friend = stateOf(judge, about);
      if (friend === undefined || (friend.state === 'down' && friend.confirmed)) continue;
      counts.missedOutages += 1;
      broken(
        'outage-agreed',
        `box ${about.number} is gone for ten minutes, and box ${judge.number} calls it ${friend.state}`,
      );
    }
  };

  /**
   * How many a box reached when it found out that another was gone. Nobody knows at once that he was cut off himself: what he
   * and most of the circle found out before, that he may still say.
   */
  const reachedBefore = (observer: Box, about: Box): number => {
    const apartMs = (box: Box): number | undefined => apartSinceMs.get(pairOf(observer, box));
    const lostMs = apartMs(about) ?? agenda.nowMs();
    const thenMs = Math.max(agenda.nowMs() - cutUnnoticedMs, lostMs + outlastedMs);
    return members().filter((box) => box === observer || (apartMs(box) ?? Number.POSITIVE_INFINITY) > thenMs)
      .length;
  };

  const checkVerdict = (observer: Box, about: Box): void => {
    counts.verdicts += 1;
    const nowMs = agenda.nowMs();
    const ailsMs = ailsSinceMs[about.number];
    // Whoever was away himself when it began could not agree in time.
    const wasThere = ailsMs !== undefined && (wellSinceMs[observer.number] ?? nowMs) < ailsMs;
    if (wasThere && observer.startedAtMs < ailsMs) agreedMs.push(nowMs - ailsMs);
    if (!isWell(about)) return;
    const within = inReach(observer).length;
    const running = members().filter(({ on }) => on).length;
    if (2 * within < running && 2 * reachedBefore(observer, about) < running)
      broken(
        'minority-is-silent',
        `box ${observer.number} judges box ${about.number} from a minority of ${within}`,
      );
    const hearing = members().filter(
      (box) =>
        box !== observer &&
        box !== about &&
        2 * inReach(box).length > members().length &&
        together(box, about) &&
        isSteady(about) &&
        run.talk(box.number, about.number),
    );
    if (hearing.length < 2) return;
    counts.falseVerdicts += 1;
    const names = hearing.map(({ number }) => number).join(', ');
    broken(
      'no-false-verdict',
      `box ${observer.number} calls box ${about.number} down, and boxes ${names} hear it`,
    );
  };

  /** One observer never decides, and nobody counts who is gone himself. */
  const checkWitnesses = (observer: Box, about: Box, seenDownBy: readonly string[]): void => {
    if (seenDownBy.length < 2)
      broken(
        'two-witnesses',
        `box ${observer.number} calls box ${about.number} down by ${seenDownBy.length} votes`,
      );
    for (const peer of seenDownBy) {
      const voter = run.box(run.numberOf(peer));
      const goneMs = agenda.nowMs() - (ailsSinceMs[voter.number] ?? agenda.nowMs());
      if (voter !== observer && goneMs > minuteMs)
        broken(
          'witnesses-are-there',
          `the vote of box ${voter.number} counts, which is gone for ${Math.round(goneMs / secondMs)} s`,
        );
    }
  };

  /** Whoever comes back from his own outage gives everybody the time to be heard again. */
  const checkVote = (observer: Box, about: Box): void => {
    const wellMs = agenda.nowMs() - (wellSinceMs[observer.number] ?? Number.NEGATIVE_INFINITY);
    const wasOut = (ailedForMs[observer.number] ?? 0) > noticedAfterMs;
    if (wasOut && wellMs < hastyBeforeMs)
      broken(
        'no-hasty-vote',
        `box ${observer.number}, back for ${Math.round(wellMs / secondMs)} s, votes against box ${about.number}`,
      );
  };

  const checkSuspicion = (observer: Box, about: Box): void => {
    const heardMs = run.streams.heardMs(observer, about);
    if (heardMs === undefined || agenda.nowMs() - heardMs >= hastySilenceMs) return;
    broken(
      'no-false-suspicion',
      `box ${observer.number} suspects box ${about.number}, which it heard just now`,
    );
  };

  run.watch((box, seen) => {
    if (seen.kind === 'started' || seen.kind === 'stopped') {
      agenda.after(0, () => {
        note(box);
        for (const other of run.boxes) if (other !== box) notePath(box, other);
      });
      return;
    }
    if (seen.kind === 'own-vote' && seen.silent) checkVote(box, run.box(run.numberOf(seen.about)));
    if (seen.kind !== 'friend') return;
    const about = run.box(run.numberOf(seen.about));
    const isDown = seen.to === 'down' && seen.confirmed;
    if (seen.to === 'suspect') checkSuspicion(box, about);
    if (isDown) {
      checkVerdict(box, about);
      checkWitnesses(box, about, seen.seenDownBy);
    }
  });

  return {
    atEnd: () => {
      for (const box of members()) {
        if (!box.on) continue;
        const view = box.watch.view();
        const bad = [...view.friends.values()].filter(({ state }) => state !== 'up');
        for (const { peer, state } of bad)
          broken('all-well-in-the-end', `box ${box.number} calls box ${run.numberOf(peer)} ${state}`);
        if (view.line !== 'ok')
          broken('all-well-in-the-end', `box ${box.number} takes its own line for ${view.line}`);
        for (const record of box.records.knowledge().records.values())
          if (
            record.kind === 'vote' &&
            record.signed.record.silent &&
            run.friendsOf(box).includes(record.signed.signer) &&
            run.isIn(run.box(run.numberOf(record.signed.record.about)))
          )
            broken(
              'no-vote-is-left',
              `a vote of box ${run.numberOf(record.signed.signer)} still stands at box ${box.number}`,
            );
      }
    },
    figures: () => {
      const sorted = agreedMs.toSorted((a, b) => a - b);
      return {
        ...counts,
        downAgreedMedianMs: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
        downAgreed99Ms: Math.round(sorted[Math.floor(0.99 * sorted.length)] ?? 0),
      };
    },
  };
}
