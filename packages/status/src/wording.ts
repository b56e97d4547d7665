import { parseIsoTime, visible } from '@copain/core';
import { statusLimits } from './limits.ts';
import type { MailStatus } from './status-document.ts';

/** `bob`, `bob and carol`, `bob, carol and dave`, `bob, carol, dave and 4 more`; `nobody` for none. */
export function joinNames(names: readonly string[], most: number = statusLimits.namesInSentence): string {
  const shown = names.slice(0, most).map((name) => visible(name));
  if (names.length > most) return `${shown.join(', ')} and ${names.length - most} more`;
  const last = shown.pop();
  if (last === undefined) return 'nobody';
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}

/** `1 zone`, `2 zones`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** A word of a command line to type: quoted for a POSIX shell where it has to be. */
export function shellWord(text: string): string {
  const shown = visible(text, 4096);
  return /^[\w@%+=:,./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", `'\\''`)}'`;
}

/** The instant of a document's time, or undefined where there is none. */
export function instant(time: string | null): number | undefined {
  return time === null ? undefined : parseIsoTime(time);
}

/** Is serial `a` newer than `b`? RFC 1982 §3.2; false where they are exactly 2^31 apart. */
export function isNewerSerial(a: number, b: number): boolean {
  const distance = (a - b) >>> 0;
  return distance !== 0 && distance < 2 ** 31;
}

/** The names of those who keep mail of a domain, with what came of asking them where they did not take it. */
export function backupsWithState({
  backups,
  probes = [],
}: Pick<MailStatus, 'backups'> & Partial<Pick<MailStatus, 'probes'>>): string[] {
  return backups.map((name) => {
    const failing = probes.some((probe) => probe.friend === name && probe.ok === false);
    return failing ? `${name} (does not take it)` : name;
  });
}
