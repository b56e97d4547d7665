import type { HistoryStatus } from './status-document.ts';

/** `99.8 %`, `100 %` only where it was all of the time. */
export function upWords(part: number | null): string {
  if (part === null) return '-';
  const percent = Math.floor(part * 1000) / 10;
  return `${percent} %`;
}

/** `24 h 100 %, 7 d 99.2 %, 30 d 98.9 %, 365 d 99.1 %`. */
export function historyWords({ up24h, up7d, up30d, up365d }: HistoryStatus): string {
  const parts = [
    ['24 h', up24h],
    ['7 d', up7d],
    ['30 d', up30d],
    ['365 d', up365d],
  ] as const;
  return parts.map(([span, part]) => `${span} ${upWords(part)}`).join(', ');
}

const blocks = { unicode: '▁▂▃▄▅▆▇█', ascii: '01234567' };

/** One letter a day, the higher the more of it was up, `.` where nothing is known; the last 30 days, today last. */
export function historyBar({ days }: HistoryStatus, shapes: 'unicode' | 'ascii'): string {
  const letters = blocks[shapes];
  return days
    .slice(-30)
    .map((part) => {
      if (part === null) return shapes === 'unicode' ? '·' : '.';
      return letters.charAt(heightOf(part));
    })
    .join('');
}

/** From 0 to 7. Only a whole day is full, since what matters are the last few per cent. */
export function heightOf(part: number): number {
  if (part >= 0.9995) return 7;
  if (part >= 0.99) return 6;
  if (part >= 0.95) return 5;
  return Math.max(0, Math.min(4, Math.floor(part * 5)));
}
