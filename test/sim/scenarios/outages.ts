import type { Random } from '@copain/core';
import type { Box } from '../box/box.ts';
import type { Circle } from '../circle.ts';
import type { Mix } from './mixes.ts';

const secondMs = 1000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;
const monthMs = 30 * dayMs;

/**
 * Faults that begin from `fromMs` to `untilMs`; each of them ends, at `healedMs` at the latest. All of it follows from
 * `random` alone.
 */
export function outages(
  run: Circle,
  options: { mix: Mix; random: Random; fromMs: number; untilMs: number; healedMs: number },
): void {
  const { mix, random, fromMs, untilMs, healedMs } = options;
  const { net } = run;
  const agenda = {
    at: (atMs: number, action: () => void) => run.agenda.at(atMs, action),
    after: (forMs: number, action: () => void) =>
      run.agenda.at(Math.min(run.agenda.nowMs() + forMs, healedMs), action),
  };
  const between = (least: number, most: number): number => least + (most - least) * random.fraction();
  /** Often near the least, now and then near the most. */
  const mostly = (least: number, most: number): number => least + (most - least) * random.fraction() ** 3;
  const pick = (): Box => run.box(Math.floor(random.fraction() * run.size));

  /** Plans a kind of fault as it comes by chance; `subjects` is how many boxes or pairs it may hit. */
  const happens = (perMonth: number, subjects: number, fault: () => () => void): void => {
    const meanMs = monthMs / (perMonth * subjects);
    if (!Number.isFinite(meanMs)) return;
    for (let atMs = fromMs; ; ) {
      atMs += -Math.log(1 - random.fraction()) * meanMs;
      if (atMs >= untilMs) return;
      agenda.at(atMs, fault());
    }
  };
  const lineCut = (box: Box, forMs: number, after?: () => void) => (): void => {
    net.cutLine(box.number);
    agenda.after(forMs, () => {
      after?.();
      net.restoreLine(box.number);
    });
  };
  const off = (box: Box, how: 'bye' | 'silent', forMs: number) => (): void => {
    if (!box.on) return;
    run.stop(box, how);
    agenda.after(forMs, () => run.start(box));
  };
  const pathCut = (from: Box, to: Box, ways: 1 | 2, forMs: number) => (): void => {
    if (from === to) return;
    net.cut(from.number, to.number);
    if (ways === 2) net.cut(to.number, from.number);
    agenda.after(forMs, () => {
      net.heal(from.number, to.number);
      if (ways === 2) net.heal(to.number, from.number);
    });
  };
  const group = (share: number): Box[] => run.boxes.filter(() => random.fraction() < share);

  const { size } = run;
  const pairs = (size * (size - 1)) / 2;
  happens(mix.blips, size, () => lineCut(pick(), between(3 * secondMs, 13 * secondMs)));
  happens(mix.reconnects, size, () => {
    const box = pick();
    const moves = random.fraction() < 0.5;
    return lineCut(
      box,
      between(20 * secondMs, 70 * secondMs),
      moves ? () => run.moveAddress(box) : undefined,
    );
  });
  happens(mix.outages, size, () => lineCut(pick(), mostly(2 * minuteMs, 15 * minuteMs)));
  happens(mix.longOutages, size, () => lineCut(pick(), mostly(hourMs, 8 * hourMs)));
  happens(mix.restarts, size, () => off(pick(), 'bye', mostly(3 * secondMs, 5 * minuteMs)));
  happens(mix.powerCuts, size, () => off(pick(), 'silent', mostly(minuteMs, 3 * hourMs)));
  happens(mix.unluckyPowerCuts, size, () => {
    const [box, forMs, afterMs] = [pick(), mostly(minuteMs, 30 * minuteMs), between(0, 25)];
    const what = random.fraction() < 0.5 ? 'write' : 'append';
    return () => box.disk.onNext(what, () => agenda.after(afterMs, off(box, 'silent', forMs)));
  });
  happens(mix.absences, size, () => {
    const how = random.fraction() < 0.5 ? 'bye' : 'silent';
    return off(pick(), how, between(2 * dayMs, 20 * dayMs));
  });
  happens(mix.fullLines, size, () => {
    const [box, queueMs, forMs] = [pick(), between(300, 2000), between(minuteMs, 30 * minuteMs)];
    return () => {
      run.setQueue(box, queueMs);
      agenda.after(forMs, () => run.setQueue(box, 0));
    };
  });
  happens(mix.clockJumps, size, () => {
    const box = pick();
    const byMs = (random.fraction() < 0.5 ? -1 : 1) * Math.round(mostly(2 * secondMs, 3 * hourMs));
    const forMs = mostly(minuteMs, 12 * hourMs);
    return () => {
      run.jumpClock(box, byMs);
      // Somebody, or a time server, sets it right again.
      agenda.after(forMs, () => run.jumpClock(box, -byMs));
    };
  });
  happens(mix.fullDisks, size, () => {
    const [box, forMs] = [pick(), between(5 * minuteMs, 2 * hourMs)];
    return () => {
      box.disk.setFull(true);
      agenda.after(forMs, () => box.disk.setFull(false));
    };
  });
  happens(mix.mtaOutages, size, () => {
    const [box, forMs] = [pick(), mostly(minuteMs, 6 * hourMs)];
    return () => {
      box.mail.setMta(false);
      agenda.after(forMs, () => box.mail.setMta(true));
    };
  });
  const siteFault = (where: 'primary' | 'standby'): (() => void) => {
    const [owners, forMs] = [
      run.people.filter(({ owns }) => owns?.standby !== undefined),
      mostly(minuteMs, 4 * hourMs),
    ];
    const { number } = owners[Math.floor(random.fraction() * owners.length)] ?? { number: 0 };
    return () => {
      run.sites.fail(number, where);
      agenda.after(forMs, () => run.sites.mend(number, where));
    };
  };
  const sites = run.people.filter(({ owns }) => owns?.standby !== undefined).length;
  happens(mix.siteFaults, sites, () => siteFault('primary'));
  happens(mix.standbyFaults, sites, () => siteFault('standby'));
  happens(mix.pathCuts, pairs, () => pathCut(pick(), pick(), 2, mostly(20 * secondMs, 10 * minuteMs)));
  happens(mix.oneWayCuts, 2 * pairs, () => pathCut(pick(), pick(), 1, mostly(20 * secondMs, 30 * minuteMs)));
  happens(mix.routeFaults, size, () => {
    const [box, others, forMs] = [pick(), group(0.4), mostly(minuteMs, 2 * hourMs)];
    return () => {
      for (const other of others) pathCut(box, other, 2, forMs)();
    };
  });
  happens(mix.sharedOutages, 1, () => {
    const [boxes, forMs] = [group(0.3), mostly(minuteMs, 6 * hourMs)];
    return () => {
      for (const box of boxes) lineCut(box, forMs)();
    };
  });
  happens(mix.partitions, 1, () => {
    const [these, forMs] = [group(0.5), mostly(minuteMs, hourMs)];
    return () => {
      for (const one of these)
        for (const other of run.boxes) if (!these.includes(other)) pathCut(one, other, 2, forMs)();
    };
  });
}
