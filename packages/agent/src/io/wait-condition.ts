import { CommandError, ExitCode } from '@copain/core';
import type { Agent } from './agent.ts';

/** `ready`, `friend:NAME` (up), `zone:ORIGIN[=SERIAL]` (served here, at least that serial), `mail-empty:DOMAIN`. */
export function waitCondition(agent: Agent, wanted: string): () => Promise<boolean> {
  const [what = '', ...rest] = wanted.split(':');
  const subject = rest.join(':');
  switch (what) {
    case 'ready':
      return async () => agent.ready();
    case 'friend':
      return async () =>
        agent
          .status()
          .friends.some(
            (friend) => friend.name === subject && (friend.state === 'up' || friend.state === 'slow'),
          );
    case 'zone': {
      const [origin = '', serial] = subject.split('=');
      const least = serial === undefined ? undefined : Number(serial);
      if (least !== undefined && !Number.isInteger(least)) break;
      return async () => {
        const zone = agent.status().zones.find((one) => one.origin === plainName(origin));
        if (zone === undefined || zone.serial === null) return false;
        return least === undefined || ((zone.serial - least) | 0) >= 0;
      };
    }
    case 'mail-empty': {
      const domain = plainName(subject);
      return async () =>
        !(await agent.mail.list()).some(
          (message) => message.domain === domain && (message.state === 'held' || message.state === 'queued'),
        );
    }
    default:
      break;
  }
  throw new CommandError(
    ExitCode.usage,
    `cannot wait for '${wanted}': ready, friend:NAME, zone:ORIGIN[=SERIAL] or mail-empty:DOMAIN`,
  );
}

/** A domain or origin as configuration and records have it: lower case, no final dot. */
const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '');
