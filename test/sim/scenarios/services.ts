import type { Random } from '@copain/core';
import type { ServicePin } from '@copain/trust';
import type { Box } from '../box/box.ts';
import type { Circle } from '../circle.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

/**
 * Owners pin their services now and then, and let friends decide again. Where a service stays at the standby
 * although his home has been well for six hours, since it moved too often or his box has the wrong time, he sees to it.
 */
export function services(
  run: Circle,
  { random, untilMs, endMs }: { random: Random; untilMs: number; endMs: number },
): void {
  const { agenda } = run;
  for (const box of run.boxes) {
    if (box.person.owns?.standby === undefined) continue;
    for (let atMs = hourMs; ; ) {
      atMs += -Math.log(1 - random.fraction()) * 30 * dayMs;
      const [pin, forMs] = [
        random.fraction() < 0.5 ? 'up' : 'down',
        12 * hourMs * random.fraction(),
      ] as const;
      if (atMs >= untilMs) break;
      agenda.at(atMs, () => box.on && box.takeovers.pin(pin));
      agenda.at(Math.min(untilMs, atMs + forMs), () => letGo(run, box, endMs));
    }
    let wellSinceMs: number | undefined;
    for (let atMs = hourMs; atMs < endMs; atMs += hourMs)
      agenda.at(atMs, () => {
        const isWell = box.on && run.net.isLineUp(box.number) && own(box)?.standing.onStandby === true;
        wellSinceMs = isWell ? (wellSinceMs ?? atMs) : undefined;
        if (wellSinceMs !== undefined && atMs - wellSinceMs > 6 * hourMs) bringHome(run, box, endMs);
      });
  }
}

const own = (box: Box) => box.takeovers.services().get(`${box.person.peer}/web`);

/** Says so until it is said. */
function say(run: Circle, box: Box, pin: ServicePin, endMs: number): void {
  if (own(box)?.entry.pin === pin) return;
  if (box.on) box.takeovers.pin(pin);
  if (run.agenda.nowMs() < endMs) run.agenda.after(minuteMs, () => say(run, box, pin, endMs));
}

const letGo = (run: Circle, box: Box, endMs: number): void => say(run, box, 'obey', endMs);

function bringHome(run: Circle, box: Box, endMs: number): void {
  if (own(box)?.entry.pin !== 'obey') return;
  box.takeovers.pin('up');
  run.agenda.after(minuteMs, () => letGo(run, box, endMs));
}
