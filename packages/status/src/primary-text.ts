import { humanDuration, visible } from '@copain/core';
import type { PrimaryStatus } from './status-document.ts';
import { instant } from './wording.ts';

/** `the primary 127.0.0.1:5300 could not be asked for 5 min: nothing listens there (connection refused)`. */
export function primaryFailingText({ address, failing }: PrimaryStatus, nowMs: number): string {
  const sinceMs = instant(failing?.sinceAt ?? null) ?? nowMs;
  return `the primary ${visible(address)} could not be asked for ${humanDuration(nowMs - sinceMs)}: ${visible(failing?.text ?? '', 400)}`;
}

/** `peer zone show` of a zone that comes from a hidden primary: one line for each thing to know. */
export function primaryLines(primary: PrimaryStatus, nowMs: number): string[] {
  const { address, serial, checkedAt, nextCheckAt, expiresAt, expired, failing, lastTransfer } = primary;
  const ago = (at: string | null): string => humanDuration(Math.max(0, nowMs - (instant(at) ?? nowMs)));
  const until = (at: string | null): string => humanDuration(Math.max(0, (instant(at) ?? nowMs) - nowMs));
  const asked =
    checkedAt === null
      ? 'never answered yet'
      : `answered ${ago(checkedAt)} ago with serial ${serial ?? 'none'}`;
  const lines = [`primary ${visible(address)}  ${asked}, is asked again in ${until(nextCheckAt)}`];
  if (failing !== null) lines.push(`  ${primaryFailingText(primary, nowMs)}`);
  if (expired) lines.push('  its EXPIRE is over: friends are no longer told that the zone is current');
  else if (failing !== null && expiresAt !== null)
    lines.push(`  if it stays so, its EXPIRE is over in ${until(expiresAt)}`);
  if (lastTransfer !== null) {
    const { how, at, bytes, tookMs, fromSerial, serial: to, why } = lastTransfer;
    const from = fromSerial === null ? '' : `${fromSerial} -> `;
    lines.push(
      `  last transfer ${how.toUpperCase()} ${from}${to}, ${bytes} bytes in ${tookMs} ms, ${ago(at)} ago`,
    );
    if (why !== null) lines.push(`  everything was taken, since ${visible(why, 400)}`);
  }
  return lines;
}
