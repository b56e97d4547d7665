import { type Clock, fromUtf8, type Table, type TableChange, toUtf8 } from '@copain/core';
import {
  compareZoneVersions,
  type FreshnessStage,
  type FreshnessState,
  freshnessSharesPercent,
  stepFreshness,
  type Term,
  type ZoneVersion,
} from '@copain/dns';
import type { Logger } from 'pino';
import { type AgedCopies, freshnessEvent } from '../freshness-text.ts';
import { recordsOf } from '../known-records.ts';
import type { EventLog } from './event-log.ts';
import type { RecordStore } from './record-store.ts';

/** Days pass between two stages; a minute is soon enough, and after a start friends are heard by then. */
const lookEveryMs = 60_000;
const toldPrefix = 'freshness/';
const termPrefix = 'copy-term/';

/** A copy of a zone: of a friend's here, or of ours at a friend's. */
interface Copy {
  side: AgedCopies['side'];
  /** The friend: who owns the zone, or who keeps our copy. */
  ownerId: string;
  origin: string;
  term: Term;
}

/** How old copies of zones are since their owner's last word, here and at friends, and who was told of it. */
export interface ZoneFreshness extends AsyncDisposable {
  /** Every second. */
  tick: () => void;
  /**
   * Until when this friend surely answers this zone of ours, as far as he said: he may have heard of it since. Undefined
   * where he has no copy.
   */
  copyTerm(origin: string, ownerId: string): Term | undefined;
}

/**
 * Opens the notes of earlier runs. A copy that a friend keeps lasts from the date of the version that his `holds` record
 * named while it was our newest; this box signs one every six hours.
 */
export async function openZoneFreshness(options: {
  ownerId: string;
  table: Table;
  clock: Clock;
  records: Pick<RecordStore, 'knowledge'>;
  /** Zones of ours, as last signed. */
  own(): readonly { origin: string; published: ZoneVersion | undefined }[];
  /** Friends' zones that are here. */
  held(): readonly { origin: string; ownerId: string; term: Term | undefined }[];
  /** Owner ids of all who are to serve this zone. */
  providers(ownerId: string, origin: string): string[];
  nameOf(ownerId: string): string;
  events: Pick<EventLog, 'add'>;
  log: Pick<Logger, 'warn'>;
}): Promise<ZoneFreshness> {
  const { ownerId: self, table, clock, records, log } = options;
  /** What is on disk, as it is there. */
  const rows = new Map<string, string>();
  for await (const [key, value] of table.entries(toldPrefix)) rows.set(key, fromUtf8(value) ?? '');
  for await (const [key, value] of table.entries(termPrefix)) rows.set(key, fromUtf8(value) ?? '');
  let state: FreshnessState = toldIn(rows);
  let terms: ReadonlyMap<string, Term> = termsIn(rows);
  let lookAtMs = clock.nowMs() + lookEveryMs;
  let writing: Promise<void> | undefined;

  const termsNow = (): Map<string, Term> => {
    const { roster } = records.knowledge();
    const newest = new Map<string, { epoch: number; sequence: number }>();
    for (const { signed } of recordsOf(records.knowledge(), 'holds')) {
      const by = roster.ownerOf.get(signed.signer);
      for (const zone of signed.record.zones) {
        const key = `${zone.origin}/${by}`;
        const known = newest.get(key);
        if (zone.owner === self && (known === undefined || compareZoneVersions(zone, known) > 0))
          newest.set(key, zone);
      }
    }
    const now = new Map<string, Term>();
    for (const { origin, published } of options.own()) {
      if (published === undefined) continue;
      const { atMs, expiresAfterMs } = published;
      const full = { freshUntilMs: atMs + expiresAfterMs, expiresAfterMs };
      for (const friend of options.providers(self, origin)) {
        const key = `${origin}/${friend}`;
        const version = newest.get(key);
        if (version === undefined || friend === self) continue;
        const before = terms.get(key);
        const isCurrent = compareZoneVersions(version, published) === 0;
        now.set(
          key,
          before === undefined || (isCurrent && before.freshUntilMs < full.freshUntilMs) ? full : before,
        );
      }
    }
    return now;
  };

  const copies = (): Map<string, Copy> => {
    const all = new Map<string, Copy>();
    for (const { origin, ownerId, term } of options.held())
      if (term !== undefined) all.set(`here/${origin}/${ownerId}`, { side: 'here', ownerId, origin, term });
    for (const [key, term] of terms) {
      const slash = key.indexOf('/');
      const [origin, ownerId] = [key.slice(0, slash), key.slice(slash + 1)];
      all.set(`there/${key}`, { side: 'there', ownerId, origin, term });
    }
    return all;
  };

  /** Those who stand alike are told of together. */
  const tell = (all: ReadonlyMap<string, Copy>, effects: ReturnType<typeof stepFreshness>[1]): void => {
    const groups = new Map<string, AgedCopies & { origins: string[] }>();
    for (const effect of effects) {
      const copy = all.get(effect.key);
      if (copy === undefined) continue;
      const { side, ownerId, origin, term } = copy;
      const stage = effect.kind === 'aged' ? effect.stage : undefined;
      const leftMs = term.freshUntilMs - clock.nowMs();
      const silentMs = term.expiresAfterMs - leftMs;
      const key = `${side} ${ownerId} ${stage}`;
      const group = groups.get(key);
      if (group === undefined) {
        groups.set(key, { side, name: options.nameOf(ownerId), origins: [origin], stage, silentMs, leftMs });
        continue;
      }
      group.origins.push(origin);
      group.leftMs = Math.min(group.leftMs, leftMs);
      group.silentMs = Math.max(group.silentMs, silentMs);
    }
    for (const group of groups.values()) {
      const event = freshnessEvent(group);
      if (event !== undefined) options.events.add(event.kind, event.text);
    }
  };

  /** Writes what differs from what is on disk; what cannot be written now is with the next look. */
  const write = async (): Promise<void> => {
    const wanted = new Map([
      ...[...state].map(([key, told]) => [toldPrefix + key, `${told.stage} ${told.freshUntilMs}`] as const),
      ...[...terms].map(
        ([key, term]) => [termPrefix + key, `${term.freshUntilMs} ${term.expiresAfterMs}`] as const,
      ),
    ]);
    const news = [...wanted].filter(([key, value]) => rows.get(key) !== value);
    const gone = [...rows.keys()].filter((key) => !wanted.has(key));
    if (news.length + gone.length === 0) return;
    const changes: TableChange[] = [
      ...news.map(([key, value]) => ({ key, value: toUtf8(value) })),
      ...gone.map((key) => ({ key, value: undefined })),
    ];
    await table.write(changes);
    for (const [key, value] of news) rows.set(key, value);
    for (const key of gone) rows.delete(key);
  };

  const look = (): void => {
    terms = termsNow();
    const all = copies();
    const termOf = new Map([...all].map(([key, { term }]) => [key, term]));
    const [next, effects] = stepFreshness(state, termOf, clock.nowMs());
    state = next;
    tell(all, effects);
    writing ??= write()
      .catch((error: unknown) => log.warn({ err: error }, 'how old copies of zones are could not be noted'))
      .finally(() => {
        writing = undefined;
      });
  };

  return {
    tick: () => {
      if (clock.nowMs() < lookAtMs && lookAtMs - clock.nowMs() <= lookEveryMs) return;
      lookAtMs = clock.nowMs() + lookEveryMs;
      look();
    },
    copyTerm: (origin, ownerId) => terms.get(`${origin}/${ownerId}`),
    [Symbol.asyncDispose]: async () => {
      await writing;
    },
  };
}

/** The two whole numbers of a row; one that is not as written here counts as none, and is written anew. */
function numbersIn(text: string): [number, number] | undefined {
  const [first, second, ...more] = text.split(' ').map(Number);
  if (first === undefined || second === undefined || more.length > 0) return undefined;
  return Number.isSafeInteger(first) && Number.isSafeInteger(second) ? [first, second] : undefined;
}

function toldIn(rows: ReadonlyMap<string, string>): FreshnessState {
  const stages: readonly FreshnessStage[] = [...freshnessSharesPercent, 100];
  return new Map(
    [...rows].flatMap(([key, text]) => {
      const [told, freshUntilMs] = (key.startsWith(toldPrefix) ? numbersIn(text) : undefined) ?? [];
      const stage = stages.find((one) => one === told);
      if (stage === undefined || freshUntilMs === undefined) return [];
      return [[key.slice(toldPrefix.length), { stage, freshUntilMs }] as const];
    }),
  );
}

function termsIn(rows: ReadonlyMap<string, string>): Map<string, Term> {
  return new Map(
    [...rows].flatMap(([key, text]) => {
      const [freshUntilMs, expiresAfterMs] = (key.startsWith(termPrefix) ? numbersIn(text) : undefined) ?? [];
      if (freshUntilMs === undefined || expiresAfterMs === undefined) return [];
      return [[key.slice(termPrefix.length), { freshUntilMs, expiresAfterMs }] as const];
    }),
  );
}
