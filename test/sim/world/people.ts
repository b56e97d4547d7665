import { createHash } from 'node:crypto';
import { toHex } from '@copain/core';
import {
  encodeGrantsRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeOffersRecord,
  encodeOwnerRecord,
  encodeServicesRecord,
  inviteIdOf,
  peerIdFromKey,
  type ServiceEntry,
} from '@copain/trust';
import { goodSignature, seal, sha256 } from './envelopes.ts';

/** A person with one box. `owns`: his zone and mail domain, which friends serve for him. */
export interface Person {
  number: number;
  peer: string;
  ownerId: string;
  /** His first owner record. */
  ownerRecord: Uint8Array;
  owns:
    | {
        origin: string;
        secondaries: readonly number[];
        backups: readonly number[];
        /** Who stands in for his web site. */
        standby: number | undefined;
      }
    | undefined;
}

const bech32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

const keyBytes = (seed: number, what: string, number: number): Uint8Array =>
  new Uint8Array(createHash('sha256').update(`${seed} ${what} ${number}`).digest());

const recipient = (bytes: Uint8Array): string =>
  `age1${[...bytes, ...sha256(bytes)]
    .slice(0, 58)
    .map((byte) => bech32[byte & 31])
    .join('')}`;

/**
 * Everybody, in the order of their PeerIds, so that the lower number is the lower PeerId. The first `owners` of them have
 * a zone and a mail domain, kept by up to three friends; of those who also have a web site with a standby the zone is kept by
 * everybody, since only who answers it has a say in a takeover.
 */
export function people(options: { boxes: number; owners: number; sites: number; seed: number }): Person[] {
  const { boxes, owners, sites, seed } = options;
  const keys = Array.from({ length: boxes }, (_, i) => peerIdFromKey(keyBytes(seed, 'box', i)));
  return keys.toSorted().map((peer, number) => {
    const [own, paper] = [keyBytes(seed, 'owner', number), keyBytes(seed, 'paper', number)];
    const ownerRecord = encodeOwnerRecord({
      epoch: 0,
      ownerId: undefined,
      previous: undefined,
      keys: [
        { use: 'owner', peer: peerIdFromKey(own), sealTo: recipient(own) },
        { use: 'paper', peer: peerIdFromKey(paper), sealTo: recipient(paper) },
      ],
      boxes: [
        {
          peer,
          name: `box${number}`,
          roles: ['sign-zone', 'sign-grant', 'mail', 'relay', 'watch'],
          sealTo: recipient(keyBytes(seed, 'mail', number)),
        },
      ],
      proofs: [],
      revoked: [],
      atMs: 0,
    });
    const helpers = [1, 2, 3].map((step) => (number + step) % boxes).filter((one) => one !== number);
    return {
      number,
      peer,
      ownerId: toHex(sha256(ownerRecord)),
      ownerRecord,
      owns:
        number < owners
          ? {
              origin: `zone${number}.example`,
              secondaries:
                number < sites
                  ? Array.from({ length: boxes - 1 }, (_, i) => (number + 1 + i) % boxes)
                  : [...new Set(helpers)],
              backups: [...new Set(helpers)].slice(0, 2),
              standby: number < sites ? helpers[0] : undefined,
            }
          : undefined,
    };
  });
}

/** The invite by which somebody comes, as its inviter signs it, and the member record by whoever lets him in. */
export function inviteOf(circle: string, by: Person, guest: Person): { id: string; envelope: Uint8Array } {
  const key = peerIdFromKey(sha256(guest.ownerRecord));
  const id = inviteIdOf(key, sha256);
  const record = { circle, id, name: `guest${guest.number}`, key, expiresAtMs: 8e15 };
  const payload = encodeInviteRecord({ ...record, may: ['dns', 'mail', 'witness'] });
  return { id, envelope: seal('invite', by.peer, payload) };
}

export function memberOf(
  circle: string,
  by: Person,
  guest: Person,
  signature: Uint8Array = goodSignature,
  atMs = 0,
): Uint8Array {
  const key = peerIdFromKey(sha256(guest.ownerRecord));
  const payload = encodeMemberRecord({
    circle,
    name: `person${guest.number}`,
    owner: guest.ownerRecord,
    inviteId: inviteIdOf(key, sha256),
    redeemed: { key, joiner: guest.peer, challenge: new Uint8Array(32), signature },
    atMs,
  });
  return seal('member', by.peer, payload);
}

/** All records with which a circle of these people stands: person 0 founded it, each later one was let in by one before. */
export function foundingRecords(all: readonly Person[], joined: number): Uint8Array[] {
  const [founder] = all;
  if (founder === undefined) return [];
  const circle = founder.ownerId;
  const records = [
    seal(
      'member',
      founder.peer,
      encodeMemberRecord({
        circle,
        name: 'person0',
        owner: founder.ownerRecord,
        inviteId: undefined,
        redeemed: undefined,
        atMs: 0,
      }),
    ),
  ];
  for (const guest of all.slice(1, joined)) {
    const by = all[guest.number >> 1] ?? founder;
    records.push(inviteOf(circle, by, guest).envelope, memberOf(circle, by, guest));
  }
  return records;
}

/** What a member signs once he is in: his offers to everybody, and his grants. */
export function serviceRecords(person: Person, all: readonly Person[]): Uint8Array[] {
  const offers = all
    .filter((one) => one !== person)
    .map((one) => ({ to: one.ownerId, may: ['dns' as const, 'mail' as const, 'witness' as const] }));
  const records = [seal('offers', person.peer, encodeOffersRecord({ sequence: 1, offers }))];
  if (person.owns === undefined) return records;
  const idsOf = (numbers: readonly number[]): string[] => numbers.map((number) => all[number]?.ownerId ?? '');
  const { origin, secondaries, backups } = person.owns;
  const payload = encodeGrantsRecord({
    sequence: 1,
    zones: [{ name: origin, to: idsOf(secondaries) }],
    mail: [{ name: origin, to: idsOf(backups), quotaBytes: 1e9 }],
  });
  records.push(seal('grants', person.peer, payload));
  const [standby] = person.owns.standby === undefined ? [] : idsOf([person.owns.standby]);
  if (standby !== undefined) records.push(seal('services', person.peer, siteRecord(origin, standby)));
  return records;
}

function siteRecord(zone: string, standby: string): Uint8Array {
  const service: ServiceEntry = {
    name: 'web',
    zone,
    record: `www.${zone}`,
    standby,
    check: `http://www.${zone}/`,
    ttlS: 300,
    sets: [{ type: 1, data: [Uint8Array.of(198, 51, 100, 7)], signatures: [] }],
    afterMs: 180_000,
    maxMs: 30 * 86_400_000,
    holdMs: 600_000,
    number: 0,
    pin: 'obey',
    drill: undefined,
  };
  return encodeServicesRecord({ sequence: 1, services: [service], ended: [] });
}
