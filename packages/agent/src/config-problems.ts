import { visible } from '@copain/core';

/** A place in a text; both count from 1, columns in UTF-16 code units. */
export interface Place {
  line: number;
  column: number;
}

/** One mistake in `peer.toml`. */
export interface ConfigProblem extends Place {
  fileName: string;
  /** The key as a person writes it, e.g. `zone[2].file`; empty where the mistake is in no key. */
  key: string;
  /** What is wrong and what is allowed. */
  message: string;
  /** The line of the text where the mistake stands. */
  sourceLine: string;
}

/** Builds the report of one mistake. */
export function problemAt(options: {
  fileName: string;
  text: string;
  place: Place;
  key: string;
  message: string;
}): ConfigProblem {
  const { fileName, text, place, key, message } = options;
  const sourceLine = text.split('\n')[place.line - 1]?.replace(/\r$/, '') ?? '';
  return { fileName, line: place.line, column: place.column, key, message, sourceLine };
}

/**
 * All mistakes as a person reads them: `peer.toml:3:1: mail.bandwith: …`, the line, and a caret below the column.
 * Each ends with a line break. Characters that move the cursor are shown as escapes.
 */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map(({ fileName, line, column, key, message, sourceLine }) => {
      const head = `${visible(fileName)}:${line}:${column}: ${key === '' ? '' : `${visible(key)}: `}${visible(message, 600)}`;
      const before = visible(sourceLine.slice(0, column - 1).replaceAll('\t', ' '));
      const shown = visible(sourceLine.replaceAll('\t', ' '));
      if (shown.trim() === '') return `${head}\n`;
      return `${head}\n  ${shown}\n  ${' '.repeat(before.length)}^\n`;
    })
    .join('');
}
