import { seededRandom } from '@copain/core/testing';
import type { Broken } from './checkers/checker.ts';
import { checkLiveness } from './checkers/liveness.ts';
import { checkMail } from './checkers/mail.ts';
import { checkRecords } from './checkers/records.ts';
import { checkTakeovers } from './checkers/takeovers.ts';
import { checkZones } from './checkers/zones.ts';
import { circle } from './circle.ts';
import { edits } from './scenarios/edits.ts';
import { forgeries } from './scenarios/forgeries.ts';
import { membership } from './scenarios/membership.ts';
import { type MixName, mixes, mixNames } from './scenarios/mixes.ts';
import { outages } from './scenarios/outages.ts';
import { senders } from './scenarios/senders.ts';
import { services } from './scenarios/services.ts';

export interface SimulationOptions {
  boxes: number;
  days: number;
  seed: number;
  /** Which mixes of faults, one after the other in equal parts; default: all. */
  mixes?: readonly MixName[];
  /** Simulate every beat and tick? */
  full?: boolean;
  /** How long everything has to heal after the last fault; default: a day. */
  healingMs?: number;
  progress?: (doneDays: number) => void;
}

/** What a run brought to light. */
export interface SimulationReport {
  seed: number;
  boxes: number;
  days: number;
  /** With the time in which everything heals. */
  simulatedDays: number;
  mixes: readonly MixName[];
  figures: Record<string, number>;
  broken: Broken[];
  digest: string;
  events: number;
}

const dayMs = 86_400_000;
/** Every fault has ended so long after the last one began; then a sender may still wait four hours, and a head six. */
const lastFaultMs = 3_600_000;
const healingDefaultMs = dayMs;
/** One broken rule is told so often; a bug breaks it thousands of times. */
const toldPerRule = 5;

/** One run: a circle, faults, edits, mail, membership and lies, and the checkers that watch. The same options, the same report. */
export function simulate(options: SimulationOptions): SimulationReport {
  const { boxes, days, seed, full = false } = options;
  const chosen = options.mixes ?? mixNames;
  const untilMs = days * dayMs;
  const run = circle({ boxes, seed, joinLater: boxes >= 4 ? 1 : 0, full });
  const random = (what: number) => seededRandom(seed * 16 + what);
  const broken: Broken[] = [];
  const told = new Map<string, number>();
  const report = (rule: string, text: string): void => {
    const count = (told.get(rule) ?? 0) + 1;
    told.set(rule, count);
    if (count <= toldPerRule) broken.push({ rule, atMs: Math.round(run.agenda.nowMs()), text });
  };

  const partMs = untilMs / chosen.length;
  for (const [i, name] of chosen.entries()) {
    outages(run, {
      mix: mixes[name],
      random: random(1 + i),
      fromMs: Math.max(5 * 60_000, i * partMs),
      untilMs: (i + 1) * partMs,
      healedMs: untilMs + lastFaultMs,
    });
  }
  edits(run, { random: random(8), untilMs, perDay: 0.4 });
  senders(run, { random: random(9), untilMs, perDay: 12 });
  membership(run, { untilMs });
  services(run, { random: random(11), untilMs, endMs: untilMs + (options.healingMs ?? healingDefaultMs) });
  const forged = forgeries(run, { random: random(10), untilMs, perDay: 2 });
  const checkers = [
    checkLiveness(run, report),
    checkRecords(run, report, forged),
    checkZones(run, report),
    checkMail(run, report),
    checkTakeovers(run, report),
  ];
  for (const box of run.boxes) if (run.isIn(box)) run.start(box);
  const endMs = untilMs + (options.healingMs ?? healingDefaultMs);
  for (let atMs = dayMs; atMs < endMs + dayMs; atMs += dayMs) {
    run.agenda.runUntil(Math.min(atMs, endMs));
    options.progress?.(Math.min(atMs, endMs) / dayMs);
  }
  for (const checker of checkers) checker.atEnd();
  const figures = Object.assign({}, ...checkers.map((checker) => checker.figures())) as Record<
    string,
    number
  >;
  figures.forged = forged.size;
  figures.falseTakeoversPerBoxMonth = (figures.falseTakeovers ?? 0) / (boxes * (days / 30));
  return {
    seed,
    boxes,
    days,
    simulatedDays: endMs / dayMs,
    mixes: chosen,
    figures,
    broken,
    digest: run.digest(),
    events: run.agenda.done(),
  };
}
