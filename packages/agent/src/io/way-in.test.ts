import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes, type Table, toHex } from '@copain/core';
import { manualClock } from '@copain/core/testing';
import { encodeZoneVersion, nameOf } from '@copain/dns';
import { versionLimit } from '@copain/mesh';
import { type SigningKey, sha256, signingKeyFromSeed } from '@copain/mesh/io';
import { memoryTable } from '@copain/store';
import {
  encodeAddressRecord,
  encodeGrantsRecord,
  encodeHoldsRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeOffersRecord,
  encodeOwnerRecord,
  encodeProbesRecord,
  encodeReceiptRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
  encodeServicesRecord,
  encodeSwapRecord,
  encodeTakeoverRecord,
  encodeVoteRecord,
  inviteIdOf,
  joinProofBytes,
  type OwnerRecord,
  type RecordKind,
  recordKinds,
  type Signed,
} from '@copain/trust';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Identity, signingKeyOf } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { countRefusals } from './refusals.ts';
import { alone, testPeople } from './testing.ts';

/*
 * The way in of a record, step by step: every record below has faults at some of its steps, chosen freely, and is to be
 * refused at the first of them, counted there and nowhere else, without a trace in the store.
 */

const clock = manualClock(1_000_000);
const { person, folders, remove } = testPeople();
afterAll(remove);
let alice: Identity;
let bob: Identity;
let bobsOwnerKey: SigningKey;
let stranger: SigningKey;
let inviteKey: SigningKey;

beforeAll(async () => {
  alice = await person('alice');
  bob = await person('bob');
  const secret = (await readFile(join(folders[1] ?? '', 'keys/owner.key'), 'utf8')).trim();
  bobsOwnerKey = await signingKeyOf(secret, 'owner');
  stranger = await signingKeyFromSeed(new Uint8Array(32).fill(3));
  inviteKey = await signingKeyFromSeed(new Uint8Array(32).fill(4));
});

/** Where a record may fail, in the order in which it meets it. `claim`: what it says is not its signer's to say. */
const faults = ['envelope', 'signer', 'form', 'claim', 'version', 'quota', 'write'] as const;
type Fault = (typeof faults)[number];

/** Numbers, or anything else by which one record is another than the one before. */
interface Wanted {
  number: number;
  /** Two of one number differ by this. */
  twin: number;
  /** Says something that is not its signer's to say. */
  claims: boolean;
  /** Bob's owner record that counts, which his next one follows. */
  owner: Signed<OwnerRecord>;
}

const hashOf = (number: number): Uint8Array => sha256(new TextEncoder().encode(String(number)));

const numbered: readonly RecordKind[] = [
  'offers',
  'grants',
  'address',
  'holds',
  'vote',
  'receipt',
  'probes',
  'services',
  'swap',
  'zone',
];
/** Kinds of which only what they say shows that they are not their signer's; others say nothing about anybody else. */
const claiming: readonly RecordKind[] = recordKinds.filter(
  (kind) => !['offers', 'grants', 'address', 'holds', 'probes', 'services', 'swap'].includes(kind),
);

async function payload(
  kind: RecordKind,
  { number, twin, claims, owner: current }: Wanted,
): Promise<Uint8Array> {
  const circle = claims ? bob.ownerId : alice.ownerId;
  const sequence = number;
  switch (kind) {
    case 'member':
      return await admission(claims ? stranger : inviteKey, number);
    case 'owner': {
      const { record, hash } = current;
      const epoch = record.epoch + 1;
      const proof = {
        peer: bob.box.peer,
        epoch,
        previous: hash,
        signature: new Uint8Array(64).fill(1),
      };
      return encodeOwnerRecord({
        ...record,
        epoch,
        ownerId: bob.ownerId,
        previous: hash,
        proofs: claims ? [proof] : [],
        atMs: number,
      });
    }
    case 'removal':
      return encodeRemovalRecord({ circle, ownerId: toHex(hashOf(number)), seen: [] });
    case 'invite': {
      const key = (await signingKeyFromSeed(hashOf(number))).peer;
      const id = inviteIdOf(key, sha256);
      return encodeInviteRecord({ circle, id, name: 'dave', key, may: [], expiresAtMs: 9e9 });
    }
    case 'revocation':
      return encodeRevocationRecord({
        circle,
        inviteId: toHex(hashOf(number).slice(8, 16)),
      });
    case 'offers':
      return encodeOffersRecord({
        sequence,
        offers: [{ to: alice.ownerId, may: twin === 0 ? [] : ['dns'] }],
      });
    case 'grants':
      return encodeGrantsRecord({ sequence, zones: [{ name: `z${twin}.example`, to: undefined }], mail: [] });
    case 'address':
      return encodeAddressRecord({ sequence, addresses: [`192.0.2.1:${twin + 1}`] });
    case 'holds': {
      const zone = { owner: alice.ownerId, origin: 'a.example', epoch: 0, sequence: twin, serial: 1 };
      return encodeHoldsRecord({ sequence, zones: [zone] });
    }
    case 'vote': {
      const about = claims ? bob.box.peer : alice.box.peer;
      return encodeVoteRecord({ sequence, about, heardAtMs: twin, silent: true });
    }
    case 'probes': {
      const tried = { service: 'smtp', target: 'mail.a.example:25', state: 'up' as const, why: '' };
      return encodeProbesRecord({ sequence, services: [{ ...tried, owner: alice.ownerId, sinceMs: twin }] });
    }
    case 'receipt': {
      const owner = claims ? bob.ownerId : alice.ownerId;
      const chain = new Uint8Array(32).fill(twin);
      return encodeReceiptRecord({ sequence, owner, messages: number, bytes: 1, chain });
    }
    case 'services':
      return encodeServicesRecord({ sequence, services: [], ended: [{ zone: 'bob.example', number: twin }] });
    case 'swap':
      return swapVote(sequence, 2, twin);
    case 'takeover': {
      // Home again: the box itself and a friend. What only one of them says is no certificate.
      const said = [bob.box, ...(claims ? [] : [alice.box])];
      const votes = said.map(async (box) => await box.seal('swap', swapVote(1, 2 * number, 0)));
      const about = bob.box.peer;
      return encodeTakeoverRecord({
        by: bob.box.peer,
        about,
        service: 'web',
        number: 2 * number,
        votes: await Promise.all(votes),
      });
    }
    case 'zone':
      return encodeZoneVersion({
        owner: claims ? alice.ownerId : bob.ownerId,
        origin: nameOf('bob.example'),
        serial: 1,
        epoch: 0,
        sequence,
        contentHash: new Uint8Array(32).fill(twin),
        previousHash: new Uint8Array(32),
        sizeBytes: 100,
        expiresAfterMs: 1000,
        atMs: 1,
      });
  }
}

/** Bob's web site is for going home with this number. */
function swapVote(sequence: number, number: number, twin: number): Uint8Array {
  return encodeSwapRecord({
    sequence,
    about: bob.box.peer,
    service: 'web',
    number,
    stands: true,
    network: '',
    atMs: 1 + twin,
  });
}

/** Bob is in; said by alice at some time, and proven by the key of his invite or by some other. */
async function admission(by: SigningKey, atMs: number): Promise<Uint8Array> {
  const challenge = new Uint8Array(32).fill(8);
  const [circle, joiner, ownerId] = [alice.ownerId, bob.box.peer, bob.ownerId];
  const proof = joinProofBytes({ circle, ownerId, joiner, responder: alice.box.peer, challenge });
  return encodeMemberRecord({
    circle,
    name: 'bob',
    owner: bob.ownerEnvelope,
    inviteId: inviteIdOf(inviteKey.peer, sha256),
    redeemed: { key: inviteKey.peer, joiner, challenge, signature: await by.sign(proof) },
    atMs,
  });
}

interface Opened {
  store: RecordStore;
  diskFails: boolean;
  writes: number;
  changes: number;
  counts(): Record<string, number>;
  picture(): string;
}

async function circleOfTwo(): Promise<Opened> {
  const rows = new Map<string, Uint8Array>();
  const memory = memoryTable(rows);
  const refusals = countRefusals(clock, pino({ level: 'silent' }));
  const opened = { diskFails: false, writes: 0, changes: 0 } as Opened;
  const table: Table = {
    ...memory,
    write: async (changes) => {
      opened.writes += 1;
      if (opened.diskFails) throw new Error('no space left');
      await memory.write(changes);
    },
  };
  const store = await openRecordStore({
    table,
    clock,
    key: alice.box,
    ownerId: alice.ownerId,
    onChange: () => {
      opened.changes += 1;
    },
    events: { refused: refusals.record, damaged: () => {} },
  });
  await ownRecords(alice, store, alone).found('alice', 5);
  await store.publish('member', await admission(inviteKey, 6));
  return Object.assign(opened, {
    store,
    counts: () =>
      Object.fromEntries(refusals.totals().flatMap(({ step, count }) => (count > 0 ? [[step, count]] : []))),
    picture: () => {
      const hash = createHash('sha256').update(store.log().digest);
      for (const [key, value] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1)))
        hash.update(key).update(value);
      return hash.digest('hex');
    },
  });
}

/** Who signs records of this kind here; whoever may not is a stranger to all of them. */
const signerOf = (kind: RecordKind): SigningKey =>
  kind === 'member' ? alice.box : kind === 'owner' ? bobsOwnerKey : bob.box;

/** The faults that a record of this kind can have at all. */
function possible(kind: RecordKind): Fault[] {
  return faults.filter((fault) => {
    // Who may sign a member record cannot be seen before it is read: its proof is what counts.
    if (fault === 'signer') return kind !== 'member';
    if (fault === 'claim') return claiming.includes(kind);
    if (fault === 'version' || fault === 'quota') return numbered.includes(kind);
    return true;
  });
}

/** The step under which a fault is counted. */
const stepOf = (fault: Fault): string => (fault === 'claim' ? 'signer' : fault);

const faultyRecord = fc.constantFrom(...recordKinds).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    faults: fc.subarray(possible(kind)),
    isTwin: fc.boolean(),
  }),
);

it('a record is refused at the first step that it fails, is counted there alone, and leaves the store as it was to the byte', async () => {
  const fresh = await circleOfTwo();
  const exhausted = await circleOfTwo();
  /** Numbers of the newest of each kind, in both circles alike. */
  const newest = 1000;
  let next = newest;
  for (const kind of numbered) {
    const good = await payload(kind, { number: newest, twin: 0, claims: false, owner: bob.owner });
    for (const { store } of [fresh, exhausted]) await store.offer(kind, await bob.box.seal(kind, good));
  }
  for (let n = 1; n <= versionLimit.burst; n++) {
    const payload = encodeAddressRecord({ sequence: newest + n, addresses: ['192.0.2.7:1'] });
    await exhausted.store.offer('address', await bob.box.seal('address', payload));
  }
  const known = new Map<RecordKind, number>([['address', newest + versionLimit.burst]]);
  const seen = new Set<string>();

  await fc.assert(
    fc.asyncProperty(faultyRecord, async ({ kind, faults: wrong, isTwin }) => {
      const has = (fault: Fault): boolean => wrong.includes(fault);
      const opened = has('quota') ? exhausted : fresh;
      next += 1;
      const numberNow = opened.store.log().facts.get(keyOf(kind))?.sequence ?? known.get(kind) ?? newest;
      const number = has('version')
        ? isTwin
          ? numberNow
          : numberNow - 1
        : newest + versionLimit.burst + next;
      // A twin of the newest says something else under its number.
      const said = await payload(kind, {
        number,
        twin: has('version') && isTwin ? 200 : 0,
        claims: has('claim'),
        owner: opened.store.knowledge().roster.members.get(bob.ownerId)?.owner ?? bob.owner,
      });
      const body = has('form') ? concatBytes(said, Uint8Array.of(0)) : said;
      const sealed = await (has('signer') ? stranger : signerOf(kind)).seal(kind, body);
      const last = sealed.length - 1;
      const envelope = has('envelope') ? sealed.with(last, (sealed[last] ?? 0) ^ 1) : sealed;

      const [before, picture] = [opened.counts(), opened.picture()];
      const { writes, changes } = opened;
      opened.diskFails = has('write');
      const outcome = await opened.store.offer(kind, envelope).catch(() => ({ kind: 'failed' }));
      opened.diskFails = false;

      const first = faults.find(has);
      const after = opened.counts();
      if (first === undefined) {
        expect([kind, outcome.kind, after]).toEqual([kind, 'new', before]);
        expect(opened.changes).toBe(changes + 1);
        return;
      }
      const step = stepOf(first);
      seen.add(`${kind} ${first}`);
      expect([kind, wrong, after]).toEqual([kind, wrong, { ...before, [step]: (before[step] ?? 0) + 1 }]);
      expect(outcome.kind).not.toBe('new');
      expect(opened.picture()).toBe(picture);
      // The disk is tried at its own step and at none before; nobody hears of what is not on it.
      expect(opened.writes - writes).toBe(first === 'write' ? 1 : 0);
      expect(opened.changes).toBe(changes);
    }),
    { numRuns: 2150, seed: 16 },
  );
  const all = recordKinds.flatMap((kind) => possible(kind).map((fault) => `${kind} ${fault}`));
  expect(all.filter((one) => !seen.has(one))).toEqual([]);
}, 60_000);

/** The key of what bob signs of a numbered kind here. */
function keyOf(kind: RecordKind): string {
  if (kind === 'vote') return `vote/${bob.box.peer}/${alice.box.peer}`;
  if (kind === 'swap') return `swap/${bob.box.peer}/${bob.box.peer}/web`;
  if (kind === 'receipt') return `receipt/${bob.box.peer}/${alice.ownerId}`;
  return kind === 'zone' ? `zone/${bob.ownerId}/bob.example` : `${kind}/${bob.box.peer}`;
}
