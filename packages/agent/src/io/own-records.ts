import { setTimeout as after } from 'node:timers/promises';
import { equalBytes } from '@copain/core';
import {
  type AddressRecord,
  type Away,
  encodeAddressRecord,
  encodeGrantsRecord,
  encodeHoldsRecord,
  encodeMemberRecord,
  encodeOffersRecord,
  encodeProbesRecord,
  type GrantsRecord,
  type HoldsRecord,
  type OffersRecord,
  type ProbesRecord,
} from '@copain/trust';
import type { Identity } from './identity.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';

const holdsAfterMs = 50;

/** Signs our own numbered records, each only when what it says has changed. */
export interface OwnRecords {
  found(name: string, atMs: number): Promise<void>;
  offers(offers: OffersRecord['offers']): Promise<void>;
  grants(grants: Pick<GrantsRecord, 'zones' | 'mail'>): Promise<void>;
  addresses(addresses: string[]): Promise<void>;
  /** Says that this box may be off, or with undefined that it is back. */
  away(away: Away | undefined): Promise<void>;
  holds(zones: HoldsRecord['zones']): Promise<void>;
  /** How services look from here. */
  probes(services: ProbesRecord['services']): Promise<void>;
}

type OwnKind = 'offers' | 'grants' | 'address' | 'holds' | 'probes';

/** What is to be said while nothing may be signed is kept, the newest of each kind, and signed once it may. */
export function ownRecords(
  identity: Identity,
  records: RecordStore,
  standing: Pick<Standing, 'maySign' | 'whenSignable'>,
): OwnRecords {
  const self = identity.box.peer;
  let queue: Promise<unknown> = Promise.resolve();
  let newestHolds: HoldsRecord['zones'] | undefined;
  const unsaid = new Map<string, () => Promise<void>>();
  standing.whenSignable(() => {
    const works = [...unsaid.values()];
    unsaid.clear();
    // Whoever wanted it said has gone on; what fails is said with the next change.
    for (const work of works) work().catch(() => undefined);
  });

  /** Publishes `encode(sequence)` unless the record under `kind` says the same already. One at a time. */
  const publish = async (
    kind: OwnKind,
    encode: (sequence: number) => Uint8Array,
    empty: boolean,
  ): Promise<void> => {
    const work = async (): Promise<void> => {
      if (!standing.maySign()) {
        unsaid.set(kind, () => publish(kind, encode, empty));
        return;
      }
      // Whoever was removed from the circle has nothing to say in it.
      if (records.knowledge().roster.ownerOf.get(self) !== identity.ownerId) return;
      const known = records.knowledge().records.get(`${kind}/${self}`);
      const signed = known?.kind === kind ? known.signed : undefined;
      const last = signed === undefined ? undefined : (signed.record as { sequence: number }).sequence;
      if (last === undefined && empty) return;
      if (
        signed !== undefined &&
        last !== undefined &&
        equalBytes(encode(last), encodeKnown(kind, signed.record))
      ) {
        return;
      }
      await records.publish(kind, encode((last ?? 0) + 1));
    };
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    await turn;
  };

  /** What this box said last of where it is. Asked in turn, so that what is said of the one keeps what was said of the other. */
  const lastPlace = (): Pick<AddressRecord, 'addresses' | 'away'> => {
    const known = records.knowledge().records.get(`address/${self}`);
    return known?.kind === 'address' ? known.signed.record : { addresses: [] };
  };

  return {
    found: async (name, atMs) => {
      const { circle, roster } = records.knowledge();
      // A further box of the founder finds the circle by its records; only his first one founds it.
      const isFirst = identity.owner.record.boxes.some((box) => box.peer === self);
      if (circle !== identity.ownerId || roster.members.size > 0 || !isFirst) return;
      await records.publish(
        'member',
        encodeMemberRecord({
          circle,
          name,
          owner: identity.ownerEnvelope,
          inviteId: undefined,
          redeemed: undefined,
          atMs,
        }),
      );
    },
    offers: async (offers) => {
      await publish('offers', (sequence) => encodeOffersRecord({ sequence, offers }), offers.length === 0);
    },
    grants: async ({ zones, mail }) => {
      const empty = zones.length + mail.length === 0;
      await publish('grants', (sequence) => encodeGrantsRecord({ sequence, zones, mail }), empty);
    },
    addresses: async (addresses) => {
      await publish(
        'address',
        (sequence) => encodeAddressRecord({ sequence, addresses, away: lastPlace().away }),
        addresses.length === 0,
      );
    },
    away: async (away) => {
      await publish(
        'address',
        (sequence) => encodeAddressRecord({ sequence, addresses: lastPlace().addresses, away }),
        away === undefined,
      );
    },
    probes: async (services) => {
      await publish(
        'probes',
        (sequence) => encodeProbesRecord({ sequence, services }),
        services.length === 0,
      );
    },
    holds: async (zones) => {
      // What is said of hundreds of zones that arrive together is said once they are here, not once for each; and while
      // a change is on its way to everybody, nobody is busy with who has it already.
      const isWaiting = newestHolds !== undefined;
      newestHolds = zones;
      if (isWaiting) return;
      await Promise.all([queue.catch(() => undefined), after(holdsAfterMs, undefined, { ref: false })]);
      const newest = newestHolds;
      newestHolds = undefined;
      await publish(
        'holds',
        (sequence) => encodeHoldsRecord({ sequence, zones: newest }),
        newest.length === 0,
      );
    },
  };
}

function encodeKnown(kind: OwnKind, record: unknown): Uint8Array {
  switch (kind) {
    case 'offers':
      return encodeOffersRecord(record as OffersRecord);
    case 'grants':
      return encodeGrantsRecord(record as GrantsRecord);
    case 'address':
      return encodeAddressRecord(record as AddressRecord);
    case 'holds':
      return encodeHoldsRecord(record as HoldsRecord);
    case 'probes':
      return encodeProbesRecord(record as ProbesRecord);
  }
}
