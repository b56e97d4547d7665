import { addressChangesMax } from './limits.ts';

export type AddressFamily = 'ipv4' | 'ipv6';
const families = ['ipv4', 'ipv6'] as const;

/** Who says which public address this box has. */
export interface Sighting {
  readonly family: AddressFamily;
  readonly address: string;
  /** Of the observer; two in one network count once. Never empty. */
  readonly network: string;
}

/** An address that counts: friends in two networks see it, or the operator said so. */
export interface OwnAddress {
  readonly address: string;
  readonly sinceMs: number;
  readonly by: 'friends' | 'operator';
}

/** One line of the history, newest last. */
export interface AddressChange {
  readonly family: AddressFamily;
  readonly from: string | undefined;
  readonly to: string;
  readonly atMs: number;
  readonly by: OwnAddress['by'];
}

/** What is known of this box's own addresses. `agreed`, `pinned` and `history` outlive a restart, what was seen does not. */
export interface OwnAddressState {
  /** By family and observer. */
  readonly sightings: ReadonlyMap<string, Sighting>;
  /** What this box knows by itself. */
  readonly own: readonly Sighting[];
  /** Where friends see it now, for whoever wants to dial it: two of them, where there are two. */
  readonly believed: {
    readonly [F in AddressFamily]?: { readonly address: string; readonly sinceMs: number };
  };
  readonly agreed: { readonly [F in AddressFamily]?: OwnAddress | undefined };
  /** Families of which friends are not asked, because the operator set the address. */
  readonly pinned: readonly AddressFamily[];
  readonly history: readonly AddressChange[];
}

export type OwnAddressInput =
  /** A friend saw our connection come from this address, which is a public one. */
  | { kind: 'seen'; observer: string; sighting: Sighting }
  /** His last connection is gone: what he saw may be true no more. */
  | { kind: 'lost'; observer: string }
  /** What this box knows by itself: the public addresses of its own interfaces, and that of its router. */
  | { kind: 'own'; addresses: readonly { family: AddressFamily; address: string }[] }
  | { kind: 'set'; family: AddressFamily; address: string }
  /** From now on friends say it again. */
  | { kind: 'follow'; family: AddressFamily };

export type OwnAddressEffect =
  /** An agreed address is another one now. Keep the state, then tell everybody. */
  | { kind: 'changed'; change: AddressChange }
  /** Friends see this box elsewhere: it can be dialled there. */
  | { kind: 'believed'; address: string };

/** Nothing seen yet; `kept` is what an earlier run kept. */
export function startOwnAddress(
  kept?: Pick<OwnAddressState, 'agreed' | 'pinned' | 'history'>,
): OwnAddressState {
  return { agreed: {}, pinned: [], history: [], ...kept, sightings: new Map(), own: [], believed: {} };
}

/** The network that this box's own interfaces and router count as. */
const ownNetwork = 'this box';

/**
 * One friend alone may be mistaken, or lie, and an address is what a whole zone is pointed to: it counts once observers
 * in two networks see the same one, this box itself being an observer where its interface or its router has the address.
 * What was agreed stays until another one is.
 */
export function stepOwnAddress(
  state: OwnAddressState,
  input: OwnAddressInput,
  nowMs: number,
): [OwnAddressState, OwnAddressEffect[]] {
  switch (input.kind) {
    case 'seen': {
      const sightings = new Map(state.sightings).set(
        `${input.sighting.family} ${input.observer}`,
        input.sighting,
      );
      const [seen, told] = believe({ ...state, sightings }, input.sighting, nowMs);
      const [settled, changed] = settle(seen, nowMs);
      return [settled, [...told, ...changed]];
    }
    case 'lost': {
      const sightings = new Map(state.sightings);
      for (const family of families) sightings.delete(`${family} ${input.observer}`);
      return [{ ...state, sightings }, []];
    }
    case 'own': {
      const own = input.addresses.map((one) => ({ ...one, network: ownNetwork }));
      return settle({ ...state, own }, nowMs);
    }
    case 'set': {
      const pinned = [...new Set([...state.pinned, input.family])];
      return agree({ ...state, pinned }, input, 'operator', nowMs);
    }
    case 'follow':
      return settle({ ...state, pinned: state.pinned.filter((one) => one !== input.family) }, nowMs);
  }
}

/**
 * One friend alone may be mistaken; with only one friend there is nobody else to ask. A wrong address costs those who dial
 * an attempt, so that less is asked here than of an address that names follow.
 */
function believe(
  state: OwnAddressState,
  { family, address }: Sighting,
  nowMs: number,
): [OwnAddressState, OwnAddressEffect[]] {
  const all = [...state.sightings.values()].filter((one) => one.family === family);
  const agreeing = all.filter((one) => one.address === address).length;
  if (agreeing < Math.min(2, all.length) || state.believed[family]?.address === address) return [state, []];
  const believed = { ...state.believed, [family]: { address, sinceMs: nowMs } };
  return [{ ...state, believed }, [{ kind: 'believed', address }]];
}

const allSightings = ({ sightings, own }: OwnAddressState): Sighting[] => [...sightings.values(), ...own];

/** In how many networks there are observers of this address. */
function networksSeeing(state: OwnAddressState, family: AddressFamily, address: string): number {
  const seen = allSightings(state).filter((one) => one.family === family && one.address === address);
  return new Set(seen.map(({ network }) => network)).size;
}

function settle(before: OwnAddressState, nowMs: number): [OwnAddressState, OwnAddressEffect[]] {
  let state = before;
  const effects: OwnAddressEffect[] = [];
  for (const family of families) {
    if (state.pinned.includes(family)) continue;
    const current = state.agreed[family]?.address;
    const votes = new Map(
      allSightings(state)
        .filter((one) => one.family === family)
        .map(({ address }) => [address, networksSeeing(state, family, address)] as const),
    );
    const [best] = [...votes].toSorted(
      ([a, ofA], [b, ofB]) => ofB - ofA || Number(b === current) - Number(a === current) || (a < b ? -1 : 1),
    );
    if (best === undefined || best[1] < 2 || best[0] === current) continue;
    const [next, more] = agree(state, { family, address: best[0] }, 'friends', nowMs);
    state = next;
    effects.push(...more);
  }
  return [state, effects];
}

function agree(
  state: OwnAddressState,
  { family, address }: { family: AddressFamily; address: string },
  by: OwnAddress['by'],
  nowMs: number,
): [OwnAddressState, OwnAddressEffect[]] {
  const before = state.agreed[family];
  const agreed = { ...state.agreed, [family]: { address, sinceMs: nowMs, by } };
  if (before?.address === address) {
    const same = { ...before, by };
    return [{ ...state, agreed: { ...state.agreed, [family]: same } }, []];
  }
  const change: AddressChange = { family, from: before?.address, to: address, atMs: nowMs, by };
  const history = [...state.history, change].slice(-addressChangesMax);
  return [{ ...state, agreed, history }, [{ kind: 'changed', change }]];
}

/**
 * What friends see now although it does not count yet: seen in one network only, and not what was agreed. What
 * `peer address` shows beside the agreed one.
 */
export function unconfirmed(state: OwnAddressState): Sighting[] {
  const seen = [...state.sightings.values()].filter(
    ({ family, address }) =>
      state.agreed[family]?.address !== address && networksSeeing(state, family, address) < 2,
  );
  return [...new Map(seen.map((one) => [one.address, one])).values()];
}
