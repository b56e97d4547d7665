import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import {
  type Clock,
  equalBytes,
  type Files,
  type FrameStream,
  type HostPort,
  type Table,
  toHex,
} from '@copain/core';
import {
  type Answerer,
  createAnswerer,
  type DomainName,
  decodeZone,
  decodeZoneVersion,
  encodeZoneVersion,
  type PrimaryInput,
  type PrimaryState,
  parseName,
  rcodeToText,
  type SecondaryEffect,
  type SecondaryInput,
  type SecondaryState,
  sameZoneVersion,
  startPrimaryState,
  startSecondaryState,
  stepPrimary,
  stepSecondary,
  type Zone,
  type ZoneKey,
  type ZoneProblem,
  type ZoneVersion,
  zoneKey,
} from '@copain/dns';
import {
  type DnsServer,
  readZoneFile,
  sha1,
  sha256,
  startDnsServer,
  watchZoneFile,
  type ZoneFileWatch,
} from '@copain/dns/io';
import { openEnvelope } from '@copain/mesh/io';
import { decodeCanonical, encodeCanonical, type HoldsRecord, readFields } from '@copain/trust';
import type { Logger } from 'pino';
import { besideConfig } from '../config-paths.ts';
import type { ZoneConfig } from '../config-schema.ts';
import { originText, recordsOf, zoneRecordKey } from '../known-records.ts';
import type { EventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import type { RecordStore } from './record-store.ts';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** One zone on this box, for the status document. */
export interface ZoneFact {
  origin: string;
  ownerId: string;
  role: 'primary' | 'secondary';
  serial: number | undefined;
  expiresAtMs: number | undefined;
  file: string | undefined;
  problems: ZoneProblem[];
}

/** The dns room with real files, real friends and real sockets. */
export interface Zones extends AsyncDisposable {
  addresses(): HostPort[];
  /** What we own, and what we do for others. */
  configure(own: readonly ZoneConfig[], duties: readonly { ownerId: string; origin: string }[]): void;
  /** A record names a version of this zone. */
  announced(ownerId: string, origin: string): void;
  /** Some friend said which versions he serves. */
  holdersChanged(): void;
  /** Friends came or went. */
  peersChanged(): void;
  tick(): void;
  /** Reads the master file again now, whatever the watch noticed. Resolves once its version is served. */
  push(origin: string): Promise<void>;
  /** Answers a friend who asks for a zone's records. */
  serve(stream: FrameStream, peer: string): Promise<void>;
  facts(): ZoneFact[];
  queryCounts(): { rcode: string; transport: string; count: number }[];
}

export interface ZonesOptions {
  listen: readonly HostPort[];
  configFile: string;
  files: Files;
  table: Table;
  clock: Clock;
  identity: Identity;
  records: RecordStore;
  /** PeerIds of friends heard now. */
  connectedPeers: () => string[];
  open: (peer: string, signal: AbortSignal) => Promise<FrameStream>;
  /** Owner ids of all who are to serve this zone. */
  providers: (ownerId: string, origin: string) => string[];
  /** What this box serves changed: to be announced. */
  holds: (zones: HoldsRecord['zones']) => void;
  nameOf: (ownerId: string) => string;
  events: EventLog;
  log: Logger;
  changed: () => void;
}

interface OwnZone {
  config: ZoneConfig;
  origin: DomainName;
  state: PrimaryState;
  file: string | undefined;
  zone: Zone | undefined;
  watch: ZoneFileWatch | undefined;
  reading: Promise<void>;
}

const heldPrefix = 'held/';
const chunkBytes = 32_768;
/** The compressed records of one zone on the wire: as many as the records themselves may have. */
const maxTransferBytes = 64 * 1024 * 1024;
const fetchTimeoutMs = 120_000;
/** How often a zone's life is prolonged while its owner is there. */
const renewEveryMs = 3_600_000;

const bodyName = (contentHash: Uint8Array): string => `z-${toHex(contentHash)}`;

/** Starts answering from what is on disk, before any friend is reached. Rejects where it cannot listen. */
export async function startZones(options: ZonesOptions): Promise<Zones> {
  const { files, table, clock, identity, records, events, log } = options;
  const self = identity.box.peer;
  const own = new Map<string, OwnZone>();
  let duties = new Map<ZoneKey, { ownerId: string; origin: DomainName }>();
  /** Zones held for friends, with the envelope that came with them. */
  const held = new Map<ZoneKey, { zone: Zone; header: ZoneVersion; envelope: Uint8Array }>();
  /** Contents that were fetched and are not served yet, and the envelopes that announced them, by content hash. */
  const arrived = new Map<string, { body: Uint8Array; zone: Zone }>();
  const envelopes = new Map<string, Uint8Array>();
  const counts = new Map<string, number>();
  let renewedAtMs = clock.nowMs();
  let disposed = false;

  let secondary: SecondaryState = startSecondaryState(await loadHeld());

  async function loadHeld(): Promise<{ header: ZoneVersion; freshUntilMs: number }[]> {
    const loaded: { header: ZoneVersion; freshUntilMs: number }[] = [];
    for await (const [key, value] of table.entries(heldPrefix)) {
      const fields = readFields(decodeCanonical(value, 4096));
      const envelope = fields.bytes('envelope', 1, 2048);
      const freshUntilMs = fields.integer('freshUntil', 0, Number.MAX_SAFE_INTEGER);
      const opened = fields.ok ? await openEnvelope('zone', envelope) : undefined;
      const header = opened === undefined ? undefined : decodeZoneVersion(opened.payload);
      const zone = header === undefined ? undefined : await readBody(header);
      if (header === undefined || zone === undefined) {
        log.warn({ key }, 'a stored zone is damaged; it will be fetched again');
        continue;
      }
      held.set(zoneKey(header), { zone, header, envelope });
      loaded.push({ header, freshUntilMs });
    }
    return loaded;
  }

  /** The records of a version from disk: whole, and exactly what was signed; else undefined. */
  async function readBody(header: ZoneVersion): Promise<Zone | undefined> {
    const packed = await files.read(bodyName(header.contentHash)).catch(() => undefined);
    return packed === undefined ? undefined : (await unpack(packed, header))?.zone;
  }

  // --- answering ------------------------------------------------------------------------------------------------

  let answerer: Answerer = createAnswerer([], { sha1 });
  const refreshAnswers = (): void => {
    const served = [
      ...[...held.values()].map(({ zone, header }) => ({
        zone,
        expired: secondary.zones.get(zoneKey(header))?.expired ?? false,
      })),
      ...[...own.values()].flatMap(({ zone }) => (zone === undefined ? [] : [{ zone, expired: false }])),
    ];
    answerer = createAnswerer(served, { sha1 });
    options.holds(
      [...held.values()].map(({ header }) => ({
        owner: header.owner,
        origin: originText(header.origin),
        epoch: header.epoch,
        sequence: header.sequence,
        serial: header.serial,
      })),
    );
    options.changed();
  };

  // --- our own zones --------------------------------------------------------------------------------------------

  const publishedHeader = (origin: string): ZoneVersion | undefined => {
    const record = records.knowledge().records.get(zoneRecordKey(identity.ownerId, origin));
    return record?.kind === 'zone' ? record.signed.record : undefined;
  };

  const addOwn = (config: ZoneConfig): void => {
    const parsed = parseName(config.origin);
    if (parsed.kind !== 'name') return;
    const origin = parsed.name;
    const zone: OwnZone = {
      config,
      origin,
      state: startPrimaryState({ owner: identity.ownerId, origin }, sha256),
      file: config.source.kind === 'file' ? besideConfig(options.configFile, config.source.file) : undefined,
      zone: undefined,
      watch: undefined,
      reading: Promise.resolve(),
    };
    own.set(config.origin, zone);
    const { file } = zone;
    if (file === undefined) {
      const text = 'a zone from a hidden primary (primary = …) is not served by this version; use file = "…"';
      const problem: ZoneProblem = { severity: 'error', file: options.configFile, line: 1, column: 1, text };
      zone.state = { ...zone.state, problems: [problem] };
      return;
    }
    zone.reading = restoreOwn(zone)
      .then(async () => {
        zone.watch = await watchZoneFile({ path: file, onChange: () => void queueRead(zone, file) });
        await readOwn(zone, file);
      })
      .catch((error: unknown) =>
        log.error({ origin: config.origin, err: error }, 'a zone could not be opened'),
      );
  };

  /** What was published before goes on being served, even if the file has a mistake by now. */
  const restoreOwn = async (zone: OwnZone): Promise<void> => {
    const header = publishedHeader(zone.config.origin);
    const packed = header === undefined ? undefined : await files.read(bodyName(header.contentHash));
    const content = header === undefined || packed === undefined ? undefined : await unpack(packed, header);
    if (header === undefined) return;
    // Without the content the numbers still count: what is published next must be newer than what friends have.
    zone.state =
      content === undefined
        ? { ...zone.state, published: header }
        : startPrimaryState(
            { owner: identity.ownerId, origin: zone.origin, published: { header, body: content.body } },
            sha256,
          );
    if (content !== undefined) {
      zone.zone = content.zone;
      refreshAnswers();
    }
  };

  const queueRead = async (zone: OwnZone, file: string): Promise<void> => {
    zone.reading = zone.reading.then(() => readOwn(zone, file));
    await zone.reading;
  };

  const readOwn = async (zone: OwnZone, file: string): Promise<void> => {
    if (own.get(zone.config.origin) !== zone) return;
    try {
      const read = await readZoneFile({ path: file, origin: zone.origin });
      zone.watch?.follow(read.files);
      const input: PrimaryInput = { kind: 'file', file, problems: read.problems, zone: read.zone, epoch: 0 };
      const [state, effects] = stepPrimary(zone.state, input, Math.round(clock.nowMs()), sha256);
      for (const effect of effects) {
        switch (effect.kind) {
          case 'publish':
            await files.write(bodyName(effect.header.contentHash), await deflate(effect.body));
            await records.publish('zone', encodeZoneVersion(effect.header));
            zone.zone = effect.zone;
            events.add(
              'zone.updated',
              `${zone.config.origin} is published with serial ${effect.header.serial}.`,
            );
            break;
          case 'problem': {
            const first = effect.problems.find(({ severity }) => severity === 'error');
            if (first !== undefined) {
              const { line, column, text } = first;
              events.add(
                'zone.mistake',
                `${first.file}:${line}:${column}: ${text}; the version before stays.`,
              );
            }
            break;
          }
          case 'note':
            events.add('zone.note', effect.text);
            break;
        }
      }
      // Only what was published counts as published: a failed write is tried again at the next read.
      zone.state = state;
      if (effects.some((effect) => effect.kind === 'publish')) await sweep();
      refreshAnswers();
    } catch (error) {
      log.error(
        { origin: zone.config.origin, err: error },
        'a zone could not be published; it is tried again',
      );
      events.add('zone.failed', `${zone.config.origin} could not be published; the version before stays.`);
    }
  };

  // --- zones of friends -----------------------------------------------------------------------------------------

  let acting: Promise<void> = Promise.resolve();
  const step = (input: SecondaryInput): void => {
    if (disposed) return;
    const [state, effects] = stepSecondary(secondary, input, clock.nowMs());
    secondary = state;
    if (effects.length === 0) return;
    acting = acting
      .then(() => act(effects))
      .catch((error: unknown) => log.error({ err: error }, 'a zone could not be stored'));
  };

  const act = async (effects: readonly SecondaryEffect[]): Promise<void> => {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'fetch':
          void fetch(effect.header, effect.from);
          break;
        case 'save': {
          const { header } = effect;
          const content = arrived.get(toHex(header.contentHash));
          const envelope = envelopes.get(toHex(header.contentHash));
          if (content === undefined || envelope === undefined)
            throw new Error('the content to be saved is gone');
          await files.write(bodyName(header.contentHash), await deflate(content.body));
          await writeHeld(header, envelope, effect.freshUntilMs);
          break;
        }
        case 'serve': {
          const { header } = effect;
          const content = arrived.get(toHex(header.contentHash));
          const envelope = envelopes.get(toHex(header.contentHash));
          if (content === undefined || envelope === undefined)
            throw new Error('the content to be served is gone');
          held.set(zoneKey(header), { zone: content.zone, header, envelope });
          arrived.delete(toHex(header.contentHash));
          envelopes.delete(toHex(header.contentHash));
          refreshAnswers();
          events.add(
            'zone.updated',
            `${originText(header.origin)} of ${options.nameOf(header.owner)} is answered here with serial ${header.serial}.`,
          );
          await sweep();
          break;
        }
        case 'renewed': {
          const known = held.get(effect.key);
          if (known !== undefined) await writeHeld(known.header, known.envelope, effect.freshUntilMs);
          refreshAnswers();
          break;
        }
        case 'expired':
          refreshAnswers();
          events.add(
            'zone.expired',
            `a zone has expired: its owner was not heard for too long (${originOf(effect.key)}).`,
          );
          break;
        case 'drop': {
          const origin = originOf(effect.key);
          held.delete(effect.key);
          await table.write([{ key: heldPrefix + effect.key, value: undefined }]);
          refreshAnswers();
          events.add('zone.dropped', `${origin} is not answered here any more.`);
          await sweep();
          break;
        }
        case 'refused':
          log.warn(
            { why: effect.why, origin: originText(effect.header.origin) },
            'a zone version was refused',
          );
          break;
      }
    }
  };

  const originOf = (key: ZoneKey): string => {
    const origin = held.get(key)?.header.origin ?? duties.get(key)?.origin;
    return origin === undefined ? 'a zone' : originText(origin);
  };

  const writeHeld = async (
    header: ZoneVersion,
    envelope: Uint8Array,
    freshUntilMs: number,
  ): Promise<void> => {
    const row = encodeCanonical({ envelope, freshUntil: Math.round(freshUntilMs) });
    await table.write([{ key: heldPrefix + zoneKey(header), value: row }]);
  };

  const fetch = async (header: ZoneVersion, from: string): Promise<void> => {
    try {
      const content = await fetchBody(header, await options.open(from, AbortSignal.timeout(30_000)));
      arrived.set(toHex(header.contentHash), content);
      step({ kind: 'fetched', header, from });
    } catch (error) {
      const why = error instanceof Error ? error.message : 'connection closed';
      log.debug({ origin: originText(header.origin), why }, 'a zone could not be fetched from this friend');
      step({ kind: 'fetch-failed', key: zoneKey(header), from, why });
    }
  };

  /** Removes the contents that no version on this box needs any more. */
  const sweep = async (): Promise<void> => {
    const needed = new Set<string>();
    for (const { header } of held.values()) needed.add(bodyName(header.contentHash));
    for (const content of arrived.keys()) needed.add(`z-${content}`);
    for (const record of recordsOf(records.knowledge(), 'zone'))
      needed.add(bodyName(record.signed.record.contentHash));
    for (const name of await files.list()) if (!needed.has(name)) await files.remove(name);
  };

  const announceKnown = (key: ZoneKey, duty: { ownerId: string; origin: DomainName }): void => {
    const record = records.knowledge().records.get(zoneRecordKey(duty.ownerId, originText(duty.origin)));
    if (record?.kind !== 'zone' || !duties.has(key)) return;
    const { record: header, signer } = record.signed;
    const envelope = records.envelope(zoneRecordKey(duty.ownerId, originText(duty.origin)));
    const served = held.get(key)?.header;
    // Kept with the version it belongs to: by the time the content is here, a newer one may have been announced.
    if (envelope !== undefined && (served === undefined || !sameZoneVersion(served, header))) {
      envelopes.set(toHex(header.contentHash), envelope);
    }
    step({ kind: 'announced', header, from: signer, direct: options.connectedPeers().includes(signer) });
  };

  const tellHolders = (): void => {
    for (const { signed } of recordsOf(records.knowledge(), 'holds')) {
      if (signed.signer === self) continue;
      for (const { owner, origin, epoch, sequence } of signed.record.zones) {
        const parsed = parseName(origin);
        if (parsed.kind !== 'name') continue;
        const key = zoneKey({ owner, origin: parsed.name });
        if (duties.has(key)) step({ kind: 'holder', peer: signed.signer, key, epoch, sequence });
      }
    }
  };

  const server: DnsServer = await startDnsServer({
    listen: options.listen,
    answer: (query, { transport }) => answerer.answer(query, transport),
    events: {
      answered: ({ rcode, transport }) => {
        const key = `${rcodeToText(rcode)} ${transport}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      },
    },
  });
  refreshAnswers();

  return {
    addresses: () => server.addresses(),
    configure: (zonesOwned, wanted) => {
      const listed = new Map(zonesOwned.map((zone) => [zone.origin, zone]));
      for (const [origin, zone] of own) {
        if (JSON.stringify(listed.get(origin)?.source) === JSON.stringify(zone.config.source)) continue;
        own.delete(origin);
        zone.reading = zone.reading.then(() => zone.watch?.[Symbol.asyncDispose]());
        refreshAnswers();
      }
      for (const zone of zonesOwned) if (!own.has(zone.origin)) addOwn(zone);
      const next = new Map<ZoneKey, { ownerId: string; origin: DomainName }>();
      for (const { ownerId, origin } of wanted) {
        const parsed = parseName(origin);
        if (parsed.kind === 'name')
          next.set(zoneKey({ owner: ownerId, origin: parsed.name }), { ownerId, origin: parsed.name });
      }
      duties = next;
      for (const key of secondary.zones.keys()) if (!next.has(key)) step({ kind: 'retired', key });
      for (const [key, duty] of next) announceKnown(key, duty);
      tellHolders();
    },
    announced: (ownerId, origin) => {
      const parsed = parseName(origin);
      if (parsed.kind !== 'name') return;
      const key = zoneKey({ owner: ownerId, origin: parsed.name });
      announceKnown(key, { ownerId, origin: parsed.name });
    },
    holdersChanged: tellHolders,
    peersChanged: () => step({ kind: 'peers', connected: options.connectedPeers() }),
    tick: () => {
      step({ kind: 'peers', connected: options.connectedPeers() });
      step({ kind: 'tick' });
      if (clock.nowMs() - renewedAtMs < renewEveryMs) return;
      renewedAtMs = clock.nowMs();
      const heard = new Set(options.connectedPeers());
      for (const [key, { header }] of held) {
        // The owner is there, and the newest version he is known to have signed is the one served: it is current.
        const record = records
          .knowledge()
          .records.get(zoneRecordKey(header.owner, originText(header.origin)));
        const isNewest = record?.kind === 'zone' && record.signed.record.sequence === header.sequence;
        if (record !== undefined && isNewest && heard.has(record.signed.signer))
          step({ kind: 'owner-current', key });
      }
    },
    push: async (origin) => {
      const zone = own.get(origin);
      if (zone?.file !== undefined) await queueRead(zone, zone.file);
    },
    serve: async (stream, peer) => {
      const request = await stream.receive();
      const fields = readFields(request === undefined ? undefined : decodeCanonical(request, 1024));
      const owner = fields.text('owner', 64);
      const origin = fields.text('origin', 1024);
      const contentHash = fields.bytes('hash', 32, 32);
      const asker = records.knowledge().roster.ownerOf.get(peer);
      const allowed =
        asker !== undefined && (asker === owner || options.providers(owner, origin).includes(asker));
      const packed = fields.ok && allowed ? await files.read(bodyName(contentHash)) : undefined;
      await stream.send(encodeCanonical({ sizeBytes: packed?.length ?? 0 }));
      for (let at = 0; packed !== undefined && at < packed.length; at += chunkBytes) {
        await stream.send(packed.subarray(at, at + chunkBytes));
      }
      await stream.end();
    },
    facts: () => [
      ...[...own.values()].map(
        (zone): ZoneFact => ({
          origin: zone.config.origin,
          ownerId: identity.ownerId,
          role: 'primary',
          serial: zone.zone === undefined ? undefined : zone.state.published?.serial,
          expiresAtMs:
            zone.state.published === undefined ? undefined : clock.nowMs() + zone.state.expiresAfterMs,
          file: zone.file,
          problems: [...zone.state.problems],
        }),
      ),
      ...[...duties].map(([key, { ownerId, origin }]): ZoneFact => {
        const serving = secondary.zones.get(key);
        return {
          origin: originText(origin),
          ownerId,
          role: 'secondary',
          serial: held.get(key)?.header.serial,
          expiresAtMs: held.has(key) ? serving?.freshUntilMs : undefined,
          file: undefined,
          problems: [],
        };
      }),
    ],
    queryCounts: () =>
      [...counts].map(([key, count]) => {
        const [rcode = '', transport = ''] = key.split(' ');
        return { rcode, transport, count };
      }),
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      for (const zone of own.values()) await zone.watch?.[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await acting;
      for (const zone of own.values()) await zone.reading;
    },
  };
}

/** The records of a version out of their compressed form: undefined unless size and hash are those that were signed. */
async function unpack(
  packed: Uint8Array,
  header: ZoneVersion,
): Promise<{ body: Uint8Array; zone: Zone } | undefined> {
  // The output limit is the signed size, so that a small file cannot grow into a large one.
  const body = await inflate(packed, { maxOutputLength: header.sizeBytes }).catch(() => undefined);
  if (body?.length !== header.sizeBytes || !equalBytes(sha256(body), header.contentHash)) return undefined;
  const bytes = new Uint8Array(body);
  const zone = decodeZone(bytes, header.origin);
  return zone === undefined ? undefined : { body: bytes, zone };
}

/** Asks one friend for the records of a version. Rejects where he has none, or what comes is not what was signed. */
async function fetchBody(
  header: ZoneVersion,
  stream: FrameStream,
): Promise<{ body: Uint8Array; zone: Zone }> {
  const timer = setTimeout(() => stream.abort(new Error('the transfer takes too long')), fetchTimeoutMs);
  try {
    const origin = originText(header.origin);
    await stream.send(encodeCanonical({ owner: header.owner, origin, hash: header.contentHash }));
    await stream.end();
    const first = await stream.receive();
    const fields = readFields(first === undefined ? undefined : decodeCanonical(first, 256));
    const sizeBytes = fields.integer('sizeBytes', 0, maxTransferBytes);
    if (!fields.ok || sizeBytes === 0) throw new Error('he does not have it');
    const packed = new Uint8Array(sizeBytes);
    let filled = 0;
    while (filled < sizeBytes) {
      const chunk = await stream.receive();
      if (chunk === undefined || filled + chunk.length > sizeBytes) throw new Error('the transfer broke off');
      packed.set(chunk, filled);
      filled += chunk.length;
    }
    const content = await unpack(packed, header);
    if (content === undefined) throw new Error('what came is not what the owner signed');
    return content;
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('transfer failed'));
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
