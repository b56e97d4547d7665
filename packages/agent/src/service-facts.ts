import {
  judgeService,
  type ServiceFault,
  type ServiceFinding,
  type ServiceVerdict,
  serviceFault,
  serviceKey,
} from '@copain/liveness';
import type { ServiceStatement } from '@copain/trust';

/** One service of the circle, as everybody who is heard sees it. */
export interface ServiceFact {
  ownerId: string;
  service: string;
  target: string;
  verdict: ServiceVerdict;
  /** How it looks on its owner's own box; undefined where that does not say. */
  inside: { state: 'up' | 'down'; why: string } | undefined;
  fault: ServiceFault;
  /** Why this very box cannot say; empty where it can, or does not try. */
  unknownHere: string;
}

/** What one box said of services. */
export interface Observer {
  peer: string;
  ownerId: string;
  network: string;
  services: readonly (ServiceStatement | (ServiceFinding & { state: 'up' | 'down' }))[];
}

/**
 * All services of which anybody said something, by owner, service and target. `observers` are those who are heard, this
 * box among them: who fell silent himself takes nothing back. What a box says of its own owner with an empty target is
 * the view from inside, and is put beside the views from outside of the same service.
 */
export function serviceFacts(
  observers: readonly Observer[],
  unknownHere: ReadonlyMap<string, string> = new Map(),
): ServiceFact[] {
  const inside = new Map<string, { state: 'up' | 'down'; why: string }>();
  const views = new Map<
    string,
    Pick<ServiceFact, 'ownerId' | 'service' | 'target'> & {
      said: Parameters<typeof judgeService>[0][number][];
    }
  >();
  for (const { peer, ownerId, network, services } of observers) {
    for (const one of services) {
      const { owner, service, target, state, sinceMs, why } = one;
      if (target === '') {
        // Only an owner's own box sees his services from inside.
        if (owner === ownerId) inside.set(`${owner} ${service}`, { state, why });
        continue;
      }
      const key = serviceKey(one);
      const known = views.get(key) ?? { ownerId: owner, service, target, said: [] };
      known.said.push({ observer: peer, network, state, sinceMs, why });
      views.set(key, known);
    }
  }
  for (const [key, own] of inside) {
    const [ownerId = '', service = ''] = key.split(' ');
    const isTried = [...views.values()].some((one) => one.ownerId === ownerId && one.service === service);
    // A server that is dead on its own box is worth a row, also where nobody tries it from outside.
    if (own.state === 'down' && !isTried)
      views.set(serviceKey({ owner: ownerId, service, target: '' }), {
        ownerId,
        service,
        target: '',
        said: [],
      });
  }
  for (const key of unknownHere.keys()) {
    if (views.has(key)) continue;
    const [ownerId = '', service = '', ...target] = key.split(' ');
    if (target.join(' ') === '') continue;
    views.set(key, { ownerId, service, target: target.join(' '), said: [] });
  }
  return [...views]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { ownerId, service, target, said }]) => {
      const verdict = judgeService(said);
      const own = inside.get(`${ownerId} ${service}`);
      return {
        ownerId,
        service,
        target,
        verdict,
        inside: own,
        fault: serviceFault(verdict.state, own?.state),
        unknownHere: unknownHere.get(key) ?? '',
      };
    });
}
