import type { TrafficClass } from './line-scheduler.ts';

/** Who a connection is from: a friend by the roster, a guest who may use the join protocol and nothing else, or nobody. */
export type Admission = 'friend' | 'guest' | 'nobody';

/** Protocol names carry the major version; a friend with another one gets a refusal that names both. */
export const protocols = {
  sync: '/copain/sync/1',
  join: '/copain/join/1',
  zone: '/copain/zone/1',
  live: '/copain/live/1',
  drain: '/copain/drain/1',
  bulk: '/copain/bulk/1',
} as const;
export type ProtocolName = keyof typeof protocols;

/** Which class of the line each protocol's bytes are. */
export const protocolClass: Readonly<Record<ProtocolName, TrafficClass>> = {
  sync: 'control',
  join: 'control',
  zone: 'dns',
  live: 'live-mail',
  drain: 'held-mail',
  bulk: 'bulk',
};

/** What the gate knows when it decides. */
export interface GateView {
  friends: ReadonlySet<string>;
  /** Is some invite open, or closed so recently that its bearer should be told why? */
  invitesAnswered: boolean;
  guests: number;
  maxGuests: number;
}

/** Step 2 of every refusal, right after Noise: who is this, and may he stay? */
export function admitConnection(peer: string, view: GateView): Admission {
  if (view.friends.has(peer)) return 'friend';
  return view.invitesAnswered && view.guests < view.maxGuests ? 'guest' : 'nobody';
}

/** Step 3: may he use this protocol? */
export function admitProtocol(admission: Admission, protocol: ProtocolName): boolean {
  return admission === 'friend' ? true : admission === 'guest' && protocol === 'join';
}
