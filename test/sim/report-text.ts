import type { SimulationReport } from './simulate.ts';

/** What a run is told with beside its own report: how long it took. */
export interface TimedReport extends SimulationReport {
  cpuSeconds: number;
  wallSeconds: number;
  timesRealTime: number;
}

const seconds = (ms = 0): string => `${(ms / 1000).toFixed(1)} s`;

/** The report for a person; the last lines are the broken rules, or that there are none. */
export function reportText(report: TimedReport): string {
  const { seed, boxes, days, simulatedDays, mixes, figures: f, broken, digest } = report;
  const again = `scripts/simulate --boxes ${boxes} --days ${days} --seed ${seed}`;
  const lines = [
    `seed ${seed}: ${boxes} boxes, ${days} days of faults (${mixes.join(', ')}), ${simulatedDays} days in all`,
    `speed: ${report.cpuSeconds.toFixed(1)} s of one core, ${report.timesRealTime.toLocaleString('en')} × real time`,
    `outages over 10 min: ${f.outagesOver10Min}, missed: ${f.missedOutages}; verdicts: ${f.verdicts}, false: ${f.falseVerdicts}`,
    `silence agreed after: median ${seconds(f.downAgreedMedianMs)}, 99 % within ${seconds(f.downAgreed99Ms)}`,
    `homes lost: ${f.homesOut}; takeovers: ${f.takeovers}, false: ${f.falseTakeovers} (${f.falseTakeoversPerBoxMonth?.toFixed(4)} per box and month), ended by friends: ${f.handBacks}`,
    `home lost → standby answered, box by box: ${seconds(f.swappedLeastMs)} at least, median ${seconds(f.swappedMedianMs)}, 99 % within ${seconds(f.swapped99Ms)}`,
    `records taken: ${f.records}, refused: ${f.refused}, forged: ${f.forged}; removed members seen at boxes: ${f.removed}`,
    `zone versions: ${f.zoneVersions}, served: ${f.zoneServes}`,
    `mail answered with 250: ${f.mailAcked}, held by friends: ${f.mailHeld}, delivered: ${f.mailDelivered}, twice in the named window: ${f.mailTwiceInWindow}, left with a removed friend: ${f.mailStrandedWithRemoved}`,
    `digest: ${digest}`,
    ...broken.map(
      ({ rule, atMs, text }) => `BROKEN ${rule} on day ${(atMs / 86_400_000).toFixed(3)}: ${text}`,
    ),
    broken.length === 0 ? 'no rule was broken' : `rules were broken; to see it again: ${again}`,
  ];
  return `${lines.join('\n')}\n`;
}
