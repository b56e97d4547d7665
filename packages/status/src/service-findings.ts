import { visible } from '@copain/core';
import type { StatusFacts } from './facts.ts';
import type { Finding } from './finding.ts';

const commands: Record<string, string> = {
  dns: 'peer doctor dns',
  smtp: 'peer doctor mail',
  'backup-mx': 'peer doctor mail',
};

/**
 * A service of one's own that friends agree they do not reach is something to look at; a friend's own is his to look at,
 * and worth a word to him. What one observer alone says, or what only some do not reach, is shown and no finding.
 */
export function serviceFindings({ services = [] }: StatusFacts): Finding[] {
  return services.flatMap(({ state, confirmed, isOwn, fault, inside, service, text }): Finding[] => {
    const isDead = fault === 'service' && inside === 'down';
    if (!(state === 'down' && confirmed) && !(isDead && isOwn)) return [];
    const command = commands[service] ?? 'peer service list';
    return [{ weight: isOwn ? 'attention' : 'hint', todo: { text: visible(text, 600), command } }];
  });
}
