import type { Writable } from 'node:stream';
import { visible, visibleJson } from '@copain/core';
import { type Logger, pino } from 'pino';

/** Longest text of one field on a terminal; a journal keeps all of it. */
const shownCharacters = 2000;

/**
 * The log of a box: lines of JSON, or on a terminal lines for people. What others said stands in it as harmless text in
 * both: names, greetings of mail servers, messages of errors.
 */
export async function makeLog(options: {
  level: string;
  isTerminal: boolean;
  /** Where lines go; standard output by default. */
  to?: Writable | undefined;
}): Promise<Logger> {
  const { level, isTerminal, to } = options;
  if (!isTerminal) {
    const hooks = { streamWrite: visibleJson };
    const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, hooks };
    return to === undefined ? pino(settings) : pino(settings, to);
  }
  const { default: pretty } = await import('pino-pretty');
  const shown = { translateTime: 'SYS:HH:MM:ss', ignore: 'event' };
  const stream = pretty(to === undefined ? shown : { ...shown, colorize: false, destination: to });
  return pino({ level, base: null, hooks: { streamWrite: harmless } }, stream);
}

/** The line of JSON with every text in it as `visible` shows it: what writes it for people undoes the escapes of JSON. */
function harmless(line: string): string {
  const shown = JSON.stringify(JSON.parse(line), (key, value: unknown) => {
    if (typeof value !== 'string') return value;
    // A stack has lines of its own.
    const lines = key === 'stack' ? value.split('\n') : [value];
    return lines.map((text) => visible(text, shownCharacters)).join('\n');
  });
  return `${shown}\n`;
}
