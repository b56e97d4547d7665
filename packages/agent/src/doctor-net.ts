import { formatHostPort, visible } from '@copain/core';
import { routerText } from './router-text.ts';

/** One thing that was looked at. `ok` null: nobody could say, or it does not matter here. */
export interface Check {
  id: string;
  ok: boolean | null;
  text: string;
  /** What to do about it. */
  hint: string | null;
}

/** What is known about how this box can be reached. */
export interface NetFacts {
  friends: number;
  /** Where friends see this box. */
  observed: string | undefined;
  /** The addresses of its own network cards, without loopback. */
  own: readonly string[];
  ports: readonly {
    port: number;
    what: 'mesh' | 'mail' | 'dns';
    /** Does this box serve it there, so that it matters? */
    served: boolean;
    answer: boolean | undefined;
    /** Names of the friends who say so. */
    by: readonly string[];
  }[];
  /** Names of friends through whom it can be reached now. */
  relays: readonly string[];
  /** What the home router passes on because this box asked it to. */
  router: readonly Parameters<typeof routerText>[0][];
}

/** Is there a router that translates addresses between this box and the internet? Undefined where nobody told. */
function isBehindNat({ observed, own }: Pick<NetFacts, 'observed' | 'own'>): boolean | undefined {
  return observed === undefined ? undefined : !own.includes(observed);
}

/** How this box can be reached from outside, in plain words; what friends found by dialling back comes first. */
export function netChecks(facts: NetFacts): Check[] {
  const { observed, own, relays } = facts;
  if (facts.friends === 0) {
    const text = 'This box has no friends yet, and only a friend can tell how it looks from outside.';
    return [{ id: 'net.address', ok: null, text, hint: 'peer invite NAME' }];
  }
  const behind = isBehindNat(facts);
  const local = own.find((host) => !host.includes(':')) ?? own[0];
  return [
    addressCheck(facts, behind, local),
    ...facts.router.map(
      (port): Check => ({
        id: 'net.router',
        ok: !port.leadsNowhere,
        text: routerText(port),
        hint: port.leadsNowhere
          ? 'ask the provider for an address of your own, or a friend to relay: peer friends may YOUR-NAME +relay'
          : null,
      }),
    ),
    ...facts.ports.map((one) => portCheck(one, observed, behind, local)),
    ...facts.ports
      .filter(({ what, answer }) => what === 'mesh' && answer !== true)
      .map(({ answer }): Check => {
        if (relays.length > 0) {
          const text = `Friends reach this box through ${listed(relays)}.`;
          return { id: 'net.relay', ok: true, text, hint: null };
        }
        const text =
          'No friend relays for this box: two boxes that cannot be dialled do not reach each other.';
        const hint = 'ask a friend who can be dialled to type: peer friends may YOUR-NAME +relay';
        return { id: 'net.relay', ok: answer === false ? false : null, text, hint };
      }),
  ];
}

function addressCheck(facts: NetFacts, behind: boolean | undefined, local: string | undefined): Check {
  const { observed, own } = facts;
  if (observed === undefined || behind === undefined) {
    const text = 'No friend has told yet from which public address this box comes.';
    return { id: 'net.address', ok: null, text, hint: 'peer friends' };
  }
  if (!behind) {
    return { id: 'net.address', ok: true, text: `This box has the public address ${observed}.`, hint: null };
  }
  const shared = own.some((host) => /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(host));
  const how = shared
    ? 'and its provider shares one address among several customers (CGNAT)'
    : 'so it is behind a router that translates addresses (NAT)';
  const text = `Friends see this box at ${observed}; its own address is ${local ?? 'unknown'}, ${how}.`;
  return { id: 'net.address', ok: null, text, hint: null };
}

const words = { mesh: 'friends', mail: 'mail', dns: 'DNS' } as const;

function portCheck(
  one: NetFacts['ports'][number],
  observed: string | undefined,
  behind: boolean | undefined,
  local: string | undefined,
): Check {
  const { port, what, served, answer, by } = one;
  const id = `net.${what}`;
  const at = observed === undefined ? `TCP port ${port}` : formatHostPort({ host: observed, port });
  if (answer === undefined) {
    const text = `No friend could say whether ${at} (${words[what]}) can be reached.`;
    return { id, ok: null, text, hint: null };
  }
  const who = listed(by);
  if (answer) return { id, ok: true, text: `${who} reached ${at} (${words[what]}).`, hint: null };
  if (!served) {
    const text = `${who} could not reach ${at} (${words[what]}); copain does not serve it there.`;
    return { id, ok: null, text, hint: null };
  }
  const text = `${who} could not reach ${at} (${words[what]}).`;
  const hint =
    behind === true
      ? `have the router forward TCP port ${port} to ${local ?? 'this box'}`
      : `open TCP port ${port} in the firewall`;
  return { id, ok: false, text, hint };
}

/** The local addresses that could be the box's own ones on a network: no loopback, no link-local. */
export function ownHosts(addresses: readonly string[]): string[] {
  return addresses.filter((host) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(host));
}

function listed(names: readonly string[]): string {
  const shown = names.map((name) => visible(name));
  return shown.length < 2
    ? (shown[0] ?? 'nobody')
    : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1) ?? ''}`;
}
