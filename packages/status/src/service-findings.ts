import { visible } from '@copain/core';
import type { StatusFacts } from './facts.ts';
import type { AlertMark, Finding } from './finding.ts';
import { statusLimits } from './limits.ts';

const commands: Record<string, string> = {
  dns: 'peer doctor dns',
  smtp: 'peer doctor mail',
  'backup-mx': 'peer doctor mail',
};

/** The trouble of one of one's own services at one place. */
export const serviceAlert = (service: string, target: string): AlertMark => ({
  key: `service/${service}/${target}`,
  kind: 'service',
  about: [service, target],
  over: `${visible(service)} at ${visible(target)} is reached again.`,
});

/**
 * A service of one's own that friends agree they do not reach is something to look at; a friend's own is his to look at,
 * and worth a word to him. What one observer alone says, or what only some do not reach, is shown and no finding.
 */
export function serviceFindings({ services = [] }: StatusFacts): Finding[] {
  return services.flatMap(
    ({ state, confirmed, sinceAtMs, isOwn, fault, inside, service, target, text }): Finding[] => {
      const isDead = fault === 'service' && inside === 'down';
      if (!(state === 'down' && confirmed) && !(isDead && isOwn)) return [];
      const command = commands[service] ?? 'peer service list';
      const todo = { text: visible(text, 600), command };
      if (!isOwn) return [{ weight: 'hint', todo }];
      return [
        {
          weight: 'attention',
          todo,
          alert: {
            ...serviceAlert(service, target),
            sinceMs: state === 'down' ? sinceAtMs : undefined,
            afterMs: statusLimits.serviceDownAlertMs,
          },
        },
      ];
    },
  );
}
