import { isName } from '@copain/core';

/**
 * Reads what `peer wait --for` is to wait for, domains in lower case and without a dot at the end; undefined for what
 * nobody can wait for, so that a slip is told at once and not when the time is up.
 */
export function readWaitFor(text: string): string | undefined {
  if (text === 'ready') return text;
  const [, what, subject = ''] = /^(friend|zone|mail-empty):(\S+)$/.exec(text) ?? [];
  if (what === 'friend') return isName(subject) ? text : undefined;
  const [, domain, serial = ''] = /^([^=]*[^=.]|\.)\.?(=\d{1,10})?$/.exec(subject) ?? [];
  if (what === undefined || domain === undefined || (what === 'mail-empty' && serial !== ''))
    return undefined;
  return `${what}:${domain.toLowerCase()}${serial}`;
}
