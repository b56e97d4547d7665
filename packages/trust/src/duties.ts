import { type Service, services } from './record-kinds.ts';
import type { Roster } from './roster.ts';
import type { Grant, GrantsRecord, OffersRecord } from './service-records.ts';

/** What this box is to do for one friend: his offer from us and his grant to us met. */
export interface Duty {
  service: 'dns' | 'mail';
  ownerId: string;
  /** Origin or domain, lower case, no final dot. */
  name: string;
  /** For mail: how much of it we keep at most. */
  quotaBytes: number;
}

/**
 * What is offered and granted: offers by PeerId, since each box does what it offered itself; grants by owner id, since it
 * is the owner who entrusts.
 */
export interface Agreements {
  offers: ReadonlyMap<string, OffersRecord>;
  grants: ReadonlyMap<string, GrantsRecord>;
}

/** What the box `from` does for the owner `to`, by its own signed offer. */
function boxOffers(agreements: Agreements, from: string, to: string): Service[] {
  return agreements.offers.get(from)?.offers.find((offer) => offer.to === to)?.may ?? [];
}

/** What the owner `from` does for the owner `to`: what any of his boxes offers. */
export function offered(roster: Roster, agreements: Agreements, from: string, to: string): Service[] {
  const boxes = roster.members.get(from)?.boxes ?? [];
  const may = new Set(boxes.flatMap((box) => boxOffers(agreements, box.peer, to)));
  return services.filter((service) => may.has(service));
}

/**
 * The grants of one owner, whichever of his boxes signed them: each name once. Of two that grant one name, the higher
 * sequence counts, then the lower PeerId.
 */
export function mergeGrants(
  records: readonly { signer: string; record: GrantsRecord }[],
): GrantsRecord | undefined {
  const newestFirst = [...records].sort(
    (a, b) => b.record.sequence - a.record.sequence || (a.signer < b.signer ? -1 : 1),
  );
  const [newest] = newestFirst;
  if (newest === undefined) return undefined;
  const byName = <T extends Grant>(lists: readonly (readonly T[])[]): T[] => [
    ...new Map(
      lists
        .toReversed()
        .flat()
        .map((grant) => [grant.name, grant] as const),
    ).values(),
  ];
  return {
    sequence: newest.record.sequence,
    zones: byName(newestFirst.map(({ record }) => record.zones)),
    mail: byName(newestFirst.map(({ record }) => record.mail)),
  };
}

const named = (grant: Grant, ownerId: string): boolean =>
  grant.to === undefined || grant.to.includes(ownerId);

/**
 * Everything that the box `self.box` of the owner `self.ownerId` has to do for others: service = offer and grant (both
 * signed, either side ends it). And the zones of its own owner; those that this very box publishes are for the caller to
 * leave out.
 */
export function duties(
  roster: Roster,
  agreements: Agreements,
  { ownerId: self, box }: { ownerId: string; box: string },
): Duty[] {
  const all: Duty[] = [];
  // Every box of an owner keeps a copy of the zones that another of his boxes publishes.
  for (const { name } of agreements.grants.get(self)?.zones ?? []) {
    all.push({ service: 'dns', ownerId: self, name, quotaBytes: 0 });
  }
  for (const ownerId of roster.members.keys()) {
    if (ownerId === self) continue;
    const may = boxOffers(agreements, box, ownerId);
    const grants = agreements.grants.get(ownerId);
    if (grants === undefined) continue;
    if (may.includes('dns')) {
      for (const grant of grants.zones) {
        if (named(grant, self)) all.push({ service: 'dns', ownerId, name: grant.name, quotaBytes: 0 });
      }
    }
    if (may.includes('mail')) {
      for (const grant of grants.mail) {
        if (named(grant, self))
          all.push({ service: 'mail', ownerId, name: grant.name, quotaBytes: grant.quotaBytes });
      }
    }
  }
  return all;
}

/** The owners who do `service` for `owner` under the name `name`: each offered it, and the grant names him or all. */
export function providersOf(
  roster: Roster,
  agreements: Agreements,
  wanted: { ownerId: string; service: 'dns' | 'mail'; name: string },
): string[] {
  const grants = agreements.grants.get(wanted.ownerId);
  const grant = (wanted.service === 'dns' ? grants?.zones : grants?.mail)?.find(
    (one) => one.name === wanted.name,
  );
  if (grant === undefined) return [];
  return [...roster.members.keys()].filter(
    (ownerId) =>
      ownerId !== wanted.ownerId &&
      named(grant, ownerId) &&
      offered(roster, agreements, ownerId, wanted.ownerId).includes(wanted.service),
  );
}
