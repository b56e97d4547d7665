import { CommandError, ExitCode, isoTime, publicFamily } from '@copain/core';
import type { AddressInfo } from '@copain/status';
import type { Agent } from './agent.ts';
import type { ControlHandler } from './control-socket.ts';

/** `peer address …`: what this box's public address is, who says so, and what follows it. */
export function addressHandlers(agent: Agent): Record<'address.show' | 'address.set', ControlHandler> {
  const { publicAddress } = agent;
  return {
    'address.show': async () => ({ ...addressInfo(agent) }),
    'address.set': async ({ address }) => {
      if (address === 'auto') await publicAddress.follow();
      else {
        const wanted = typeof address === 'string' ? address : '';
        const family = publicFamily(wanted);
        if (family === undefined) {
          throw new CommandError(ExitCode.badInput, `"${wanted}" is no address that the internet routes`, {
            hint: 'peer address set 203.0.113.7; or peer address set auto: friends say it again',
          });
        }
        await publicAddress.set(family, wanted);
      }
      return { ...addressInfo(agent) };
    },
  };
}

function addressInfo(agent: Agent): AddressInfo {
  const { agreed, pinned, unconfirmed, history } = agent.publicAddress.facts();
  const one = (family: 'ipv4' | 'ipv6'): AddressInfo['ipv4'] => {
    const found = agreed[family];
    if (found === undefined) return null;
    const by = pinned.includes(family) ? 'operator' : found.by;
    return { address: found.address, since: isoTime(found.sinceMs), by };
  };
  return {
    ipv4: one('ipv4'),
    ipv6: one('ipv6'),
    unconfirmed: unconfirmed.map(({ address }) => address),
    followedBy: agent.followers(),
    told: agent.addressTelling.facts(),
    history: history.map(({ family, from, to, atMs, by }) => ({
      at: isoTime(atMs),
      family,
      from: from ?? null,
      to,
      by,
    })),
  };
}
