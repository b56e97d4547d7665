import type { Clock } from '@copain/core';
import { canaryToken } from '../canary.ts';
import { canaryAskForMs } from '../limits.ts';
import type { Canaries } from './canaries.ts';
import { sha256 } from './seal.ts';

/** The other boxes that take mail for the owner of this one. */
export interface OwnBoxes {
  /** Are there any? */
  any: () => boolean;
  /** Is it a canary of one of them? `silent`: none says so, and not all could be asked. Never rejects. */
  askCanary: (token: string, hash: Uint8Array) => Promise<'known' | 'unknown' | 'silent'>;
}

/** What arrives here and may be a canary: of this box, or of another one of its owner. */
export interface CanaryArrival {
  /** Is mail to this address to be held by friends, as a canary is? */
  mayBe(address: string): boolean;
  /**
   * What a message to this address alone is. A `canary` is noted by whoever sent it; `later`: nobody can tell now.
   * `receivedAtMs`: when the friend took it. Rejects where the disk refused.
   */
  judge(address: string, message: Uint8Array, receivedAtMs: number): Promise<'canary' | 'mail' | 'later'>;
}

export function canaryArrival({
  canaries,
  ownBoxes,
  clock,
}: {
  canaries: Pick<Canaries, 'isCanary' | 'arrived'>;
  ownBoxes: OwnBoxes;
  clock: Clock;
}): CanaryArrival {
  return {
    // A stranger's mail to such an address takes the same way, and is mail to whoever looks at it in the end.
    mayBe: (address) => canaries.isCanary(address) || (ownBoxes.any() && canaryToken(address) !== undefined),
    judge: async (address, message, receivedAtMs) => {
      if (canaries.isCanary(address)) {
        await canaries.arrived(address, message);
        return 'canary';
      }
      const token = canaryToken(address);
      if (token === undefined || !ownBoxes.any()) return 'mail';
      const said = await ownBoxes.askCanary(token, sha256(message));
      if (said === 'known') return 'canary';
      return said === 'silent' && clock.nowMs() - receivedAtMs < canaryAskForMs ? 'later' : 'mail';
    },
  };
}
