import {
  type Clock,
  equalBytes,
  type Files,
  type FrameStream,
  type Random,
  type Table,
  toHex,
} from '@copain/core';
import {
  compareZoneVersions,
  diffBodies,
  encodeZone,
  encodeZoneVersion,
  type NameKey,
  nameKey,
  type PrimaryEffect,
  parseName,
  sameZoneVersion,
  serialProblems,
  startPrimaryState,
  stepPrimary,
  stillCurrent,
  type ZoneDelta,
  type ZoneProblem,
  type ZoneVersion,
} from '@copain/dns';
import { sha256 } from '@copain/dns/io';
import type { Logger } from 'pino';
import type { ZoneConfig } from '../config-dns.ts';
import { zoneRecordKey } from '../known-records.ts';
import { type SourceContent, withFollowed } from '../source-content.ts';
import { type FileDiff, zoneFileDiff } from '../zone-file-diff.ts';
import type { EventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import { judgeRead } from './judge-read.ts';
import type { NotifiableZone } from './notifies.ts';
import { factOf, leapt, type OwnZone, type OwnZoneFact } from './own-zone.ts';
import type { PublicAddress } from './public-address.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';
import type { ZoneOfContent } from './transfer-journal.ts';
import { inTurns } from './turns.ts';
import {
  contentFile,
  fetchContent,
  readBody,
  readContent,
  storeContent,
  type ZoneContent,
} from './zone-content.ts';
import type { ZonePast } from './zone-past.ts';
import { zoneSources } from './zone-sources.ts';

const openTimeoutMs = 30_000;
/** Contents that nobody gave are asked for again this often. */
const fetchAgainAfterMs = 5000;
/** Zones opened at once: a thousand together would each hold the memory that unpacking takes, and the process keeps it. */
const openingsAtOnce = 8;

/** What could not be published (a full disk, or the moment in which this box enters a circle) is tried again this often. */
const readAgainAfterMs = 5000;

/** The serial of a file beside the one that is published. */
interface SerialComparison {
  publishedSerial: number;
  problems: ZoneProblem[];
}

/** The zones this box's owner edits: watched, checked, published. */
export interface OwnZones extends AsyncDisposable {
  configure(zones: readonly ZoneConfig[]): void;
  /** Reads the file again now; resolves when what it says is done. */
  push: (origin: string, options: { force: boolean }) => Promise<void>;
  /** Has the source look again, without insisting on it as a push does. */
  renew: (origin: string) => Promise<void>;
  /** A record names a version of this zone: ours, or one that friends know and this box does not (any more). */
  announced: (origin: string) => void;
  /** Resolves once every zone is answered from what is on disk; never rejects. */
  opened(): Promise<void>;
  /** Every second: asks friends for contents that are missing here. */
  tick: () => void;
  /** Undefined where nothing is published, or its content is not here. */
  diff: (origin: string) => Promise<FileDiff | undefined>;
  /** Publishes the zones that follow the public address of this box, where that is another one than they say. */
  addressChanged: () => void;
  /** What publishing this content now would say about its serial; undefined where nothing is published. */
  compare: (origin: string, file: string, found: SourceContent) => SerialComparison | undefined;
  history: (origin: string) => Promise<ZoneVersion[]>;
  served(): ZoneOfContent[];
  /** Of all zones, whether they have a version or not. */
  origins(): NameKey[];
  /** Origins of zones that have no version yet. */
  awaited(): NameKey[];
  facts(): OwnZoneFact[];
  /** The zone of this name that comes from a hidden primary. */
  notifiable: (origin: NameKey) => NotifiableZone | undefined;
  /** What came of the questions to primaries since the start. */
  received: () => { kind: string; count: number; bytes: number }[];
  /** Content files that are being written for a version that is not announced yet. */
  writing(): ReadonlySet<string>;
}

export function ownZones(options: {
  configFile: string;
  files: Files;
  table: Table;
  clock: Clock;
  random: Random;
  identity: Identity;
  standing: Pick<Standing, 'maySign' | 'whenSignable'>;
  records: RecordStore;
  past: ZonePast;
  publicAddress: Pick<PublicAddress, 'current'>;
  /** Friends who can be asked for contents now. */
  connectedPeers(): string[];
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  events: EventLog;
  log: Logger;
  /** What is answered changed. */
  changed(): void;
  /** What is told of a zone changed, and not what is answered. */
  told(): void;
  /** A new version is out; contents of older ones may go. */
  published(): Promise<void>;
  /** A version is about to be announced that differs so from the one before. */
  stepped(before: ZoneVersion, after: ZoneVersion, delta: ZoneDelta): void;
}): OwnZones {
  const { files, clock, identity, standing, records, past, events, log } = options;
  const zones = new Map<string, OwnZone>();
  const writing = new Set<string>();
  const sources = zoneSources({ ...options, told: () => options.told() });
  const openings = inTurns(openingsAtOnce);
  let isSaying = false;

  /** The epoch of our owner record, under which zones are signed. */
  const epoch = (): number =>
    records.knowledge().roster.members.get(identity.ownerId)?.owner.record.epoch ?? 0;

  const newest = (zone: OwnZone): ZoneVersion | undefined => {
    const record = records.knowledge().records.get(zoneRecordKey(identity.ownerId, zone.config.origin));
    return record?.kind === 'zone' ? record.signed.record : undefined;
  };

  const take = (zone: OwnZone, header: ZoneVersion, content: ZoneContent): void => {
    const published = { header, body: content.body };
    const { problems } = zone.state;
    const fresh = startPrimaryState({ owner: identity.ownerId, origin: zone.origin, published }, sha256);
    zone.state = { ...fresh, problems };
    zone.zone = content.zone;
    zone.contentHash = header.contentHash;
    zone.missing = undefined;
    options.changed();
  };

  /**
   * Goes by the newest version that is known, whatever the file says: what was published before goes on being served,
   * and what friends have beyond it is served here too. True where that is another one than before.
   */
  const follow = async (zone: OwnZone): Promise<boolean> => {
    const header = newest(zone);
    const { published } = zone.state;
    if (header === undefined) return false;
    if (published !== undefined && compareZoneVersions(header, published) <= 0) return false;
    const isAnother = published === undefined || !equalBytes(published.contentHash, header.contentHash);
    if (isAnother) await past.note(zone.config.origin, header);
    const content = await readContent(files, header);
    if (content !== undefined) take(zone, header, content);
    else {
      // Without the content the numbers still count: what is published next must be newer than what friends have.
      zone.state = { ...zone.state, published: header, bareHash: undefined };
      zone.missing = header;
      zone.fetchAgainAtMs = 0;
    }
    return true;
  };

  /** Asks one friend after the other for the content of the newest version, which this box has lost. */
  const fetchMissing = async (zone: OwnZone, header: ZoneVersion): Promise<void> => {
    for (const peer of options.connectedPeers()) {
      try {
        const stream = await options.open(peer, AbortSignal.timeout(openTimeoutMs));
        const content = await fetchContent(header, stream);
        await inTurn(zone, async () => {
          if (zone.missing === undefined || !sameZoneVersion(zone.missing, header)) return;
          await storeContent(files, header, content.body);
          take(zone, header, content);
          const text = `${zone.config.origin} is answered here with serial ${header.serial}, which friends kept.`;
          events.add('zone.updated', text);
          await read(zone);
        });
        return;
      } catch (error) {
        log.debug({ origin: zone.config.origin, peer, err: error }, 'a zone could not be fetched here');
      }
    }
  };

  /** Friends ask within milliseconds of the announcement: what changed is to be known by then. */
  const noteStep = async (
    before: ZoneVersion | undefined,
    { header, body }: { header: ZoneVersion; body: Uint8Array },
  ): Promise<void> => {
    const old = before && (await readBody(files, before).catch(() => undefined));
    if (before !== undefined && old !== undefined) options.stepped(before, header, diffBodies(old, body));
  };

  const act = async (zone: OwnZone, effect: PrimaryEffect): Promise<void> => {
    switch (effect.kind) {
      case 'publish': {
        const name = contentFile(effect.header.contentHash);
        writing.add(name);
        try {
          await Promise.all([
            storeContent(files, effect.header, effect.body),
            noteStep(zone.state.published, effect),
          ]);
          await records.publish('zone', encodeZoneVersion(effect.header));
          await past.note(zone.config.origin, effect.header);
        } finally {
          writing.delete(name);
        }
        zone.zone = effect.zone;
        zone.contentHash = effect.header.contentHash;
        events.add('zone.updated', `${zone.config.origin} is published with serial ${effect.header.serial}.`);
        // The first version of a zone leaves nothing behind.
        if (zone.state.published !== undefined) await options.published();
        break;
      }
      case 'problem': {
        const first = effect.problems.find(({ severity }) => severity === 'error');
        if (first === undefined) break;
        const place = first.line === 0 ? first.file : `${first.file}:${first.line}:${first.column}`;
        events.add('zone.mistake', `${place}: ${first.text}; the version before stays.`);
        break;
      }
      case 'note':
        events.add('zone.note', effect.text);
        break;
    }
  };

  /** `moved`: not what the source says may be new, but the address that names of it follow. `again`: it failed before. */
  const read = async (
    zone: OwnZone,
    asked?: { force: boolean },
    { moved = false, again = false }: { moved?: boolean; again?: boolean } = {},
  ): Promise<void> => {
    const { source } = zone;
    zone.readAgainAtMs = undefined;
    if (zones.get(zone.config.origin) !== zone) return;
    try {
      const found = followed(zone, await source.read(asked && 'asked'));
      if (found === undefined) return;
      const input = {
        kind: 'file' as const,
        file: source.name,
        problems: found.problems,
        zone: found.zone,
        content: found.content,
        soaAt: found.soaAt,
        epoch: epoch(),
      };
      const isLeap = asked?.force === true && !standing.maySign();
      const nowMs = Math.round(clock.nowMs());
      const [state, effects] = stepPrimary(leapt(zone.state, isLeap), input, nowMs, sha256);
      if (found.zone !== undefined && !state.problems.some(({ severity }) => severity === 'error')) {
        const content = { zone: found.zone, bytes: found.content ?? encodeZone(found.zone) };
        const verdict = await judgeRead(options, zone, content, { effects, asked });
        zone.held = verdict === 'behind' || verdict === 'waiting' ? verdict : undefined;
        if (zone.held !== undefined) {
          zone.state = { ...zone.state, problems: state.problems, fileSerial: state.fileSerial };
          options.changed();
          return;
        }
      }
      // That the serial rises without the file is then nothing that its owner has to do anything about.
      for (const effect of effects) if (!moved || effect.kind !== 'note') await act(zone, effect);
      const published = effects.find((effect) => effect.kind === 'publish');
      if (published !== undefined) {
        const content = toHex(published.header.contentHash);
        await past.keepBase(zone.config.origin, { content, pushed: undefined });
      }
      // Only what was published counts as published: after a failed write the next read tries again.
      zone.state = state;
    } catch (error) {
      log.error({ origin: zone.config.origin, err: error }, 'a zone could not be published');
      if (!again)
        events.add('zone.failed', `${zone.config.origin} could not be published; the version before stays.`);
      zone.readAgainAtMs = clock.nowMs() + readAgainAfterMs;
    }
    options.changed();
  };

  const followed = (zone: OwnZone, found: SourceContent | undefined): SourceContent | undefined => {
    const { follow } = zone.config;
    const { origin, source } = zone;
    return (
      found && withFollowed(found, { origin, follow, name: source.name }, options.publicAddress.current())
    );
  };

  const inTurn = async (zone: OwnZone, work: () => Promise<void>): Promise<void> => {
    zone.reading = zone.reading.then(work).catch((error: unknown) => {
      log.error({ origin: zone.config.origin, err: error }, 'a zone could not be opened');
    });
    await zone.reading;
  };

  standing.whenSignable(() => {
    for (const zone of zones.values()) {
      if (zone.held === 'waiting') void inTurn(zone, () => read(zone));
    }
  });

  /** Says again that the newest version is the newest, of one zone at a time. */
  const sayStillCurrent = async (zone: OwnZone): Promise<void> => {
    const nowMs = Math.round(clock.nowMs());
    const isCurrent = zone.missing === undefined && zone.source.isCurrent();
    const header = isCurrent && standing.maySign() && stillCurrent(zone.state, nowMs);
    if (!header || zone.zone === undefined || zones.get(zone.config.origin) !== zone) return;
    await records.publish('zone', encodeZoneVersion(header));
    zone.state = { ...zone.state, published: header };
  };

  const add = (config: ZoneConfig): void => {
    const parsed = parseName(config.origin);
    if (parsed.kind !== 'name') return;
    const zone: OwnZone = {
      config,
      origin: parsed.name,
      originKey: nameKey(parsed.name),
      state: startPrimaryState({ owner: identity.ownerId, origin: parsed.name }, sha256),
      ...sources.of(config, parsed.name, () => void inTurn(zone, () => read(zone))),
      zone: undefined,
      contentHash: undefined,
      held: undefined,
      missing: undefined,
      isFetching: false,
      fetchAgainAtMs: 0,
      readAgainAtMs: undefined,
      reading: Promise.resolve(),
      opened: Promise.resolve(),
    };
    zones.set(config.origin, zone);
    zone.opened = inTurn(zone, async () => {
      await openings.run('content', () => follow(zone));
    });
    void inTurn(
      zone,
      async () =>
        await openings.run('source', async () => {
          await zone.source.open(zone.zone);
          await read(zone);
        }),
    );
  };

  return {
    configure: (wanted) => {
      const listed = new Map(wanted.map((zone) => [zone.origin, zone]));
      for (const [origin, zone] of zones) {
        if (JSON.stringify(listed.get(origin)?.source) === JSON.stringify(zone.config.source)) continue;
        zones.delete(origin);
        void inTurn(zone, async () => await zone.source[Symbol.asyncDispose]());
        options.changed();
      }
      for (const config of wanted) {
        const zone = zones.get(config.origin);
        if (zone === undefined) add(config);
        else if (zone.config.follow.join() !== config.follow.join()) {
          zone.config = config;
          void inTurn(zone, () => read(zone));
        }
      }
      for (const zone of zones.values()) {
        // A later epoch makes older versions void, whoever signed them.
        if ((zone.state.published?.epoch ?? epoch()) < epoch()) void inTurn(zone, () => read(zone));
      }
    },
    opened: async () => {
      await Promise.all([...zones.values()].map(({ opened }) => opened));
    },
    push: async (origin, { force }) => {
      const zone = zones.get(origin);
      await zone?.reading;
      await zone?.source.renew();
      if (zone !== undefined) await inTurn(zone, () => read(zone, { force }));
    },
    addressChanged: () => {
      for (const zone of zones.values())
        if (zone.config.follow.length > 0) void inTurn(zone, () => read(zone, undefined, { moved: true }));
    },
    renew: async (origin) => {
      const zone = zones.get(origin);
      await zone?.reading;
      await zone?.source.renew();
      await zone?.reading;
    },
    announced: (origin) => {
      const zone = zones.get(origin);
      if (zone === undefined) return;
      void inTurn(zone, async () => {
        if (!(await follow(zone))) return;
        log.info({ origin }, 'friends know a newer version of this zone than this box did');
        await read(zone);
      });
    },
    tick: () => {
      // One a second, so that a thousand zones of one age do not go out at once.
      const due = [...zones.values()].find(
        (zone) =>
          zone.zone !== undefined &&
          zone.source.isCurrent() &&
          stillCurrent(zone.state, clock.nowMs()) !== undefined,
      );
      if (due !== undefined && !isSaying && standing.maySign()) {
        isSaying = true;
        void inTurn(due, () => sayStillCurrent(due)).finally(() => {
          isSaying = false;
        });
      }
      for (const zone of zones.values()) {
        const { missing, readAgainAtMs } = zone;
        if (readAgainAtMs !== undefined && clock.nowMs() >= readAgainAtMs) {
          zone.readAgainAtMs = undefined;
          void inTurn(zone, () => read(zone, undefined, { again: true }));
        }
        if (missing === undefined || zone.isFetching || clock.nowMs() < zone.fetchAgainAtMs) continue;
        if (options.connectedPeers().length === 0) continue;
        zone.isFetching = true;
        zone.fetchAgainAtMs = clock.nowMs() + fetchAgainAfterMs;
        void fetchMissing(zone, missing).finally(() => {
          zone.isFetching = false;
        });
      }
    },
    diff: async (origin) => {
      const zone = zones.get(origin);
      const source = zone?.source;
      if (zone?.zone === undefined || source === undefined) return undefined;
      const found = followed(zone, await source.read('shown'));
      return found && zoneFileDiff(zone.zone, source.name, found);
    },
    compare: (origin, file, content) => {
      const zone = zones.get(origin);
      const publishedSerial = zone?.state.published?.serial;
      const found = zone && followed(zone, content);
      if (zone === undefined || found === undefined || publishedSerial === undefined) return undefined;
      const input = { kind: 'file' as const, file, epoch: epoch(), ...found };
      return { publishedSerial, problems: serialProblems(zone.state, input, sha256) };
    },
    history: async (origin) => await past.history(origin),
    served: () =>
      [...zones.values()].flatMap(({ zone, contentHash }) =>
        zone === undefined ? [] : [{ zone, contentHash }],
      ),
    origins: () => [...zones.values()].map(({ originKey }) => originKey),
    awaited: () =>
      [...zones.values()].flatMap(({ zone, originKey }) => (zone === undefined ? [originKey] : [])),
    facts: () => [...zones.values()].map((zone) => factOf(zone, clock.nowMs())),
    notifiable: (origin) => {
      const primary = [...zones.values()].find(({ originKey }) => originKey === origin)?.primary;
      if (primary === undefined) return undefined;
      return {
        key: primary.key(),
        isPrimary: (address) => primary.isPrimary(address),
        notified: () => primary.notified(),
      };
    },
    received: sources.received,
    writing: () => writing,
    [Symbol.asyncDispose]: async () => {
      for (const zone of zones.values()) {
        await inTurn(zone, async () => await zone.source[Symbol.asyncDispose]());
      }
    },
  };
}
