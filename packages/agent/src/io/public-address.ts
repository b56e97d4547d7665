import { isIP } from 'node:net';
import type { Clock, Table } from '@copain/core';
import {
  type AddressChange,
  type AddressFamily,
  type OwnAddress,
  type OwnAddressInput,
  startOwnAddress,
  stepOwnAddress,
  unconfirmed,
} from '@copain/liveness';
import { decodeOwnAddressRow, encodeOwnAddressRow, publicFamily } from '../own-address-row.ts';

/** The public addresses of this box that count, for the names that follow them and for `peer address`. */
export interface PublicAddress {
  current(): { ipv4: string | undefined; ipv6: string | undefined };
  facts(): {
    agreed: { ipv4: OwnAddress | undefined; ipv6: OwnAddress | undefined };
    pinned: readonly AddressFamily[];
    /** Seen by friends in one network only. */
    unconfirmed: { address: string; network: string }[];
    history: readonly AddressChange[];
  };
  /** A friend in this network saw us come from this address. */
  seen(by: string, host: string, network: string): void;
  /** His last connection ended. */
  lost(by: string): void;
  /** All addresses of this box's interfaces, and of its router; those that are not public are left out. */
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

  const take = async (input: OwnAddressInput): Promise<void> => {
    const before = state;
    const [after, effects] = stepOwnAddress(before, input, clock.nowMs());
    state = after;
    if (after.agreed === before.agreed && after.pinned === before.pinned) return;
    const turn = writing.then(async () => {
      await table.write([{ key: rowKey, value: encodeOwnAddressRow(after) }]);
      for (const { change } of effects) options.changed(change);
    });
    writing = turn.catch(() => undefined);
    await turn;
  };
  const note = (input: OwnAddressInput): void => void take(input).catch(options.failed);

  return {
    current: () => ({ ipv4: state.agreed.ipv4?.address, ipv6: state.agreed.ipv6?.address }),
    facts: () => ({
      agreed: { ipv4: state.agreed.ipv4, ipv6: state.agreed.ipv6 },
      pinned: state.pinned,
      unconfirmed: unconfirmed(state).map(({ address, network }) => ({ address, network })),
      history: state.history,
    }),
    seen: (observer, host, network) => {
      const family = publicFamily(isIP, host);
      if (family === undefined) return;
      // What the internet does not route says nothing about shared fate: such a friend is a network of his own.
      const sighting = { family, address: host, network: network === '' ? `only ${observer}` : network };
      note({ kind: 'seen', observer, sighting });
    },
    lost: (observer) => note({ kind: 'lost', observer }),
    own: (hosts) => {
      const addresses = hosts.flatMap((address) => {
        const family = publicFamily(isIP, address);
        return family === undefined ? [] : [{ family, address }];
      });
      const said = addresses.map(({ address }) => address).join(' ');
      if (said === saidOwn) return;
      saidOwn = said;
      note({ kind: 'own', addresses });
    },
    set: async (family, address) => await take({ kind: 'set', family, address }),
    follow: async () => {
      await take({ kind: 'follow', family: 'ipv4' });
      await take({ kind: 'follow', family: 'ipv6' });
    },
  };
}
