import type { Random } from '@copain/core';
import type { Box } from '../box/box.ts';
import type { Message } from '../box/message.ts';
import type { Circle } from '../circle.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A sender waits for the last word so long, then he takes the conversation for lost, and will come again. */
const patienceMs = 5 * minuteMs;

/**
 * Strangers' mail for every owner: tried at his own box, then at each backup, then again after a while. Now and then the
 * answer is lost, and the same message comes again.
 */
export function senders(
  run: Circle,
  { random, untilMs, perDay }: { random: Random; untilMs: number; perDay: number },
): void {
  const { agenda, net } = run;
  for (const box of run.boxes) {
    const { owns } = box.person;
    if (owns === undefined) continue;
    let count = 0;
    for (let atMs = 10 * minuteMs; ; ) {
      atMs += (-Math.log(1 - random.fraction()) * dayMs) / perDay;
      if (atMs >= untilMs) break;
      const message: Message = {
        name: `mail ${box.number}-${++count}`,
        owner: box.number,
        domain: owns.origin,
        sizeBytes: Math.round(2000 + 60_000 * random.fraction() ** 4),
      };
      const answerIsLost = random.fraction() < 0.02;
      const waits = Array.from({ length: 4 }, () => 5 * minuteMs + 30 * minuteMs * random.fraction());
      agenda.at(atMs, () =>
        tryAll(message, [box, ...owns.backups.map((one) => run.box(one))], answerIsLost, waits),
      );
    }
  }

  function tryAll(
    message: Message,
    hosts: readonly Box[],
    answerIsLost: boolean,
    waits: readonly number[],
  ): void {
    const [wait = minuteMs, ...later] = waits;
    const again = (): void => {
      agenda.after(wait, () => tryAll(message, hosts, false, [...later, Math.min(2 * wait, 240 * minuteMs)]));
    };
    const next = (at: number): void => {
      const host = hosts[at];
      if (host === undefined) {
        again();
        return;
      }
      if (!host.on || !net.isLineUp(host.number)) {
        next(at + 1);
        return;
      }
      let isOver = false;
      const end = (taken: boolean): void => {
        if (isOver) return;
        isOver = true;
        if (!taken) {
          next(at + 1);
          return;
        }
        run.observe(
          host,
          { kind: 'mail-acked', message: message.name, by: at === 0 ? 'owner' : 'friend' },
          agenda.nowMs(),
        );
      };
      agenda.after(patienceMs, () => end(false));
      host.mail.accept(message, (answer) => {
        const heard = net.isLineUp(host.number) && !answerIsLost;
        if (heard) end(answer === 'taken');
        else if (!isOver) {
          isOver = true;
          again();
        }
      });
    };
    next(0);
  }
}
