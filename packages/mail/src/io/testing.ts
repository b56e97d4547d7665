/**
 * What the tests of this room share: a pair of boxes, alice (the owner) and bob (her friend), joined by streams in memory;
 * beside them a scripted MTA (`testing-mta`) and a client that speaks line by line (`testing-client`). Real sockets on
 * 127.0.0.1.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, FrameStream, HostPort, Random, Segments, Table } from '@copain/core';
import { memorySegments, memoryTable } from '@copain/store';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach } from 'vitest';
import { decodeDrainRequest } from '../drain-frames.ts';
import { sweepEveryMs } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import type { ClaimView } from '../raw-plan.ts';
import type { OwnBoxes } from './canary-arrival.ts';
import type { TlsFiles } from './certificates.ts';
import type { MailEvents } from './events.ts';
import { framePair } from './frame-pair.ts';
import { type Mail, startMail } from './mail.ts';

/** Resolves when the condition holds; looks at every turn of the event loop, so it is as quick as what it waits for. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition()))
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
}

/** An event as it was told. */
export type Told = { kind: keyof MailEvents } & Record<string, unknown>;

export function recordEvents(): {
  events: MailEvents;
  told: Told[];
  until: (kind: keyof MailEvents) => Promise<Told>;
} {
  const told: Told[] = [];
  const watchers = new Set<() => void>();
  const names = [
    'passed',
    'held',
    'refused',
    'handedOver',
    'queued',
    'delivered',
    'deferred',
    'quarantined',
    'copied',
    'copyTaken',
    'copyRefused',
    'moved',
    'noted',
    'rawEnded',
    'rawDeclined',
    'trouble',
    'changed',
  ] as const;
  const tell =
    (kind: keyof MailEvents) =>
    (fact?: object): void => {
      told.push({ ...fact, kind });
      for (const watcher of watchers) watcher();
    };
  const events = Object.fromEntries(names.map((kind) => [kind, tell(kind)])) as unknown as MailEvents;
  const until = (kind: keyof MailEvents): Promise<Told> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = told.find((one) => one.kind === kind);
        if (!found) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  return { events, told, until };
}

export const systemClock: Clock = { nowMs: () => Date.now() };
const noJitter: Random = { bytes: (length) => new Uint8Array(randomBytes(length)), fraction: () => 0 };

const noTls: TlsFiles = { main: undefined, names: [] };

export const aliceId: string = 'a1'.repeat(32);
const carolId: string = 'c3'.repeat(32);

/** A key pair of an owner. */
export async function ageKey(): Promise<{ identity: string; recipient: string }> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** A folder that is removed at the end; `base`: where. */
export async function temporaryFolder(base: string = tmpdir()): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(base, 'copain-mail-'));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** The stores of one box; they outlive its Mail, as a disk outlives a process. */
export interface Stores {
  segments: Segments;
  inbox: Segments;
  table: Table;
}

/** Stores of a box that was never started. */
export function memoryStores(): Stores {
  return { segments: memorySegments(), inbox: memorySegments(), table: memoryTable() };
}

/** Called once by a test file: what is given to the answer is disposed of after the test that gives it, the last first. */
export function disposedAfterEach(): <T extends AsyncDisposable>(one: T) => T {
  const used: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const one of used.splice(0).reverse()) await one[Symbol.asyncDispose]();
  });
  return (one) => {
    used.push(one);
    return one;
  };
}

/** Alice's box in a test. */
export interface OwnerBox extends AsyncDisposable {
  mail: Mail;
  told: Told[];
  until: (kind: keyof MailEvents) => Promise<Told>;
  domains: MailDomain[];
}

/** Starts alice's box: no listener unless asked, her MTA where `mta` says. */
export async function startOwner({
  stores,
  identity,
  recipient,
  mta,
  client = 'none',
  listen = [],
  wish,
  backups = () => [],
  openPolicy = async () => {
    throw new Error('nobody');
  },
  claims = () => ({ allowPrivate: true, own: [] }),
  ownBoxes = { any: () => false, askCanary: async () => 'unknown' },
}: {
  stores: Stores;
  identity: string;
  recipient: string;
  mta: HostPort;
  client?: MailDomain['client'];
  listen?: HostPort[];
  wish?: NonNullable<MailDomain['wish']>;
  backups?: Parameters<typeof startMail>[0]['backups'];
  openPolicy?: (peer: string) => Promise<FrameStream>;
  claims?: () => ClaimView;
  ownBoxes?: OwnBoxes;
}): Promise<OwnerBox> {
  const { events, told, until } = recordEvents();
  const domains: MailDomain[] = [
    {
      domain: 'alice.test',
      ownerId: aliceId,
      ownerName: 'alice',
      role: 'own',
      sealTo: [recipient],
      maxBytes: 1e9,
      deliver: mta,
      ...(client === undefined ? {} : { client }),
      ...(wish === undefined ? {} : { wish }),
    },
  ];
  const unreachable = async (): Promise<FrameStream> => {
    throw new Error('nobody');
  };
  const mail = await startMail({
    listen,
    hostname: 'mx.alice.test',
    tls: () => noTls,
    domains: () => domains,
    openLive: unreachable,
    openDrain: unreachable,
    openPolicy: (peer) => openPolicy(peer),
    openCopy: unreachable,
    copyFriends: () => [],
    isBackup: () => false,
    backups,
    raw: { doors: [], open: unreachable, claims },
    ownBoxes,
    ...stores,
    arrivingDir: tmpdir(),
    freeBytes: async () => 1e12,
    identities: () => [identity],
    clock: systemClock,
    random: noJitter,
    events,
  });
  return { mail, told, until, domains, [Symbol.asyncDispose]: () => mail[Symbol.asyncDispose]() };
}

/** Bob's box in a test, with the wire to alice in the test's hands. */
export interface FriendBox extends OwnerBox {
  address: HostPort;
  /** Alice's box, or undefined while she is away. */
  owner: Mail | undefined;
  /** The live streams that were opened, bob's ends. */
  liveStreams: FrameStream[];
  /** An address that is alice's alone. */
  rawAddress: HostPort;
  /** The raw streams that were opened, bob's ends. */
  rawStreams: FrameStream[];
  /** Friends who keep mail for alice as well and can be reached, by their PeerId. */
  friends: Map<string, { ownerId: string; mail: Mail }>;
  /** The parts of messages that he handed over, by their bytes. */
  parts: number[];
  /** The streams for copies that were opened, bob's ends. */
  copyStreams: FrameStream[];
}

/** The owner id of the friend with this PeerId. */
export const friendId = (peer: string): string => `owner of ${peer}`;

export async function startFriend({
  stores,
  recipient,
  hostname = 'mx.bob.test',
  peer = 'bob-peer',
  maxBytes = 1e9,
  tls = noTls,
  rawHost = '127.0.0.1',
  freeBytes = async () => 1e12,
  arrivingDir = tmpdir(),
  clock = systemClock,
  sweepMs = sweepEveryMs,
  isStranger = () => false,
  random = noJitter,
}: {
  stores: Stores;
  recipient: string;
  /** Is whoever offers a copy no friend of alice? */
  isStranger?: () => boolean;
  random?: Random;
  hostname?: string;
  peer?: string;
  maxBytes?: number;
  tls?: TlsFiles;
  rawHost?: string;
  freeBytes?: () => Promise<number>;
  arrivingDir?: string;
  clock?: Clock;
  sweepMs?: number;
}): Promise<FriendBox> {
  const { events, told, until } = recordEvents();
  const domains: MailDomain[] = [
    {
      domain: 'alice.test',
      ownerId: aliceId,
      ownerName: 'alice',
      role: 'backup',
      sealTo: [recipient],
      maxBytes,
    },
    {
      domain: 'carol.test',
      ownerId: carolId,
      ownerName: 'carol',
      role: 'backup',
      sealTo: [recipient],
      maxBytes,
    },
  ];
  const liveStreams: FrameStream[] = [];
  const rawStreams: FrameStream[] = [];
  const box: { owner: Mail | undefined } = { owner: undefined };
  const friends: FriendBox['friends'] = new Map();
  const copyStreams: FrameStream[] = [];
  const parts: number[] = [];
  const openCopy: Parameters<typeof startMail>[0]['openCopy'] = async (to) => {
    const friend = 'peer' in to ? friends.get(to.peer)?.mail : box.owner;
    if (!friend) throw new Error('not reachable');
    const [here, there] = framePair();
    copyStreams.push(here);
    void friend.handleCopy(there, { peer, ownerId: friendId(peer) });
    return here;
  };
  const open = async (how: 'handleLive' | 'handleDrain', ownerId: string): Promise<FrameStream> => {
    if (!box.owner || ownerId !== aliceId) throw new Error('not reachable');
    const [here, there] = framePair();
    if (how === 'handleLive') liveStreams.push(here);
    void box.owner[how](there, peer, 'bob');
    const send = async (frame: Uint8Array): Promise<void> => {
      const request = how === 'handleDrain' ? decodeDrainRequest(frame) : undefined;
      if (request?.t === 'part') parts.push(request.bytes.length);
      await here.send(frame);
    };
    return { ...here, send };
  };
  const openRaw = async (): Promise<FrameStream> => {
    if (!box.owner) throw new Error('not reachable');
    const [here, there] = framePair();
    rawStreams.push(here);
    void box.owner.handleRaw(there, 'bob', ['alice.test']);
    return here;
  };
  const mail = await startMail({
    listen: [{ host: '127.0.0.1', port: 0 }],
    hostname,
    tls: () => tls,
    domains: () => domains,
    openLive: (ownerId) => open('handleLive', ownerId),
    openDrain: (ownerId) => open('handleDrain', ownerId),
    openCopy,
    copyFriends: ({ domain }) =>
      domain === 'alice.test' ? [...friends].map(([one, { ownerId }]) => ({ peer: one, ownerId })) : [],
    isBackup: (_, { domain }) => domain === 'alice.test' && !isStranger(),
    openPolicy: async () => {
      throw new Error('bob owns no mail');
    },
    backups: () => [],
    raw: {
      doors: [{ listen: { host: rawHost, port: 0 }, owner: () => ({ ownerId: aliceId, name: 'alice' }) }],
      open: openRaw,
      claims: () => ({ allowPrivate: true, own: [] }),
    },
    ownBoxes: { any: () => false, askCanary: async () => 'unknown' },
    ...stores,
    arrivingDir,
    freeBytes,
    identities: () => [],
    sweepMs,
    clock,
    random,
    events,
  });
  const [address] = mail.addresses;
  const [rawAddress] = mail.rawAddresses;
  if (!address || !rawAddress) throw new Error('bob does not listen');
  return {
    mail,
    told,
    until,
    domains,
    address,
    liveStreams,
    rawAddress,
    rawStreams,
    friends,
    copyStreams,
    parts,
    get owner() {
      return box.owner;
    },
    set owner(next) {
      box.owner = next;
    },
    [Symbol.asyncDispose]: () => mail[Symbol.asyncDispose](),
  };
}
