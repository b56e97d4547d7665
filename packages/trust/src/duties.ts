import type { Grant, GrantsRecord, OffersRecord, Service } from './records.ts';
import type { Roster } from './roster.ts';

/** What this box is to do for one friend: his offer from us and his grant to us met. */
export interface Duty {
  service: 'dns' | 'mail';
  ownerId: string;
  /** Origin or domain, lower case, no final dot. */
  name: string;
  /** For mail: how much of it we keep at most. */
  quotaBytes: number;
}

/** What every box of the circle offers and grants, by owner id. */
export interface Agreements {
  offers: ReadonlyMap<string, OffersRecord>;
  grants: ReadonlyMap<string, GrantsRecord>;
}

/** What `from` does for `to`, by his own signed offer. */
export function offered(agreements: Agreements, from: string, to: string): Service[] {
  return agreements.offers.get(from)?.offers.find((offer) => offer.to === to)?.may ?? [];
}

const named = (grant: Grant, ownerId: string): boolean =>
  grant.to === undefined || grant.to.includes(ownerId);

/** Everything that the owner `self` has to do for others: service = offer and grant (both signed, either side ends it). */
export function duties(roster: Roster, agreements: Agreements, self: string): Duty[] {
  const all: Duty[] = [];
  for (const ownerId of roster.members.keys()) {
    if (ownerId === self) continue;
    const may = offered(agreements, self, ownerId);
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
      offered(agreements, ownerId, wanted.ownerId).includes(wanted.service),
  );
}
