import { type Clock, equalBytes, type Files, type FrameStream, type Table, toHex } from '@copain/core';
import {
  type DomainName,
  type NameKey,
  nameKey,
  parseName,
  type SecondaryEffect,
  type SecondaryInput,
  type SecondaryState,
  type ServedZone,
  sameZoneVersion,
  startSecondaryState,
  stepSecondary,
  type Term,
  type ZoneDelta,
  type ZoneKey,
  type ZoneVersion,
  zoneKey,
} from '@copain/dns';
import type { HoldsRecord } from '@copain/trust';
import type { Logger } from 'pino';
import { originText, recordsOf, zoneRecordKey } from '../known-records.ts';
import { announcedVersions } from './announced-versions.ts';
import type { EventLog } from './event-log.ts';
import { type Held, heldRows } from './held-rows.ts';
import { inOrder } from './in-order.ts';
import type { RecordStore } from './record-store.ts';
import type { Refusals } from './refusals.ts';
import type { ZoneOfContent } from './transfer-journal.ts';
import { inTurns } from './turns.ts';
import {
  AlteredContent,
  contentFile,
  type FetchedContent,
  fetchContent,
  readBody,
  storeContent,
  UselessDelta,
  type ZoneContent,
} from './zone-content.ts';

/** A zone that this box has to answer for a friend. */
interface HeldZoneFact {
  origin: string;
  ownerId: string;
  serial: number | undefined;
  /** Undefined where it is not here yet. */
  term: Term | undefined;
}

interface Duty {
  ownerId: string;
  origin: DomainName;
  originKey: NameKey;
}

/** Friends' zones: fetched from whoever has them, stored, and only then answered from. */
export interface HeldZones extends AsyncDisposable {
  configure(duties: readonly { ownerId: string; origin: string }[]): void;
  /** A record names a version of this zone. */
  announced: (ownerId: string, origin: string) => void;
  holdersChanged: () => void;
  peersChanged: () => void;
  /** Every second. */
  tick: () => void;
  served(): (ServedZone & ZoneOfContent & { owner: string })[];
  /** What it is to serve, and whose it is. */
  duties(): { ownerId: string; originKey: NameKey }[];
  /** Origins of zones that this box is to serve and has not got yet. */
  awaited(): NameKey[];
  /** The content hash of the version that is answered from. */
  contentHash(zone: { owner: string; origin: DomainName }): Uint8Array | undefined;
  /** What our `holds` record says. */
  holds(): HoldsRecord['zones'];
  facts(): HeldZoneFact[];
  /** Content files that are needed: served, or about to be. */
  needed(): string[];
}

const versionText = (header: ZoneVersion): string =>
  `${zoneKey(header)} ${header.epoch} ${header.sequence} ${toHex(header.contentHash)}`;

/** How often a zone's life is prolonged while its owner is there. */
const renewEveryMs = 3_600_000;
/** Effects that could not be done (disk full) are tried again this often. */
const retryEveryMs = 5000;
const openTimeoutMs = 30_000;
/** Zones fetched from one friend at once: he gives us a few streams, and an owner of hundreds of zones may join. */
const fetchesAtOnce = 4;

/** Opens the zones that are on disk; each is checked again, signature and content, before it counts. */
export async function openHeldZones(options: {
  self: string;
  files: Files;
  table: Table;
  clock: Clock;
  records: RecordStore;
  connectedPeers(): string[];
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  nameOf(ownerId: string): string;
  events: EventLog;
  refusals: Pick<Refusals, 'count'>;
  log: Logger;
  changed(): void;
  /** A version replaced another; contents of older ones may go. */
  replaced(): Promise<void>;
  /** A version came as what changed since another; others may want it so too. */
  stepped(before: ZoneVersion, after: ZoneVersion, delta: ZoneDelta): void;
}): Promise<HeldZones> {
  const { self, files, clock, records, events, refusals, log } = options;
  const held = new Map<ZoneKey, Held>();
  let duties = new Map<ZoneKey, Duty>();
  /** What was fetched and is not served yet, and the envelopes that announced it, by version. */
  const arrived = new Map<string, ZoneContent & { header: ZoneVersion }>();
  const announcements = announcedVersions(versionText);
  /** Of what friends say that they hold: what was taken in already. */
  let told = new WeakSet<object>();
  let renewedAtMs = clock.nowMs();
  let disposed = false;

  const rows = heldRows({
    files,
    table: options.table,
    damaged: (key) => refusals.count('serve', { key }, 'a stored zone is damaged; it will be fetched again'),
  });
  const stored = await rows.read();
  for (const { zone, header, envelope } of stored) held.set(zoneKey(header), { zone, header, envelope });
  let secondary: SecondaryState = startSecondaryState(stored);

  const newestOf = (ownerId: string, origin: DomainName) => {
    const key = zoneRecordKey(ownerId, originText(origin));
    const record = records.knowledge().records.get(key);
    return record?.kind === 'zone' ? { signed: record.signed, envelope: records.envelope(key) } : undefined;
  };
  const originOf = (key: ZoneKey): string => {
    const origin = held.get(key)?.header.origin ?? duties.get(key)?.origin;
    return origin === undefined ? 'a zone' : originText(origin);
  };

  /** What was fetched for this version. It is there: `save` and `serve` follow `fetched`, and nothing removes it between. */
  const fetchedFor = (header: ZoneVersion): Held & { body: Uint8Array | undefined } => {
    const version = versionText(header);
    const content = arrived.get(version);
    const announced = announcements.envelopeOf(header);
    const known = held.get(zoneKey(header));
    if (announced !== undefined && content !== undefined) return { ...content, envelope: announced };
    // A newer version of the content that is on disk already.
    if (announced !== undefined && known && equalBytes(known.header.contentHash, header.contentHash))
      return { zone: known.zone, body: undefined, header, envelope: announced };
    throw new Error('the content of a fetched zone is gone');
  };
  const forgetUpTo = (header: ZoneVersion): void => {
    arrived.delete(versionText(header));
    announcements.forgetUpTo(header);
  };
  /** Versions that were announced and are neither wanted, nor on their way, nor here. */
  const forgetPassedOver = (key: ZoneKey): void => {
    const { wanted, fetching } = secondary.zones.get(key) ?? {};
    const needed = new Set([wanted, fetching?.header].map((header) => header && versionText(header)));
    for (const effect of effects.waiting())
      if (effect.kind === 'save' || effect.kind === 'serve') needed.add(versionText(effect.header));
    announcements.keepOnly(key, (header) => {
      const version = versionText(header);
      const isComing = [...underWay].some((what) => what.startsWith(`${version} `));
      return needed.has(version) || arrived.has(version) || isComing;
    });
  };

  const act = async (effect: SecondaryEffect): Promise<void> => {
    switch (effect.kind) {
      case 'fetch':
        void fetch(effect.header, effect.from);
        break;
      case 'save': {
        const fetched = fetchedFor(effect.header);
        try {
          if (fetched.body !== undefined) await storeContent(files, effect.header, fetched.body);
          await rows.write(fetched, effect.freshUntilMs);
        } catch (error) {
          const origin = originText(effect.header.origin);
          refusals.count(
            'write',
            { origin },
            'a zone version could not be written, and is not answered from',
          );
          throw error;
        }
        break;
      }
      case 'serve': {
        const { header } = effect;
        const { zone, envelope, body } = fetchedFor(header);
        const isReplaced = held.has(zoneKey(header));
        held.set(zoneKey(header), { zone, header, envelope });
        forgetUpTo(header);
        options.changed();
        if (body === undefined) break;
        const whose = `${originText(header.origin)} of ${options.nameOf(header.owner)}`;
        events.add('zone.updated', `${whose} is answered here with serial ${header.serial}.`);
        if (isReplaced) await options.replaced();
        break;
      }
      case 'renewed': {
        const known = held.get(effect.key);
        if (known !== undefined) await rows.write(known, effect.freshUntilMs);
        options.changed();
        break;
      }
      case 'expired':
        options.changed();
        events.add(
          'zone.expired',
          `${originOf(effect.key)} has expired: its owner was not heard for too long.`,
        );
        break;
      case 'drop': {
        const origin = originOf(effect.key);
        held.delete(effect.key);
        options.changed();
        await rows.remove(effect.key);
        events.add('zone.dropped', `${origin} is not answered here any more.`);
        await options.replaced();
        break;
      }
      case 'refused': {
        const { why, header, from } = effect;
        const step = why === 'too-many' || why === 'too-large' ? 'quota' : 'version';
        refusals.count(step, { why, origin: originText(header.origin), from }, 'a zone version was refused');
        break;
      }
    }
  };

  /** Effects in the order in which they were decided. */
  const effects = inOrder<SecondaryEffect>({
    act,
    retryAfterMs: retryEveryMs,
    clock,
    failed: (error) => log.error({ err: error }, 'a zone could not be stored; trying again'),
  });
  // What expired while this box was off must not be answered from for even a second; saying so can wait.
  const [opened, expired] = stepSecondary(secondary, { kind: 'tick' }, clock.nowMs());
  secondary = opened;
  effects.add(expired);
  const step = (input: SecondaryInput): void => {
    if (disposed) return;
    const [state, decided] = stepSecondary(secondary, input, clock.nowMs());
    secondary = state;
    effects.add(decided);
    effects.start();
  };

  /** What changed since the version that is here, where there is one and `from` knows it; else the whole content. */
  const fetchFrom = async (header: ZoneVersion, from: string): Promise<FetchedContent> => {
    const open = async () => await options.open(from, AbortSignal.timeout(openTimeoutMs));
    const before = held.get(zoneKey(header));
    const opening = open();
    // Where it fails while the body is being read, it is still awaited below.
    opening.catch(() => undefined);
    const body = before && (await readBody(files, before.header).catch(() => undefined));
    if (before === undefined || body === undefined) return await fetchContent(header, await opening);
    try {
      const content = await fetchContent(header, await opening, {
        zone: before.zone,
        body,
        hash: before.header.contentHash,
      });
      if (content.delta !== undefined) options.stepped(before.header, header, content.delta);
      return content;
    } catch (error) {
      if (!(error instanceof UselessDelta)) throw error;
      const fields = { origin: originText(header.origin), from, why: error.message };
      refusals.count('meaning', fields, 'a delta was refused; asking for the whole zone');
      return await fetchContent(header, await open());
    }
  };

  const fetches = inTurns(fetchesAtOnce);
  const underWay = new Set<string>();
  const fetch = async (header: ZoneVersion, from: string): Promise<void> => {
    // While a full disk holds effects back, one version is decided to be fetched again and again.
    const what = `${versionText(header)} ${from}`;
    if (underWay.has(what)) return;
    underWay.add(what);
    try {
      const content = await fetches.run(from, async () => await fetchFrom(header, from));
      arrived.set(versionText(header), { zone: content.zone, body: content.body, header });
      underWay.delete(what);
      step({ kind: 'fetched', header, from });
      // Nobody wants it any more: something newer is served, or the zone is not ours to serve.
      const isToBeSaved = effects
        .waiting()
        .some((one) => one.kind === 'save' && sameZoneVersion(one.header, header));
      if (!isToBeSaved) forgetUpTo(header);
    } catch (error) {
      underWay.delete(what);
      const why = error instanceof Error ? error.message : 'connection closed';
      if (error instanceof AlteredContent)
        refusals.count('meaning', { origin: originText(header.origin), from }, why);
      log.debug({ origin: originText(header.origin), from, why }, 'a zone could not be fetched here');
      step({ kind: 'fetch-failed', key: zoneKey(header), from, why });
    }
  };

  const announce = (key: ZoneKey, { ownerId, origin }: { ownerId: string; origin: DomainName }): void => {
    const newest = duties.has(key) ? newestOf(ownerId, origin) : undefined;
    if (newest === undefined) return;
    const { record: header, signer } = newest.signed;
    const served = held.get(key)?.header;
    // Kept with the version it belongs to: by the time the content is here, a newer one may have been announced.
    if (newest.envelope !== undefined && (served === undefined || !sameZoneVersion(served, header))) {
      announcements.add(header, newest.envelope);
    }
    step({ kind: 'announced', header, from: signer, direct: options.connectedPeers().includes(signer) });
    if (announcements.count(key) > 1) forgetPassedOver(key);
  };

  const tellHolders = (): void => {
    for (const { signed } of recordsOf(records.knowledge(), 'holds')) {
      if (signed.signer === self || told.has(signed)) continue;
      told.add(signed);
      const zones = signed.record.zones.flatMap(({ owner, origin, epoch, sequence }) => {
        const parsed = parseName(origin);
        const key = parsed.kind === 'name' ? zoneKey({ owner, origin: parsed.name }) : undefined;
        return key !== undefined && duties.has(key) ? [{ key, epoch, sequence }] : [];
      });
      step({ kind: 'holder', peer: signed.signer, zones });
    }
  };

  /** While the owner is there, and the newest version he is known to have signed is the one served, it is current. */
  const renew = (): void => {
    if (clock.nowMs() - renewedAtMs < renewEveryMs) return;
    renewedAtMs = clock.nowMs();
    const heard = new Set(options.connectedPeers());
    for (const [key, { header }] of held) {
      const newest = newestOf(header.owner, header.origin);
      if (
        newest !== undefined &&
        heard.has(newest.signed.signer) &&
        sameZoneVersion(newest.signed.record, header)
      ) {
        step({ kind: 'owner-current', key });
      }
    }
  };

  const termOf = (key: ZoneKey): Term | undefined => {
    const header = held.get(key)?.header;
    const freshUntilMs = secondary.zones.get(key)?.freshUntilMs;
    if (header === undefined || freshUntilMs === undefined) return undefined;
    return { freshUntilMs: Math.round(freshUntilMs), expiresAfterMs: header.expiresAfterMs };
  };

  return {
    configure: (wanted) => {
      const next = new Map<ZoneKey, Duty>();
      for (const { ownerId, origin } of wanted) {
        const parsed = parseName(origin);
        if (parsed.kind !== 'name') continue;
        const { name } = parsed;
        next.set(zoneKey({ owner: ownerId, origin: name }), {
          ownerId,
          origin: name,
          originKey: nameKey(name),
        });
      }
      duties = next;
      for (const key of secondary.zones.keys()) if (!next.has(key)) step({ kind: 'retired', key });
      for (const [key, duty] of next) announce(key, duty);
      // What was said of zones that were no duty before counts now.
      told = new WeakSet();
      tellHolders();
    },
    announced: (ownerId, origin) => {
      const parsed = parseName(origin);
      if (parsed.kind !== 'name') return;
      announce(zoneKey({ owner: ownerId, origin: parsed.name }), { ownerId, origin: parsed.name });
    },
    holdersChanged: tellHolders,
    peersChanged: () => step({ kind: 'peers', connected: options.connectedPeers() }),
    tick: () => {
      step({ kind: 'peers', connected: options.connectedPeers() });
      step({ kind: 'tick' });
      renew();
    },
    served: () =>
      [...held].map(([key, { zone, header }]) => {
        const state = secondary.zones.get(key);
        const { contentHash, owner } = header;
        return {
          zone,
          owner,
          contentHash,
          expired: state?.expired ?? false,
          expiresAtMs: state?.freshUntilMs,
        };
      }),
    duties: () => [...duties.values()],
    awaited: () => [...duties].flatMap(([key, { originKey }]) => (held.has(key) ? [] : [originKey])),
    contentHash: (zone) => held.get(zoneKey(zone))?.header.contentHash,
    holds: () =>
      [...held.values()].map(({ header }) => ({
        owner: header.owner,
        origin: originText(header.origin),
        epoch: header.epoch,
        sequence: header.sequence,
        serial: header.serial,
      })),
    facts: () =>
      [...duties].map(([key, { ownerId, origin }]) => ({
        origin: originText(origin),
        ownerId,
        serial: held.get(key)?.header.serial,
        term: termOf(key),
      })),
    needed: () => [
      ...[...held.values()].map(({ header }) => contentFile(header.contentHash)),
      ...[...arrived.values()].map(({ header }) => contentFile(header.contentHash)),
    ],
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      await effects[Symbol.asyncDispose]();
    },
  };
}
