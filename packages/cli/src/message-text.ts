import { formatSize, visible } from '@copain/core';

/** A decoded message, as far as it is shown. */
export interface ReadMessage {
  headers: readonly (readonly [label: string, value: string])[];
  text: string;
  attachments: readonly { name: string; type: string; sizeBytes: number }[];
}

/** Lines and characters of one line that are shown; a longer message is for `--raw`. */
const linesShown = 5000;
const lineShown = 2000;

/**
 * A message for a terminal: headers, text, what is attached. Every line goes through `visible`, so that nothing in it
 * moves the cursor, sets a colour, or turns the writing round.
 */
export function readableMessage({ headers, text, attachments }: ReadMessage): string {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  while (lines.at(-1) === '') lines.pop();
  const cut = lines.length > linesShown ? [`[${lines.length - linesShown} more lines: --raw]`] : [];
  return [
    ...headers.map(([label, value]) => `${label.padEnd(10)}${visible(value, 1000)}`),
    '',
    ...lines.slice(0, linesShown).map((line) => visible(line.replaceAll('\t', '    '), lineShown)),
    ...cut,
    ...(attachments.length === 0 ? [] : ['']),
    ...attachments.map(
      ({ name, type, sizeBytes }) =>
        `attached  ${visible(name)} (${visible(type)}, ${formatSize(sizeBytes)})`,
    ),
    '',
  ].join('\n');
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  nbsp: ' ',
  '#39': "'",
};

/**
 * The words of an HTML text, for a message that has no other: good enough to find a code or a link in. Strangers wrote it,
 * so each step takes time in proportion to the text only: nothing looks for its end from every place where it may begin.
 */
export function htmlWords(html: string): string {
  return html
    .replaceAll(/<(script|style|head)\b[\s\S]*?(?:<\/\1\s*>|$)/gi, '')
    .replaceAll(/<a\b[^<>]{0,500}?\bhref="([^"<>]{0,2000})"[^<>]{0,500}>/gi, ' $1 ')
    .replaceAll(/[ \t\r\n]+/g, ' ')
    .replaceAll(/<\/(?:p|div|tr|h\d|li|table)>|<br *\/?>/gi, '\n')
    .replaceAll(/<[^<>]*>/g, '')
    .replaceAll(/&(amp|lt|gt|quot|nbsp|#39);/g, (_, name: string) => entities[name] ?? '')
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
}
