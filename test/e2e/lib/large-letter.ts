import { randomBytes } from 'node:crypto';

/** A letter of `lines` lines of 76 characters: 66,000 are about five million bytes. */
export function largeLetter(lines: number): string {
  const body = Array.from({ length: lines }, () => randomBytes(38).toString('hex'));
  return ['From: erika@outside.test', 'Subject: large', '', ...body, ''].join('\n');
}
