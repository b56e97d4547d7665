import { isoTime, visible } from '@copain/core';

/** One sentence for the page and the log about a friend whose state changed. `witnesses`: who says he is silent. */
export function friendText(change: {
  name: string;
  to: string;
  confirmed: boolean;
  witnesses: readonly string[];
  /** He said that he may be off. */
  away?: { untilMs: number | undefined; note: string | undefined } | undefined;
}): string {
  const { name, to, confirmed, witnesses, away } = change;
  const seen = witnesses.length === 0 ? '' : `, seen by ${witnesses.join(', ')}`;
  switch (to) {
    case 'up':
      return `${name} is up.`;
    case 'slow':
      return `${name} answers late: a line that is full, or a box that is busy.`;
    case 'suspect':
      return `${name} is silent: suspect${seen}.`;
    case 'partial':
      return `${name} is silent here, but friends hear him${seen}.`;
    case 'down':
      return `${name} is down${confirmed ? seen : ' as far as I can tell; nobody else could confirm it'}.`;
    case 'away':
      return `${name} is away${awayText(away)}.`;
    default:
      return `${name} is ${to}.`;
  }
}

function awayText(away: { untilMs: number | undefined; note: string | undefined } | undefined): string {
  const until = away?.untilMs === undefined ? '' : ` until ${isoTime(away.untilMs).slice(0, 10)}`;
  return `${until}${away?.note === undefined ? '' : `: ${visible(away.note)}`}`;
}
