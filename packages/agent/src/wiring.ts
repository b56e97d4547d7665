import {
  type Claims,
  claimConflict,
  type Duty,
  duties,
  type GrantsRecord,
  type InviteRecord,
  inviteState,
  type Member,
  type OffersRecord,
  providersOf,
  type Service,
  type Signed,
} from '@copain/trust';
import type { Config } from './config-schema.ts';
import { type Knowledge, type KnownRecord, originText, recordsOf } from './known-records.ts';

/** Mail that one owner's domain may take up on a friend's disk unless the friend said otherwise. */
const defaultMailQuotaBytes = 1e9;

/** What each room should be doing, now that the circle or the configuration changed. */
export interface Plan {
  /** Our own records, as they should be; the agent signs those that differ from what it signed last. */
  offers: OffersRecord['offers'];
  grants: Pick<GrantsRecord, 'zones' | 'mail'>;
  /** What we do for others, and for whom; refused claims are left out and listed. */
  duties: Duty[];
  conflicts: { duty: Duty; name: string; ownerId: string }[];
  /** Claims to remember, by `dns:` or `mail:` name. */
  newClaims: { key: string; ownerId: string }[];
}

/**
 * The one place that knows several rooms: from what is known of the circle and what the operator wrote, what each room
 * is to do. `base` is what this box came to offer each friend when he joined; `[[friend]] may` overrules it.
 */
export function plan(
  knowledge: Knowledge,
  config: Pick<Config, 'zones' | 'mail' | 'friends'>,
  self: { ownerId: string; box: { peer: string } },
  state: { base: ReadonlyMap<string, readonly Service[]>; claims: Claims },
): Plan {
  const { roster, agreements } = knowledge;
  const friends = [...roster.members.values()].filter((member) => member.ownerId !== self.ownerId);
  const ownerByName = new Map(friends.map((member) => [member.name, member.ownerId]));
  const idsOf = (names: readonly string[] | undefined): string[] | undefined =>
    names?.flatMap((name) => ownerByName.get(name) ?? []);
  const claims = new Map(state.claims);
  for (const zone of config.zones) claims.set(`dns:${zone.origin}`, self.ownerId);
  for (const mail of config.mail) claims.set(`mail:${mail.domain}`, self.ownerId);
  const result: Plan = {
    offers: friends.map((member) => ({
      to: member.ownerId,
      may: [
        ...(config.friends.find((one) => one.name === member.name)?.may ??
          state.base.get(member.ownerId) ??
          []),
      ],
    })),
    grants: {
      zones: config.zones.map((zone) => ({ name: zone.origin, to: idsOf(zone.secondaries) })),
      mail: config.mail.map((mail) => ({
        name: mail.domain,
        to: idsOf(mail.backups),
        quotaBytes: defaultMailQuotaBytes,
      })),
    },
    duties: [],
    conflicts: [],
    newClaims: [],
  };
  for (const duty of duties(roster, agreements, { ownerId: self.ownerId, box: self.box.peer })) {
    const own = duty.ownerId === self.ownerId;
    if (own && config.zones.some((zone) => zone.origin === duty.name)) continue;
    const conflict = claimConflict(claims, duty);
    if (conflict !== undefined) {
      result.conflicts.push({ duty, ...conflict });
      continue;
    }
    const key = `${duty.service}:${duty.name}`;
    if (!claims.has(key)) {
      claims.set(key, duty.ownerId);
      result.newClaims.push({ key, ownerId: duty.ownerId });
    }
    const member = roster.members.get(duty.ownerId);
    const ownQuota = config.friends.find((one) => one.name === member?.name)?.quotaBytes;
    result.duties.push({ ...duty, quotaBytes: Math.min(duty.quotaBytes, ownQuota ?? duty.quotaBytes) });
  }
  return result;
}

/**
 * What this box starts to offer a friend: what the invite said, between inviter and joiner; else to be a witness.
 * Undefined while an invite that decides it is not known yet: records arrive one by one.
 */
export function baseOffer(knowledge: Knowledge, self: string, friend: Member): Service[] | undefined {
  const mine = knowledge.roster.members.get(self);
  if (mine === undefined) return undefined;
  const invites = recordsOf(knowledge, 'invite').map((record) => record.signed);
  const between = [
    { joined: friend, inviter: self },
    { joined: mine, inviter: friend.ownerId },
  ];
  for (const { joined, inviter } of between) {
    if (joined.inviteId === undefined) continue;
    const invite = invites.find((one) => one.record.id === joined.inviteId);
    if (invite === undefined) return undefined;
    if (knowledge.roster.everOwnerOf.get(invite.signer) === inviter) return invite.record.may;
  }
  return ['witness'];
}

/** Is there an invite whose bearer should get an answer rather than a closed door? `memoryMs` after its end still. */
export function answersInvites(knowledge: Knowledge, memoryMs: number, nowMs: number): boolean {
  return recordsOf(knowledge, 'invite').some(({ signed }) => nowMs < signed.record.expiresAtMs + memoryMs);
}

/** Every invite of this circle with its state. */
export function listInvites(
  knowledge: Knowledge,
  nowMs: number,
): { invite: Signed<InviteRecord>; state: ReturnType<typeof inviteState> }[] {
  const revocations = recordsOf(knowledge, 'revocation').map((record) => record.signed);
  return recordsOf(knowledge, 'invite').map(({ signed }) => ({
    invite: signed,
    state: inviteState(signed, { roster: knowledge.roster, revocations }, nowMs),
  }));
}

/** Which rooms a new record concerns: the flows of the whole agent, in one switch. */
export type RoomCall =
  /** Somebody joined, offered or granted: plan anew, and let every room have its part. */
  | { kind: 'plan' }
  /** A friend's box can be dialled elsewhere. */
  | { kind: 'addresses' }
  /** A zone has a newer version: dns decides whether to fetch it. */
  | { kind: 'zone-announced'; ownerId: string; origin: string }
  /** A friend says which versions he serves: dns may fetch from him. */
  | { kind: 'zone-holders'; peer: string }
  /** A friend's word about another friend: liveness counts it. */
  | { kind: 'vote'; from: string }
  /** Somebody said how services look to him. */
  /** A friend signed for more of our mail. */
  | { kind: 'receipt' }
  | { kind: 'services' }
  /** A service, a word about one, or a transition of one: who is answered may be another from now on. */
  | { kind: 'takeovers' };

/** The calls that a record which just became known makes; the agent carries them out in order. */
export function routeRecord(record: KnownRecord): RoomCall[] {
  switch (record.kind) {
    case 'member':
    case 'owner':
    case 'removal':
    case 'offers':
    case 'grants':
      return [{ kind: 'plan' }];
    case 'invite':
    case 'revocation':
      return [{ kind: 'plan' }];
    case 'address':
      return [{ kind: 'addresses' }];
    case 'zone': {
      const { owner, origin } = record.signed.record;
      return [{ kind: 'zone-announced', ownerId: owner, origin: originText(origin) }];
    }
    case 'holds':
      return [{ kind: 'zone-holders', peer: record.signed.signer }];
    case 'vote':
      return [{ kind: 'vote', from: record.signed.signer }];
    case 'receipt':
      return [{ kind: 'receipt' }];
    case 'probes':
      return [{ kind: 'services' }];
    case 'services':
    case 'swap':
    case 'takeover':
      return [{ kind: 'takeovers' }];
  }
}

/** Who should hold a zone or a domain of ours, as owner ids. */
export function providers(
  knowledge: Knowledge,
  self: string,
  wanted: { service: 'dns' | 'mail'; name: string },
): string[] {
  return providersOf(knowledge.roster, knowledge.agreements, { ownerId: self, ...wanted });
}
