import type { Clock, Files } from '@copain/core';
import {
  type DomainName,
  encodeZoneVersion,
  type PrimaryEffect,
  type PrimaryState,
  parseName,
  startPrimaryState,
  stepPrimary,
  type Zone,
  type ZoneProblem,
} from '@copain/dns';
import { readZoneFile, sha256, watchZoneFile, type ZoneFileWatch } from '@copain/dns/io';
import type { Logger } from 'pino';
import { besideConfig } from '../config-paths.ts';
import type { ZoneConfig } from '../config-schema.ts';
import { zoneRecordKey } from '../known-records.ts';
import type { EventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';
import { contentFile, readContent, storeContent } from './zone-content.ts';

/** A zone of our own as it stands. */
interface OwnZoneFact {
  origin: string;
  serial: number | undefined;
  expiresAfterMs: number;
  file: string | undefined;
  problems: readonly ZoneProblem[];
  /** The file says something new that may not be signed yet. */
  isWaiting: boolean;
}

/** The zones this box's owner edits: watched, checked, published. */
export interface OwnZones extends AsyncDisposable {
  configure(zones: readonly ZoneConfig[]): void;
  /** Reads the file again now; resolves when what it says is done. */
  push: (origin: string, options: { force: boolean }) => Promise<void>;
  served(): Zone[];
  facts(): OwnZoneFact[];
  /** Content files that are being written for a version that is not announced yet. */
  writing(): ReadonlySet<string>;
}

interface OwnZone {
  config: ZoneConfig;
  origin: DomainName;
  state: PrimaryState;
  file: string | undefined;
  zone: Zone | undefined;
  watch: ZoneFileWatch | undefined;
  isWaiting: boolean;
  /** Reads come one after the other. */
  reading: Promise<void>;
}

export function ownZones(options: {
  configFile: string;
  files: Files;
  clock: Clock;
  identity: Identity;
  standing: Pick<Standing, 'maySign' | 'whenSignable'>;
  records: RecordStore;
  events: EventLog;
  log: Logger;
  /** What is answered changed. */
  changed(): void;
  /** A new version is out; contents of older ones may go. */
  published(): Promise<void>;
}): OwnZones {
  const { files, clock, identity, standing, records, events, log } = options;
  const zones = new Map<string, OwnZone>();
  const writing = new Set<string>();

  /** The epoch of our owner record, under which zones are signed. */
  const epoch = (): number =>
    records.knowledge().roster.members.get(identity.ownerId)?.owner.record.epoch ?? 0;

  /** What was published before goes on being served, even if the file has a mistake by now. */
  const restore = async (zone: OwnZone): Promise<void> => {
    const record = records.knowledge().records.get(zoneRecordKey(identity.ownerId, zone.config.origin));
    if (record?.kind !== 'zone') return;
    const header = record.signed.record;
    const content = await readContent(files, header);
    if (content === undefined) {
      // Without the content the numbers still count: what is published next must be newer than what friends have.
      zone.state = { ...zone.state, published: header };
      return;
    }
    const published = { header, body: content.body };
    zone.state = startPrimaryState({ owner: identity.ownerId, origin: zone.origin, published }, sha256);
    zone.zone = content.zone;
    options.changed();
  };

  const act = async (zone: OwnZone, effect: PrimaryEffect): Promise<void> => {
    switch (effect.kind) {
      case 'publish': {
        const name = contentFile(effect.header.contentHash);
        writing.add(name);
        try {
          await storeContent(files, effect.header, effect.body);
          await records.publish('zone', encodeZoneVersion(effect.header));
        } finally {
          writing.delete(name);
        }
        zone.zone = effect.zone;
        events.add('zone.updated', `${zone.config.origin} is published with serial ${effect.header.serial}.`);
        await options.published();
        break;
      }
      case 'problem': {
        const first = effect.problems.find(({ severity }) => severity === 'error');
        if (first === undefined) break;
        const place = `${first.file}:${first.line}:${first.column}`;
        events.add('zone.mistake', `${place}: ${first.text}; the version before stays.`);
        break;
      }
      case 'note':
        events.add('zone.note', effect.text);
        break;
    }
  };

  const read = async (zone: OwnZone, file: string, force = false): Promise<void> => {
    if (zones.get(zone.config.origin) !== zone) return;
    try {
      const found = await readZoneFile({ path: file, origin: zone.origin });
      zone.watch?.follow(found.files);
      const input = {
        kind: 'file' as const,
        file,
        problems: found.problems,
        zone: found.zone,
        epoch: epoch(),
      };
      const [state, effects] = stepPrimary(zone.state, input, Math.round(clock.nowMs()), sha256);
      zone.isWaiting = !force && !standing.maySign() && effects.some(({ kind }) => kind === 'publish');
      if (zone.isWaiting) {
        zone.state = { ...zone.state, problems: state.problems };
        options.changed();
        return;
      }
      for (const effect of effects) await act(zone, effect);
      // Only what was published counts as published: after a failed write the next read tries again.
      zone.state = state;
    } catch (error) {
      log.error({ origin: zone.config.origin, err: error }, 'a zone could not be published');
      events.add('zone.failed', `${zone.config.origin} could not be published; the version before stays.`);
    }
    options.changed();
  };

  const inTurn = async (zone: OwnZone, work: () => Promise<void>): Promise<void> => {
    zone.reading = zone.reading.then(work).catch((error: unknown) => {
      log.error({ origin: zone.config.origin, err: error }, 'a zone could not be opened');
    });
    await zone.reading;
  };

  standing.whenSignable(() => {
    for (const zone of zones.values()) {
      const { file } = zone;
      if (zone.isWaiting && file !== undefined) void inTurn(zone, () => read(zone, file));
    }
  });

  const add = (config: ZoneConfig): void => {
    const parsed = parseName(config.origin);
    if (parsed.kind !== 'name') return;
    const zone: OwnZone = {
      config,
      origin: parsed.name,
      state: startPrimaryState({ owner: identity.ownerId, origin: parsed.name }, sha256),
      file: config.source.kind === 'file' ? besideConfig(options.configFile, config.source.file) : undefined,
      zone: undefined,
      watch: undefined,
      isWaiting: false,
      reading: Promise.resolve(),
    };
    zones.set(config.origin, zone);
    const { file } = zone;
    if (file === undefined) {
      const text = 'a zone from a hidden primary (primary = …) is not served by this version; use file = "…"';
      const problem: ZoneProblem = { severity: 'error', file: options.configFile, line: 1, column: 1, text };
      zone.state = { ...zone.state, problems: [problem] };
      return;
    }
    void inTurn(zone, async () => {
      await restore(zone);
      zone.watch = await watchZoneFile({
        path: file,
        onChange: () => void inTurn(zone, () => read(zone, file)),
      });
      await read(zone, file);
    });
  };

  return {
    configure: (wanted) => {
      const listed = new Map(wanted.map((zone) => [zone.origin, zone]));
      for (const [origin, zone] of zones) {
        if (JSON.stringify(listed.get(origin)?.source) === JSON.stringify(zone.config.source)) continue;
        zones.delete(origin);
        void inTurn(zone, async () => await zone.watch?.[Symbol.asyncDispose]());
        options.changed();
      }
      for (const zone of wanted) if (!zones.has(zone.origin)) add(zone);
      for (const zone of zones.values()) {
        const { file } = zone;
        // A later epoch makes older versions void, whoever signed them.
        if (file !== undefined && (zone.state.published?.epoch ?? epoch()) < epoch())
          void inTurn(zone, () => read(zone, file));
      }
    },
    push: async (origin, { force }) => {
      const zone = zones.get(origin);
      const file = zone?.file;
      if (zone !== undefined && file !== undefined) await inTurn(zone, () => read(zone, file, force));
    },
    served: () => [...zones.values()].flatMap(({ zone }) => (zone === undefined ? [] : [zone])),
    facts: () =>
      [...zones.values()].map((zone) => ({
        origin: zone.config.origin,
        serial: zone.zone === undefined ? undefined : zone.state.published?.serial,
        expiresAfterMs: zone.state.expiresAfterMs,
        file: zone.file,
        problems: zone.state.problems,
        isWaiting: zone.isWaiting,
      })),
    writing: () => writing,
    [Symbol.asyncDispose]: async () => {
      for (const zone of zones.values()) {
        await inTurn(zone, async () => await zone.watch?.[Symbol.asyncDispose]());
      }
    },
  };
}
