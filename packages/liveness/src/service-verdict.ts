import { networksNeeded } from './limits.ts';

/** What one observer said about one service, and the network he sits in. */
export interface ServiceView {
  observer: string;
  network: string;
  state: 'up' | 'down';
  sinceMs: number;
  why: string;
}

/** What a service is to be called, by all who are heard. */
export interface ServiceVerdict {
  /** `partial`: some reach it, others do not. `unknown`: nobody could say. */
  state: 'up' | 'partial' | 'down' | 'unknown';
  /** down: observers in two networks agree. up: somebody reached it. */
  confirmed: boolean;
  sinceMs: number | undefined;
  /** Observers, sorted. */
  downBy: string[];
  upBy: string[];
  why: string;
}

/** What the observers who are heard, and qualified by their own rules, say together. */
export function judgeService(views: readonly ServiceView[]): ServiceVerdict {
  const down = views.filter(({ state }) => state === 'down');
  const up = views.filter(({ state }) => state === 'up');
  const names = (some: readonly ServiceView[]): string[] => some.map(({ observer }) => observer).toSorted();
  const said = { downBy: names(down), upBy: names(up), why: down[0]?.why ?? '' };
  if (down.length === 0)
    return up.length === 0
      ? { ...said, state: 'unknown', confirmed: false, sinceMs: undefined }
      : { ...said, state: 'up', confirmed: true, sinceMs: Math.max(...up.map(({ sinceMs }) => sinceMs)) };
  // The second observer made it a verdict; a third who came later changes nothing.
  const since = down.map(({ sinceMs }) => sinceMs).toSorted((a, b) => a - b);
  const sinceMs = since[Math.min(1, since.length - 1)];
  if (up.length > 0) return { ...said, state: 'partial', confirmed: false, sinceMs };
  const networks = new Set(down.map(({ network }) => network));
  return { ...said, state: 'down', confirmed: networks.size >= networksNeeded, sinceMs };
}

/** Where the fault of a service lies, by how it looks from outside and on its own box. */
export type ServiceFault = 'none' | 'service' | 'way' | 'unknown';

/**
 * `service`: it does not answer on its own box either. `way`: there it does, and friends do not reach it: a port that is
 * blocked or not forwarded. `unknown`: its own box does not say.
 */
export function serviceFault(
  outside: ServiceVerdict['state'],
  inside: 'up' | 'down' | undefined,
): ServiceFault {
  if (inside === 'down') return 'service';
  if (outside === 'up' || outside === 'unknown') return 'none';
  return inside === 'up' ? 'way' : 'unknown';
}
