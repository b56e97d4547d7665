import { visible } from '@copain/core';
import type { StatusFacts } from './facts.ts';
import type { Finding } from './finding.ts';

/**
 * A service of one's own that friends agree they do not reach is something to look at; a friend's own is his to look at,
 * and worth a word to him. What one observer alone says, or what only some do not reach, is shown and no finding.
 */
export function serviceFindings({ services = [] }: StatusFacts): Finding[] {
  return services.flatMap(({ state, confirmed, isOwn, fault, inside, service, text }): Finding[] => {
    const isDead = fault === 'service' && inside === 'down';
    if (!(state === 'down' && confirmed) && !(isDead && isOwn)) return [];
    const command = service === 'dns' ? 'peer doctor dns' : 'peer doctor mail';
    return [{ weight: isOwn ? 'attention' : 'hint', todo: { text: visible(text, 600), command } }];
  });
}
