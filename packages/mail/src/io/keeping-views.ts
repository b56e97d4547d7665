import type { Clock } from '@copain/core';
import type { KeepingView } from '../copies.ts';
import { giveUpAfterMs } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';

/**
 * What this box is to do with mail that lies here, by owner and domain. A grant or an offer that ended counts after
 * `giveUpAfterMs`, so that one which is changed in two steps moves no mail. `copies`: what the owner of a domain wants.
 */
export function keepingViews({
  domains,
  clock,
  copies,
}: {
  domains: () => readonly MailDomain[];
  clock: Clock;
  copies: (domain: MailDomain) => number;
}): (of: { ownerId: string; domain: string }) => KeepingView {
  /** Since when a domain is none of ours any more. */
  const endedAtMs = new Map<string, number>();
  return ({ ownerId, domain: name }) => {
    const key = `${ownerId} ${name}`;
    const domain = domains().find(
      (one) => one.role === 'backup' && one.domain === name && one.ownerId === ownerId,
    );
    if (domain !== undefined) {
      endedAtMs.delete(key);
      return { isBackup: true, copies: copies(domain), maxBytes: domain.maxBytes };
    }
    const nowMs = clock.nowMs();
    const sinceMs = endedAtMs.get(key) ?? nowMs;
    endedAtMs.set(key, sinceMs);
    // A clock that was set back begins anew.
    if (nowMs < sinceMs) endedAtMs.set(key, nowMs);
    const isOver = nowMs - sinceMs >= giveUpAfterMs;
    return { isBackup: !isOver, copies: 1, maxBytes: Number.MAX_SAFE_INTEGER };
  };
}
