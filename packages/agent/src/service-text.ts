import type { Check } from './doctor-net.ts';
import type { ServiceFact } from './service-facts.ts';

/** How people are called in texts: by owner id and by the PeerId of a box. */
export interface Names {
  ofOwner: (ownerId: string) => string;
  ofPeer: (peer: string) => string;
}

const nouns: Record<string, string> = {
  smtp: 'mail server',
  'backup-mx': 'backup mail server',
  dns: 'name server',
};

/** `the mail server of alice (mail.alice.example:25)`; of one's own, `your mail server`. */
function serviceNoun(
  { ownerId, service, target }: Pick<ServiceFact, 'ownerId' | 'service' | 'target'>,
  self: string,
  names: Names,
): string {
  const noun = nouns[service] ?? `service ${service}`;
  const whose = ownerId === self ? `your ${noun}` : `the ${noun} of ${names.ofOwner(ownerId)}`;
  return target === '' ? whose : `${whose} (${target})`;
}

function listed(people: readonly string[]): string {
  const unique = [...new Set(people)].toSorted();
  const last = unique.at(-1) ?? 'nobody';
  return unique.length < 2 ? last : `${unique.slice(0, -1).join(', ')} and ${last}`;
}

/**
 * What is to be said of a service, in one or two sentences: who reaches it, who does not, and where the fault lies. The
 * owner's own box tells a server that is dead from a port that is blocked.
 */
export function serviceText(fact: ServiceFact, self: string, names: Names): string {
  const { verdict, inside, fault, unknownHere } = fact;
  const noun = serviceNoun(fact, self, names);
  const down = listed(verdict.downBy.map(names.ofPeer));
  const up = listed(verdict.upBy.map(names.ofPeer));
  const first = `${noun.charAt(0).toUpperCase()}${noun.slice(1)}`;
  const reach = (people: readonly string[]): string => (new Set(people).size === 1 ? 'reaches' : 'reach');
  const notReach = (people: readonly string[]): string =>
    new Set(people).size === 1 ? 'does not reach' : 'do not reach';
  switch (verdict.state) {
    case 'up': {
      const beside = inside?.state === 'down' ? ` Its own box does not: ${inside.why}.` : '';
      return `${first} answers: ${up} ${reach(verdict.upBy)} it.${beside}`;
    }
    case 'unknown':
      if (fault === 'service')
        return `${first} does not answer on its own box (${inside?.why ?? ''}): it is stopped, or hangs. Nobody can say how it looks from outside.`;
      return `Nobody can say whether ${noun} answers${unknownHere === '' ? '' : `: ${unknownHere}`}.`;
    case 'partial':
      return `${first} is reached by ${up}; ${down} ${notReach(verdict.downBy)} it (${verdict.why}).`;
    case 'down': {
      const doubt = verdict.confirmed ? '' : ' Nobody else could confirm it.';
      return `${first} does not answer: ${down} ${notReach(verdict.downBy)} it (${verdict.why}).${doubt}${faultText(fault, inside)}`;
    }
  }
}

function faultText(fault: ServiceFact['fault'], inside: ServiceFact['inside']): string {
  switch (fault) {
    case 'service':
      return ` On its own box it does not answer either (${inside?.why ?? ''}): it is stopped, or hangs.`;
    case 'way':
      return ' On its own box it answers: the port is blocked or not forwarded on the way, by a firewall, the router or the provider.';
    case 'none':
    case 'unknown':
      return '';
  }
}

/** What its owner, or who runs the server, can do about it. */
export function serviceHint({ service, fault }: ServiceFact): string {
  if (service === 'dns') return 'ask whoever runs it to type peer doctor dns';
  if (fault === 'service') return 'start the mail server, and look into its log';
  if (fault === 'way')
    return 'peer doctor net tells which ports friends reach; ask the provider whether port 25 is blocked';
  return 'peer status shows who sees it';
}

/** The services of this box's owner, and the servers that serve him, for `peer doctor net` and `peer doctor mail`. */
export function serviceChecks(
  facts: readonly ServiceFact[],
  self: string,
  names: Names,
  services: readonly string[],
): Check[] {
  return facts
    .filter(({ ownerId, service }) => ownerId === self && services.includes(service))
    .map((fact): Check => {
      const { state } = fact.verdict;
      const isDead = fact.fault === 'service';
      const ok = state === 'up' ? !isDead : state === 'unknown' && !isDead ? null : false;
      const hint = ok === false ? serviceHint(fact) : null;
      return { id: `service.${fact.service}`, ok, text: serviceText(fact, self, names), hint };
    });
}
