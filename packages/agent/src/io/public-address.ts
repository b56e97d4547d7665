import { type Clock, publicFamily, type Table } from '@copain/core';
import {
  type AddressChange,
  type AddressFamily,
  type OwnAddress,
  type OwnAddressInput,
  startOwnAddress,
  stepOwnAddress,
  unconfirmed,
} from '@copain/liveness';
import { decodeOwnAddressRow, encodeOwnAddressRow } from '../own-address-row.ts';

/** The public addresses of this box: where friends can dial it, and those that count, which names follow. */
export interface PublicAddress {
  /** Those that count. */
  current(): { ipv4: string | undefined; ipv6: string | undefined };
  /** Where friends see it now; nothing right after a start. */
  believed(): { ipv4: string | undefined; ipv6: string | undefined; changedAtMs: number | undefined };
  facts(): {
    agreed: { ipv4: OwnAddress | undefined; ipv6: OwnAddress | undefined };
    pinned: readonly AddressFamily[];
    /** Seen by friends in one network only. */
    unconfirmed: { address: string; network: string }[];
    history: readonly AddressChange[];
  };
  /** A friend in this network saw us come from this address. True when friends can dial us elsewhere now. */
  seen(by: string, host: string, network: string): boolean;
  /** His last connection ended. */
  lost(by: string): void;
  /** Every second: all addresses of this box's interfaces and of its router; those that are not public are left out. */
  own(hosts: readonly string[]): void;
  /** Durable when it resolves. */
  set(family: AddressFamily, address: string): Promise<void>;
  /** Friends say it again. Durable when it resolves. */
  follow(): Promise<void>;
}

const rowKey = 'own-address';

/**
 * Opens what was agreed before, so that a restart does not point names at what a master file said long ago. `changed`
 * is called once the change is on disk.
 */
export async function openPublicAddress(options: {
  table: Table;
  clock: Clock;
  changed(change: AddressChange): void;
  failed: (error: unknown) => void;
}): Promise<PublicAddress> {
  const { table, clock } = options;
  const row = await table.get(rowKey).catch(() => undefined);
  let state = startOwnAddress(row && decodeOwnAddressRow(row));
  let saidOwn = '';
  let writing: Promise<void> = Promise.resolve();

  /** Agreed, and not on disk yet. */
  let unsaved: AddressChange[] = [];
  let isUnsaved = false;

  const save = async (): Promise<void> => {
    const turn = writing.then(async () => {
      if (!isUnsaved) return;
      const changes = unsaved;
      await table.write([{ key: rowKey, value: encodeOwnAddressRow(state) }]);
      isUnsaved = false;
      unsaved = unsaved.slice(changes.length);
      for (const change of changes) options.changed(change);
    });
    writing = turn.catch(() => undefined);
    await turn;
  };
  /** True where friends can dial us elsewhere now. */
  const take = (input: OwnAddressInput): boolean => {
    const before = state;
    const [after, effects] = stepOwnAddress(before, input, clock.nowMs());
    state = after;
    isUnsaved ||= after.agreed !== before.agreed || after.pinned !== before.pinned;
    unsaved = [...unsaved, ...effects.flatMap((one) => (one.kind === 'changed' ? [one.change] : []))];
    return effects.some(({ kind }) => kind === 'believed');
  };
  /** A disk that is full now is asked again with the next second. */
  const saveSoon = (): void => {
    if (isUnsaved) save().catch(options.failed);
  };

  return {
    current: () => ({ ipv4: state.agreed.ipv4?.address, ipv6: state.agreed.ipv6?.address }),
    believed: () => {
      const { ipv4, ipv6 } = state.believed;
      const sinceMs = Math.max(ipv4?.sinceMs ?? 0, ipv6?.sinceMs ?? 0);
      return { ipv4: ipv4?.address, ipv6: ipv6?.address, changedAtMs: sinceMs === 0 ? undefined : sinceMs };
    },
    facts: () => ({
      agreed: { ipv4: state.agreed.ipv4, ipv6: state.agreed.ipv6 },
      pinned: state.pinned,
      unconfirmed: unconfirmed(state).map(({ address, network }) => ({ address, network })),
      history: state.history,
    }),
    seen: (observer, host, network) => {
      const family = publicFamily(host);
      if (family === undefined) return false;
      // What the internet does not route says nothing about shared fate: such a friend is a network of his own.
      const sighting = { family, address: host, network: network === '' ? `only ${observer}` : network };
      const isElsewhere = take({ kind: 'seen', observer, sighting });
      saveSoon();
      return isElsewhere;
    },
    lost: (observer) => {
      take({ kind: 'lost', observer });
    },
    own: (hosts) => {
      const addresses = hosts.flatMap((address) => {
        const family = publicFamily(address);
        return family === undefined ? [] : [{ family, address }];
      });
      const said = addresses.map(({ address }) => address).join(' ');
      if (said !== saidOwn) take({ kind: 'own', addresses });
      saidOwn = said;
      saveSoon();
    },
    set: async (family, address) => {
      take({ kind: 'set', family, address });
      await save();
    },
    follow: async () => {
      for (const family of ['ipv4', 'ipv6'] as const) take({ kind: 'follow', family });
      await save();
    },
  };
}
