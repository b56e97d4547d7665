import {
  type Clock,
  equalBytes,
  type Files,
  type FrameStream,
  type HostPort,
  type Random,
  type Table,
} from '@copain/core';
import {
  type DeltaShelf,
  deltaBetween,
  type FreshnessStage,
  freshnessStage,
  isAtOrBelow,
  isNotify,
  type NameKey,
  parseName,
  shelveDelta,
  type Zone,
  type ZoneDelta,
  type ZoneProblem,
  type ZoneVersion,
  zoneKey,
} from '@copain/dns';
import { startDnsServer } from '@copain/dns/io';
import type { HoldsRecord } from '@copain/trust';
import type { Logger } from 'pino';
import type { ZoneConfig } from '../config-dns.ts';
import type { Config } from '../config-schema.ts';
import { originText, recordsOf, zoneRecordKey } from '../known-records.ts';
import type { FileDiff } from '../zone-file-diff.ts';
import { startAnswering } from './answering.ts';
import type { EventLog } from './event-log.ts';
import { openHeldZones } from './held-zones.ts';
import type { Identity } from './identity.ts';
import { inBursts } from './in-bursts.ts';
import { receiveNotifies } from './notifies.ts';
import { type OwnZones, ownZones } from './own-zones.ts';
import type { PrimaryFact } from './primary-source.ts';
import type { PublicAddress } from './public-address.ts';
import type { RecordStore } from './record-store.ts';
import type { Refusals } from './refusals.ts';
import type { Standing } from './standing.ts';
import { startTransfers, type Transfers } from './transfers.ts';
import { contentFile, serveContent } from './zone-content.ts';
import { openZoneFreshness } from './zone-freshness.ts';
import { type ZoneOverlaying, zoneOverlaying } from './zone-overlaying.ts';
import { openZonePast } from './zone-past.ts';

/** Until when a friend's copy of a zone of ours is surely answered, and how much of its time is gone. */
interface CopyAge {
  expiresAtMs: number;
  agedPercent: FreshnessStage;
}

/** One zone on this box, for the status document. */
interface ZoneFact {
  origin: string;
  ownerId: string;
  role: 'primary' | 'secondary';
  serial: number | undefined;
  fileSerial: number | undefined;
  expiresAtMs: number | undefined;
  /** Of a friend's zone: how much of the time that it may be answered without him is gone. */
  agedPercent: FreshnessStage;
  /** Of our own: what is known of the copy of each friend, by owner id. */
  copies: ReadonlyMap<string, CopyAge>;
  file: string | undefined;
  problems: readonly ZoneProblem[];
  held: 'waiting' | 'behind' | undefined;
  /** Of a zone of ours that comes from a hidden primary. */
  primary: PrimaryFact | undefined;
}

/** The dns room with real files, real friends and real sockets. */
export interface Zones extends AsyncDisposable {
  addresses(): HostPort[];
  /** What we own, and what we do for others. */
  configure(own: readonly ZoneConfig[], duties: readonly { ownerId: string; origin: string }[]): void;
  /** Resolves once every zone of ours is answered from what is on disk; never rejects. */
  opened: () => Promise<void>;
  /** A record names a version of this zone. */
  announced: (ownerId: string, origin: string) => void;
  /** Some friend said which versions he serves. */
  holdersChanged: () => void;
  /** Friends came or went. */
  peersChanged: () => void;
  /** Every second. */
  tick: () => void;
  /** Reads the master file again now, whatever the watch noticed. Resolves once its version is served. */
  push: (origin: string, options: { force: boolean }) => Promise<void>;
  /** Asks the hidden primary of a zone now. Resolves when what came of it is served. */
  renew: (origin: string) => Promise<void>;
  diff: (origin: string) => Promise<FileDiff | undefined>;
  compare: OwnZones['compare'];
  /** What friends answer of some service, or a served serial, changed. */
  overlayChanged: () => void;
  /** What the owner of a zone says, whoever stands in for some of it. */
  content: (ownerId: string, origin: string) => Zone | undefined;
  /** Another public address of this box counts: names that follow it are to have it. */
  addressChanged: () => void;
  /** The last versions of a zone of ours, newest first. */
  history: (origin: string) => Promise<ZoneVersion[]>;
  /** Answers a friend who asks for a zone's records. */
  serve(stream: FrameStream, peer: string): Promise<void>;
  facts(): ZoneFact[];
  /** The zones that are answered here, as their owners signed them. */
  contents(): { ownerId: string; zone: Zone }[];
  /** The zone of a name, of those that are answered here. */
  closestTo(name: string): Zone | undefined;
  queryCounts(): { rcode: string; transport: string; count: number }[];
  /** What came from hidden primaries. */
  receivedCounts: OwnZones['received'];
  /** What the servers of `[dns] transfer` asked for and got. */
  transferCounts: Transfers['counts'];
  serveWith: Transfers['serveWith'];
  /** What rate limiting did. */
  limitedCounts(): { action: 'truncated' | 'dropped'; count: number }[];
}

export interface ZonesOptions {
  dns: Config['dns'];
  configFile: string;
  boxName: string;
  files: Files;
  table: Table;
  clock: Clock;
  random: Random;
  identity: Identity;
  standing: Standing;
  records: RecordStore;
  publicAddress: Pick<PublicAddress, 'current'>;
  /** PeerIds of friends heard now. */
  connectedPeers(): string[];
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  /** Owner ids of all who are to serve this zone. */
  providers(ownerId: string, origin: string): string[];
  /** What is answered in place of the zone's own records. */
  overlay: ZoneOverlaying['overlay'];
  /** What this box serves for others changed: to be announced. */
  holds(zones: HoldsRecord['zones']): void;
  nameOf(ownerId: string): string;
  events: EventLog;
  refusals: Pick<Refusals, 'count'>;
  log: Logger;
  changed: () => void;
}

/** Starts answering from what is on disk, before any friend is reached. Rejects where it cannot listen. */
export async function startZones(options: ZonesOptions): Promise<Zones> {
  const { files, clock, identity, records, events, log } = options;
  await using starting = new AsyncDisposableStack();
  const { pool } = starting.use(startAnswering(options));

  const transfers = starting.use(
    await startTransfers({
      ...options,
      transfer: options.dns.transfer,
      ownerId: identity.ownerId,
      answer: (query, asker) => pool.answer(query, asker),
    }),
  );

  let awaited: ReadonlySet<NameKey> = new Set();
  /** Known, and not here yet: a new set where it changed. */
  const nowAwaited = (): ReadonlySet<NameKey> => {
    const now = new Set([...own.awaited(), ...held.awaited()]);
    return now.size === awaited.size && [...now].every((key) => awaited.has(key)) ? awaited : now;
  };

  let isConfigured = false;
  /**
   * Whose zones are to be answered here, whether they are here yet or not; where two claim one, our own counts. Unknown
   * before the configuration and the friends' grants are.
   */
  const owners = (): Map<NameKey, string> | undefined =>
    isConfigured
      ? new Map([
          ...held.duties().map(({ originKey, ownerId }) => [originKey, ownerId] as const),
          ...own.origins().map((originKey) => [originKey, identity.ownerId] as const),
        ])
      : undefined;

  const overlays = zoneOverlaying({
    ...options,
    overlay: (ownerId, origin) => options.overlay(ownerId, origin),
  });
  const serveNow = (): void => {
    awaited = nowAwaited();
    const mine = own.served().map((zone) => ({ ...zone, owner: identity.ownerId, expired: false }));
    const { served, untransferable } = overlays.answered([...held.served(), ...mine]);
    const ownerOf = owners();
    const waiting = awaited;
    const notToTransfer = new Set([...waiting, ...untransferable]);
    void pool
      .serve(served, waiting)
      .then(() => transfers.zonesChanged({ zones: served, ownerOf, awaited: notToTransfer }))
      .catch((error: unknown) =>
        log.error({ err: error }, 'servers of [dns] transfer could not be told of a change'),
      );
    options.holds(
      held
        .holds()
        .map((zone) => ({ ...zone, serial: overlays.serial(zone.owner, zone.origin) ?? zone.serial })),
    );
    options.changed();
  };
  const serving = starting.use(inBursts(serveNow));
  const refresh = (): void => serving.ask();

  /** Removes the contents that no version on this box needs any more. Never rejects: the next sweep finds them too. */
  const sweep = async (): Promise<void> => {
    const needed = new Set([...held.needed(), ...own.writing()]);
    for (const { signed } of recordsOf(records.knowledge(), 'zone')) {
      needed.add(contentFile(signed.record.contentHash));
    }
    try {
      for (const name of await files.list()) if (!needed.has(name)) await files.remove(name);
    } catch (error) {
      log.warn({ err: error }, 'contents of old zone versions could not be removed');
    }
  };

  let shelf: DeltaShelf = [];
  const stepped = (before: ZoneVersion, after: ZoneVersion, delta: ZoneDelta): void => {
    const step = { key: zoneKey(after), from: before.contentHash, to: after.contentHash, delta };
    shelf = shelveDelta(shelf, step, after.sizeBytes);
  };
  /** Is this the content of the newest version that is known, or of the one that is answered from? */
  const isContentOf = (zone: { owner: string; origin: string }, contentHash: Uint8Array): boolean => {
    const parsed = parseName(zone.origin);
    if (parsed.kind !== 'name') return false;
    const record = records.knowledge().records.get(zoneRecordKey(zone.owner, zone.origin));
    const newest = record?.kind === 'zone' ? record.signed.record.contentHash : undefined;
    const answered = held.contentHash({ owner: zone.owner, origin: parsed.name });
    return [newest, answered].some((one) => one !== undefined && equalBytes(one, contentHash));
  };

  const held = starting.use(
    await openHeldZones({
      self: identity.box.peer,
      files,
      table: options.table,
      clock,
      records,
      connectedPeers: () => options.connectedPeers(),
      open: (peer, signal) => options.open(peer, signal),
      nameOf: (ownerId) => options.nameOf(ownerId),
      events,
      refusals: options.refusals,
      log,
      changed: refresh,
      replaced: sweep,
      stepped,
    }),
  );
  const past = await openZonePast(
    options.table,
    recordsOf(records.knowledge(), 'zone')
      .map(({ signed }) => signed.record)
      .filter(({ owner }) => owner === identity.ownerId)
      .map(({ origin, contentHash }) => ({ origin: originText(origin), contentHash })),
  );
  const own = starting.use(
    ownZones({
      configFile: options.configFile,
      files,
      table: options.table,
      clock,
      random: options.random,
      identity,
      standing: options.standing,
      past,
      publicAddress: options.publicAddress,
      connectedPeers: () => options.connectedPeers(),
      open: (peer, signal) => options.open(peer, signal),
      records,
      events,
      log,
      changed: refresh,
      told: () => options.changed(),
      published: sweep,
      stepped,
    }),
  );
  const freshness = starting.use(
    await openZoneFreshness({
      ...options,
      ownerId: identity.ownerId,
      own: () => own.facts(),
      held: () => held.facts(),
    }),
  );
  const copiesOf = (origin: string): ZoneFact['copies'] =>
    new Map(
      options.providers(identity.ownerId, origin).flatMap((friend) => {
        const term = freshness.copyTerm(origin, friend);
        if (term === undefined) return [];
        const agedPercent = freshnessStage(term, clock.nowMs());
        return [[friend, { expiresAtMs: term.freshUntilMs, agedPercent }] as const];
      }),
    );
  refresh();
  const notified = receiveNotifies({ find: own.notifiable, clock, log });
  const server = starting.use(
    await startDnsServer({
      listen: options.dns.listen,
      answer: (query, asker) => {
        if (isNotify(query)) return notified(query, asker);
        return transfers.concerns(asker.address) ? transfers.answer(query, asker) : pool.answer(query, asker);
      },
      threads: pool.threads,
      events: {
        notListening: ({ address, cause }) =>
          log.warn({ address, err: cause }, 'cannot answer on this address'),
        failed: ({ cause }) => log.error({ err: cause }, 'a query could not be answered'),
      },
    }),
  );
  /** What is answered may be above what the version says. */
  const answeredSerial = (
    ownerId: string,
    { origin, serial }: { origin: string; serial: number | undefined },
  ): number | undefined => (serial === undefined ? undefined : (overlays.serial(ownerId, origin) ?? serial));
  await transfers.begin(() => server.addresses());
  const parts = starting.move();

  return {
    addresses: () => server.addresses(),
    configure: (zones, duties) => {
      own.configure(zones);
      held.configure(duties);
      if (nowAwaited() !== awaited || !isConfigured) {
        isConfigured = true;
        refresh();
      }
    },
    announced: (ownerId, origin) => {
      // A zone of our owner's is this box's to edit, or another box's of his: each looks for its own.
      if (ownerId === identity.ownerId) own.announced(origin);
      held.announced(ownerId, origin);
    },
    holdersChanged: held.holdersChanged,
    peersChanged: held.peersChanged,
    tick: () => {
      held.tick();
      own.tick();
      freshness.tick();
      transfers.tick();
      if (overlays.isStale()) refresh();
    },
    opened: async () => {
      await own.opened();
      serving.settle();
    },
    push: async (origin, asked) => {
      await own.push(origin, asked);
      serving.settle();
    },
    renew: async (origin) => {
      await own.renew(origin);
      serving.settle();
    },
    diff: own.diff,
    compare: own.compare,
    overlayChanged: refresh,
    content: (ownerId, origin) => overlays.content(ownerId, origin),
    addressChanged: own.addressChanged,
    history: own.history,
    serve: async (stream, peer) => {
      const asker = records.knowledge().roster.ownerOf.get(peer) ?? '';
      await serveContent(
        files,
        stream,
        (owner, origin, contentHash) =>
          (asker === owner || options.providers(owner, origin).includes(asker)) &&
          isContentOf({ owner, origin }, contentHash),
        ({ owner, origin, from, to }) => {
          const parsed = parseName(origin);
          if (parsed.kind !== 'name') return undefined;
          return deltaBetween(shelf, { key: zoneKey({ owner, origin: parsed.name }), from, to });
        },
      );
    },
    facts: () => {
      // Whoever is told of a version may ask for it at once.
      serving.settle();
      return [
        ...own.facts().map((zone): ZoneFact => {
          const copies = copiesOf(zone.origin);
          const ends = [...copies.values()].map((copy) => copy.expiresAtMs);
          const latest = ends.length > 0 ? Math.max(...ends) : zone.expiresAtMs;
          const expiresAtMs = zone.serial === undefined ? undefined : latest;
          const ownerId = identity.ownerId;
          const serial = answeredSerial(ownerId, zone);
          return { ...zone, ownerId, serial, role: 'primary', expiresAtMs, agedPercent: 0, copies };
        }),
        ...held.facts().map(
          ({ term, ...zone }): ZoneFact => ({
            ...zone,
            serial: answeredSerial(zone.ownerId, zone),
            role: 'secondary',
            expiresAtMs: term?.freshUntilMs,
            agedPercent: term === undefined ? 0 : freshnessStage(term, clock.nowMs()),
            copies: new Map(),
            file: undefined,
            fileSerial: undefined,
            problems: [],
            held: undefined,
            primary: undefined,
          }),
        ),
      ];
    },
    contents: () => {
      const ownerOf = owners() ?? new Map<NameKey, string>();
      return [...held.served().filter(({ expired }) => !expired), ...own.served()].flatMap(({ zone }) => {
        const ownerId = ownerOf.get(zone.originKey);
        return ownerId === undefined ? [] : [{ ownerId, zone }];
      });
    },
    closestTo: (name) => {
      const parsed = parseName(name);
      if (parsed.kind !== 'name') return undefined;
      return [...held.served().filter(({ expired }) => !expired), ...own.served()]
        .map(({ zone }) => zone)
        .filter(({ origin }) => isAtOrBelow(parsed.name, origin))
        .toSorted((a, b) => b.origin.length - a.origin.length)[0];
    },
    queryCounts: () => pool.counts(),
    limitedCounts: () => pool.limited(),
    receivedCounts: own.received,
    transferCounts: transfers.counts,
    serveWith: transfers.serveWith,
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}
