import { equalBytes, toHex } from '@copain/core';
import {
  compareZoneVersions,
  type DomainName,
  encodeZoneVersion,
  loadZone,
  openZoneBody,
  type PrimaryState,
  parseName,
  type SecondaryEffect,
  type SecondaryInput,
  type SecondaryState,
  sameZoneVersion,
  startPrimaryState,
  startSecondaryState,
  stepPrimary,
  stepSecondary,
  stillCurrent,
  type ZoneVersion,
  zoneKey,
} from '@copain/dns';
import { duties, encodeHoldsRecord, type HoldsRecord, type Signed } from '@copain/trust';
import { originText, recordsOf, zoneRecordKey } from '../../../packages/agent/src/known-records.ts';
import { fetchPatienceMs } from '../../../packages/dns/src/limits.ts';
import { lot } from '../world/chance.ts';
import { sha256 } from '../world/envelopes.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';

/** Zones in one box: its owner's own, and those it keeps for friends. */
export interface Zones {
  start(): void;
  stop(): void;
  /** Its owner saves his zone file: with other content, and this serial. */
  edit(text: string): void;
  tick(): void;
  /** Until when (in the run's time) a tick would change nothing. */
  sleepsUntilMs(): number;
  peersChanged(): void;
  planChanged(): void;
  announced(ownerId: string, origin: string): void;
  /** A friend said what he holds. */
  holds(signed: Signed<HoldsRecord>): void;
  /** The version that is answered from, by zone. */
  serving(): ReadonlyMap<string, ZoneVersion>;
  /** Content by its hash, for whoever fetches it; `altered` gives what a liar would. */
  content(hash: Uint8Array): Uint8Array | undefined;
  secondary(): SecondaryState;
}

interface Stored {
  header: ZoneVersion;
  body: Uint8Array;
  freshUntilMs: number;
}

const hourMs = 3_600_000;
/** Ten days, so that long absences reach it. */
const expiresAfterMs = 240 * hourMs;
const retryEveryMs = 5000;

const origins = new Map<string, DomainName>();
const originOf = (text: string): DomainName => {
  const known = origins.get(text);
  if (known !== undefined) return known;
  const parsed = parseName(text);
  if (parsed.kind !== 'name') throw new Error(`${text} is no name`);
  origins.set(text, parsed.name);
  return parsed.name;
};

export function zones(world: World, boxOf: () => Box): Zones {
  const { agenda, net, chance } = world;
  let primary: PrimaryState | undefined;
  let secondary: SecondaryState = startSecondaryState([]);
  let waiting: SecondaryEffect[] = [];
  let duty = new Map<string, { ownerId: string; origin: string }>();
  let held = new Map<string, Stored>();
  let ownServed: ZoneVersion | undefined;
  const arrived = new Map<string, Uint8Array>();
  let life = 0;
  /** The life in which what the disk refused is about to be tried again. */
  let retry: number | undefined;
  let fetches = 0;

  const localMs = (): number => Math.round(boxOf().clock.localMs(agenda.nowMs()));
  const hashKey = (header: ZoneVersion): string => toHex(header.contentHash);
  const newest = (ownerId: string, origin: string) => {
    const record = boxOf().records.knowledge().records.get(zoneRecordKey(ownerId, origin));
    return record?.kind === 'zone' ? record.signed : undefined;
  };
  const tell = (seen: Parameters<World['observe']>[1]): void => world.observe(boxOf(), seen, agenda.nowMs());

  // The owner's side.
  const publish = (header: ZoneVersion, body: Uint8Array): void => {
    const box = boxOf();
    const during = life;
    box.disk.write([[`own/${hashKey(header)}`, body]], (kept) => {
      if (kept) box.records.publish('zone', () => encodeZoneVersion(header));
      else
        agenda.after(retryEveryMs, () => {
          if (during === life) publish(header, body);
        });
    });
  };
  const read = (text: string): void => {
    const { owns, ownerId } = boxOf().person;
    if (primary === undefined || owns === undefined) return;
    const origin = originOf(owns.origin);
    const loaded = loadZone({ text, file: 'zone', origin });
    const input = {
      kind: 'file' as const,
      file: 'zone',
      problems: loaded.problems,
      zone: loaded.zone,
      epoch: 0,
    };
    const [next, effects] = stepPrimary(primary, { ...input, content: loaded.content }, localMs(), sha256);
    primary = next;
    for (const effect of effects)
      if (effect.kind === 'publish') publish({ ...effect.header, owner: ownerId }, effect.body);
  };
  const sayStillCurrent = (): void => {
    const head = primary && stillCurrent(primary, Math.round(localMs()));
    const body = head && boxOf().disk.rows.get(`own/${hashKey(head)}`);
    if (primary === undefined || head === undefined || !(body instanceof Uint8Array)) return;
    primary = { ...primary, published: head };
    publish(head, body);
  };
  const startPrimary = (): void => {
    const { owns, ownerId } = boxOf().person;
    if (owns === undefined) return;
    const known = newest(ownerId, owns.origin)?.record;
    const body = known && boxOf().disk.rows.get(`own/${hashKey(known)}`);
    const published = known && body instanceof Uint8Array ? { header: known, body } : undefined;
    const origin = originOf(owns.origin);
    primary = startPrimaryState({ owner: ownerId, origin, expiresAfterMs, published }, sha256);
    if (published !== undefined) serveOwn(published.header);
    const text = boxOf().disk.rows.get('zone-file');
    if (typeof text === 'string') read(text);
  };
  const serveOwn = (header: ZoneVersion): void => {
    if (ownServed !== undefined && compareZoneVersions(header, ownServed) <= 0) return;
    ownServed = header;
    tell({ kind: 'zone-serve', header, contentHash: header.contentHash, isStored: true });
  };

  // A friend's side.
  const take = (input: SecondaryInput): void => {
    const [next, effects] = stepSecondary(secondary, input, localMs());
    secondary = next;
    waiting.push(...effects);
    work();
  };

  /** Effects one after the other; what the disk refuses is tried again, and holds the rest back. */
  const work = (): void => {
    while (waiting.length > 0 && retry !== life) {
      const [effect] = waiting;
      if (effect === undefined || !act(effect)) {
        const during = life;
        retry = during;
        agenda.after(retryEveryMs, () => {
          if (during !== life) return;
          retry = undefined;
          work();
        });
        return;
      }
      waiting.shift();
    }
  };

  const act = (effect: SecondaryEffect): boolean => {
    const { disk } = boxOf();
    switch (effect.kind) {
      case 'fetch':
        fetch(effect.header, effect.from);
        return true;
      case 'save': {
        const { header, freshUntilMs } = effect;
        const body = arrived.get(hashKey(header)) ?? held.get(zoneKey(header))?.body;
        if (body === undefined) return true;
        return disk.writeNow([[`held/${zoneKey(header)}`, { header, body, freshUntilMs }]]);
      }
      case 'serve': {
        const { header } = effect;
        const row = disk.rows.get(`held/${zoneKey(header)}`) as Stored | undefined;
        const isStored = row !== undefined && sameZoneVersion(row.header, header);
        const body = isStored ? row.body : arrived.get(hashKey(header));
        if (body === undefined) return true;
        const { freshUntilMs = 0 } = secondary.zones.get(zoneKey(header)) ?? {};
        held.set(zoneKey(header), { header, body, freshUntilMs });
        if (isStored) arrived.delete(hashKey(header));
        tell({ kind: 'zone-serve', header, contentHash: sha256(body), isStored });
        tell({ kind: 'zone-term', header, freshUntilMs });
        sayHolds();
        return true;
      }
      case 'renewed': {
        const stored = held.get(effect.key);
        if (stored === undefined) return true;
        const renewed = { ...stored, freshUntilMs: effect.freshUntilMs };
        if (!disk.writeNow([[`held/${effect.key}`, renewed]])) return false;
        held.set(effect.key, renewed);
        tell({ kind: 'zone-term', header: stored.header, freshUntilMs: effect.freshUntilMs });
        return true;
      }
      case 'expired':
        return true;
      case 'drop':
        held.delete(effect.key);
        disk.writeNow([[`held/${effect.key}`, undefined]]);
        tell({ kind: 'zone-drop', key: effect.key });
        sayHolds();
        return true;
      case 'refused':
        tell({ kind: 'zone-refused', why: effect.why });
        return true;
    }
  };

  const sayHolds = (): void => {
    const { records, person } = boxOf();
    records.publish('holds', () => {
      const known = records.knowledge().records.get(`holds/${person.peer}`);
      const last = known?.kind === 'holds' ? known.signed.record : undefined;
      const listed = [...held.values()].map(({ header }) => ({
        owner: header.owner,
        origin: originText(header.origin),
        epoch: header.epoch,
        sequence: header.sequence,
        serial: header.serial,
      }));
      const encode = (sequence: number): Uint8Array => encodeHoldsRecord({ sequence, zones: listed });
      if (last !== undefined && equalBytes(encode(last.sequence), encodeHoldsRecord(last))) return undefined;
      return encode((last?.sequence ?? 0) + 1);
    });
  };

  /** The holder gives what he has under that hash; a liar gives something else, and is found out. */
  const fetch = (header: ZoneVersion, from: string): void => {
    const box = boxOf();
    const holder = world.box(world.numberOf(from));
    const during = life;
    fetches += 1;
    const roll = chance(lot.fetch, box.number, fetches);
    const failed = (why: string): void => take({ kind: 'fetch-failed', key: zoneKey(header), from, why });
    const start = (): void => {
      if (during !== life) return;
      const body =
        holder.on && world.talk(box.number, holder.number)
          ? holder.zones.content(header.contentHash)
          : undefined;
      if (body === undefined) {
        failed('not there');
        return;
      }
      const leavesMs = net.bulkLeavesMs(holder.number, body.length);
      agenda.at(leavesMs + 60, () => {
        if (during !== life) return;
        if (!world.talk(box.number, holder.number)) return failed('connection closed');
        const given = roll < 0.02 ? Uint8Array.from(body, (byte, i) => (i === 40 ? byte ^ 1 : byte)) : body;
        if (openZoneBody(header, given, sha256).kind !== 'zone') return failed('altered');
        arrived.set(hashKey(header), given);
        take({ kind: 'fetched', header, from });
      });
    };
    agenda.after(50 + 100 * roll, start);
  };

  const announce = (ownerId: string, origin: string): void => {
    const signed = newest(ownerId, origin);
    if (signed === undefined) return;
    if (ownerId === boxOf().person.ownerId) {
      serveOwn(signed.record);
      return;
    }
    if (!duty.has(zoneKey({ owner: ownerId, origin: signed.record.origin }))) return;
    const direct = world.connected(boxOf()).includes(signed.signer);
    take({ kind: 'announced', header: signed.record, from: signed.signer, direct });
  };
  const tellHolder = ({ signer, record }: Signed<HoldsRecord>): void => {
    if (signer === boxOf().person.peer) return;
    const zones = record.zones.flatMap(({ owner, origin, epoch, sequence }) => {
      const key = zoneKey({ owner, origin: originOf(origin) });
      return duty.has(key) ? [{ key, epoch, sequence }] : [];
    });
    if (zones.length > 0) take({ kind: 'holder', peer: signer, zones });
  };
  const tellHolders = (): void => {
    for (const { signed } of recordsOf(boxOf().records.knowledge(), 'holds')) tellHolder(signed);
  };
  const planChanged = (): void => {
    const { person, records } = boxOf();
    const { roster, agreements } = records.knowledge();
    const all = duties(roster, agreements, { ownerId: person.ownerId, box: person.peer });
    duty = new Map(
      all
        .filter(({ service, ownerId }) => service === 'dns' && ownerId !== person.ownerId)
        .map(({ ownerId, name }) => [
          zoneKey({ owner: ownerId, origin: originOf(name) }),
          { ownerId, origin: name },
        ]),
    );
    for (const key of secondary.zones.keys()) if (!duty.has(key)) take({ kind: 'retired', key });
    for (const { ownerId, origin } of duty.values()) announce(ownerId, origin);
    tellHolders();
  };

  /** Every hour: the head is signed anew where it is six hours old, and what the owner said last counts as of now. */
  const hourly = (during: number): void => {
    if (during !== life) return;
    agenda.after(hourMs, () => hourly(during));
    sayStillCurrent();
    const connected = new Set(world.connected(boxOf()));
    for (const [key, { header }] of held) {
      const signed = newest(header.owner, originText(header.origin));
      if (signed !== undefined && connected.has(signed.signer) && sameZoneVersion(signed.record, header))
        take({ kind: 'owner-current', key });
    }
  };

  return {
    start: () => {
      life += 1;
      const during = life;
      waiting = [];
      arrived.clear();
      held = new Map();
      ownServed = undefined;
      for (const [key, value] of boxOf().disk.rows) {
        const stored = key.startsWith('held/') ? (value as Stored) : undefined;
        if (stored === undefined || openZoneBody(stored.header, stored.body, sha256).kind !== 'zone')
          continue;
        held.set(zoneKey(stored.header), stored);
        tell({ kind: 'zone-serve', header: stored.header, contentHash: sha256(stored.body), isStored: true });
      }
      secondary = startSecondaryState(held.values());
      planChanged();
      startPrimary();
      agenda.after(hourMs * (0.5 + 0.5 * chance(lot.fetch, boxOf().number, 7)), () => hourly(during));
    },
    stop: () => {
      life += 1;
      ownServed = undefined;
    },
    edit: (text) => {
      if (!boxOf().disk.writeNow([['zone-file', text]])) return;
      if (boxOf().on) read(text);
    },
    tick: () => take({ kind: 'tick' }),
    sleepsUntilMs: () => {
      const zeroMs = boxOf().clock.localMs(0);
      let untilMs = Number.POSITIVE_INFINITY;
      for (const zone of secondary.zones.values()) {
        if (zone.fetching !== undefined) untilMs = Math.min(untilMs, zone.fetching.sinceMs + fetchPatienceMs);
        else if (zone.wanted !== undefined) untilMs = Math.min(untilMs, zone.retryAtMs);
        if (zone.serving !== undefined && !zone.expired) untilMs = Math.min(untilMs, zone.freshUntilMs);
      }
      return untilMs - zeroMs;
    },
    peersChanged: () => take({ kind: 'peers', connected: world.connected(boxOf()) }),
    planChanged,
    announced: announce,
    holds: tellHolder,
    serving: () => {
      const all = new Map([...held].map(([key, { header }]) => [key, header] as const));
      if (ownServed !== undefined) all.set(zoneKey(ownServed), ownServed);
      return all;
    },
    content: (hash) => {
      const own = boxOf().disk.rows.get(`own/${toHex(hash)}`);
      if (own instanceof Uint8Array) return own;
      return [...held.values()].find(({ header }) => equalBytes(header.contentHash, hash))?.body;
    },
    secondary: () => secondary,
  };
}
