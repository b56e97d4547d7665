import { type Paint, textTable } from './text-table.ts';

/** One friend's box in `peer mail receipts --json`. Null where he was never asked. */
export interface ReceiptStatus {
  friend: string;
  id: string;
  /** Messages, by his signed word. */
  accepted: number;
  /** Numbers from here to there were held against what arrived. */
  countedFrom: number | null;
  countedTo: number | null;
  waiting: number | null;
  waitingSince: string | null;
  /** Numbers whose message never came, and that nobody holds. */
  missing: number[];
  /** Numbers of which he cannot tell which messages they were. */
  gaps: { from: number; to: number }[];
  /** The number at which his list does not fit his signature. */
  unfitAt: number | null;
  /** Why he could not be asked last. */
  failed: string | null;
}

/** `peer mail receipts`: a row a box. */
export function mailReceiptsText(
  receipts: readonly ReceiptStatus[],
  { paint = (_, text) => text }: { paint?: Paint | undefined },
): string {
  return textTable({
    paint,
    head: ['FRIEND', 'ACCEPTED', 'COUNTED', 'WAITING', 'MISSING', ''],
    rows: receipts.map((one) => {
      const lost = [
        ...one.missing.map(String),
        ...one.gaps.map(({ from, to }) => (from === to ? `${from}?` : `${from}-${to}?`)),
      ];
      const notes = [
        ...(one.unfitAt === null ? [] : [`list does not fit his signature at ${one.unfitAt}`]),
        ...(one.failed === null ? [] : [`could not be asked: ${one.failed}`]),
      ];
      const counted = one.countedFrom === null ? '-' : `${one.countedFrom}-${one.countedTo}`;
      return [
        { text: one.friend },
        { text: String(one.accepted) },
        { text: counted },
        { text: String(one.waiting ?? '-') },
        lost.length === 0 ? { text: 'none' } : { text: lost.join(' '), tone: 'bad' as const },
        { text: notes.join('; '), tone: one.unfitAt === null ? ('dim' as const) : ('bad' as const) },
      ];
    }),
  });
}
