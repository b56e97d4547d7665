import { visible } from '@copain/core';

/** A cell of a table: text to escape and measure, and how to paint it once it has its width. */
export interface Cell {
  text: string;
  tone?: Tone | undefined;
}

/** What a text says about the world; colour follows it and never stands alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'calm' | 'dim' | 'bold';

/** Paints an already escaped text, or returns it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** Columns of a terminal that a text fills, one for each code point. */
const width = (text: string): number => Array.from(text).length;

/** Rows under headings in columns two spaces apart, without trailing spaces. Foreign text is escaped here. */
export function textTable(options: {
  head: readonly string[];
  rows: readonly (readonly Cell[])[];
  paint: Paint;
}): string {
  const { head, paint } = options;
  const rows = [head.map((text): Cell => ({ text, tone: 'dim' })), ...options.rows].map((row) =>
    row.map(({ text, tone }) => ({ text: visible(text, 400), tone })),
  );
  const widths = head.map((_, column) => Math.max(...rows.map((row) => width(row[column]?.text ?? ''))));
  return rows
    .map((row) => {
      const cells = row.map(({ text, tone }, column) => {
        const gap = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - width(text) + 2);
        return (tone === undefined ? text : paint(tone, text)) + gap;
      });
      return `${cells.join('').trimEnd()}\n`;
    })
    .join('');
}

/** Tab-separated records, one a line, for scripts: no heading, tabs and line breaks within a value escaped. */
export function plainRecords(records: readonly (readonly (string | number | null)[])[]): string {
  return records
    .map(
      (record) =>
        `${record.map((value) => (value === null ? '-' : visible(String(value), 4096))).join('\t')}\n`,
    )
    .join('');
}
