import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '@copain/core';
import {
  addressesIn,
  formatIpv4,
  formatIpv6,
  nameToText,
  RecordType,
  readName,
  type Zone,
} from '@copain/dns';
import {
  type ProbeResult,
  parseCheck,
  type ServiceCheck,
  startTakeovers,
  stepTakeover,
  type TakeoverEffect,
  type TakeoverSituation,
  type WatchedService,
} from '@copain/liveness';
import { probe } from '@copain/liveness/io';
import { encodeSwapRecord, encodeTakeoverRecord } from '@copain/trust';
import type { ServiceNow } from '../known-services.ts';
import { isQuorumFor, swapVotes, watchedServices } from '../watched-services.ts';
import type { Identity } from './identity.ts';
import type { OwnServices } from './own-services.ts';
import type { RecordStore } from './record-store.ts';
import type { Takeovers } from './takeovers.ts';
import type { Watch } from './watch.ts';

/** Watches the services of friends, and says what is due. */
export interface TakeoverWatch extends AsyncDisposable {
  /** Every second. */
  tick(): void;
  /** Tries a service at its standby's address, once; undefined where nothing can be tried. */
  tryStandby: (key: string) => Promise<ProbeResult | undefined>;
}

/** Where a service is tried: what is asked, and the addresses of which one has to answer. */
interface ProbeTarget {
  check: ServiceCheck;
  hosts: string[];
}

export function startTakeoverWatch(options: {
  identity: Identity;
  clock: Clock;
  records: RecordStore;
  takeovers: Takeovers;
  watch: Pick<Watch, 'facts' | 'mayJudge'>;
  own: OwnServices;
  /** What the owner says in a zone that is answered here. */
  content(ownerId: string, origin: string): Zone | undefined;
  /** The network that this box sits in; '' where that is not known. */
  network(): string;
  allowPrivate(): boolean;
  maySign(): boolean;
  failed: (error: unknown) => void;
}): TakeoverWatch {
  const { identity, clock, records, takeovers } = options;
  const self = identity.box.peer;
  const stopping = new AbortController();
  let state = startTakeovers();
  const underWay = new Set<string>();
  let signing: Promise<unknown> = Promise.resolve();

  const watched = (): WatchedService[] =>
    watchedServices(takeovers.services(), {
      self,
      ownerId: identity.ownerId,
      facts: options.watch.facts(),
      votes: swapVotes(records.knowledge()),
      hasZone: (ownerId, zone) => options.content(ownerId, zone) !== undefined,
      nowMs: clock.nowMs(),
    });
  const isQuorum: TakeoverSituation['isQuorum'] = (key, number, votes) =>
    isQuorumFor(records.knowledge(), key, number, votes);

  const act = async (effect: TakeoverEffect): Promise<void> => {
    const service = takeovers.services().find(({ key }) => key === effect.key);
    if (service === undefined) return;
    const { about, entry } = service;
    switch (effect.kind) {
      case 'probe':
        await tryService(service, effect.where);
        break;
      case 'vote': {
        const known = records.knowledge().records.get(`swap/${self}/${effect.key}`);
        const sequence = (known?.kind === 'swap' ? known.signed.record.sequence : 0) + 1;
        const { number, stands } = effect;
        const atMs = Math.round(clock.nowMs());
        const network = options.network().slice(0, 64);
        const vote = { sequence, about, service: entry.name, number, stands, network, atMs };
        await records.publish('swap', encodeSwapRecord(vote));
        break;
      }
      case 'certify': {
        const votes = effect.voters.flatMap((voter) => records.envelope(`swap/${voter}/${effect.key}`) ?? []);
        const record = { by: self, about, service: entry.name, number: effect.number, votes };
        await records.publish('takeover', encodeTakeoverRecord(record));
        break;
      }
      case 'order':
        await options.own.change({ orders: new Map([[entry.name, effect.number]]) });
        break;
    }
  };

  const tryService = async (service: ServiceNow, where: 'primary' | 'standby'): Promise<void> => {
    const { key } = service;
    const what = `${where} ${key}`;
    if (underWay.has(what)) return;
    underWay.add(what);
    try {
      const content = options.content(service.ownerId, service.entry.zone);
      const target = content && (await targetOf(service, content, where));
      const result = target ? await tryAll(target) : undefined;
      if (result !== undefined && !stopping.signal.aborted) take({ kind: 'probed', key, where, result });
    } finally {
      underWay.delete(what);
    }
  };

  /** Whoever asks takes the first address that answers, so one that works is enough. */
  const tryAll = async ({ check, hosts }: ProbeTarget): Promise<ProbeResult | undefined> => {
    const { signal } = stopping;
    const results = await Promise.all(
      hosts.map(
        async (address) => await probe(check, { address, allowPrivate: options.allowPrivate(), signal }),
      ),
    );
    const first = (kind: ProbeResult['kind']) => results.find((one) => one.kind === kind);
    return first('up') ?? first('down') ?? first('unknown');
  };

  const take = (input: Parameters<typeof stepTakeover>[1]): void => {
    const [next, effects] = stepTakeover(state, input, clock.nowMs());
    state = next;
    for (const effect of effects) {
      if (effect.kind === 'probe') void act(effect).catch(options.failed);
      // One after the other: a certificate is of votes that are known.
      else signing = signing.then(async () => await act(effect)).catch(options.failed);
    }
  };

  /** A rehearsal is over by itself; that it is, its owner signs, so that friends may decide again. */
  const endDrills = (): void => {
    const over = takeovers
      .services()
      .filter(
        ({ about, entry }) =>
          about === self && (entry.drill?.untilMs ?? Number.POSITIVE_INFINITY) <= clock.nowMs(),
      );
    if (over.length === 0) return;
    const drills = new Map(over.map(({ entry }) => [entry.name, undefined]));
    options.own.change({ drills }).catch(options.failed);
  };

  return {
    tryStandby: async (key) => {
      const service = takeovers.services().find((one) => one.key === key);
      const content = service && options.content(service.ownerId, service.entry.zone);
      const target = service && content && (await targetOf(service, content, 'standby'));
      return target && (await tryAll(target));
    },
    tick: () => {
      takeovers.renew();
      if (!options.maySign()) return;
      endDrills();
      const canJudge = options.watch.mayJudge();
      take({ kind: 'tick', situation: { self, canJudge, services: watched(), isQuorum } });
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await signing;
    },
  };
}

/**
 * What is tried of a service, and where: at the owner's own address, as his zone says whoever stands in, or at the standby's.
 * Undefined where nothing can be tried.
 */
async function targetOf(
  { entry }: ServiceNow,
  content: Zone,
  where: 'primary' | 'standby',
): Promise<ProbeTarget | undefined> {
  const check = parseCheck(entry.check);
  if (check === undefined) return undefined;
  if (where === 'standby') {
    const addresses = entry.sets.flatMap(({ type, data }) =>
      data.flatMap((rdata) => addressText(type, rdata)),
    );
    if (addresses.length > 0) return { check, hosts: addresses };
    const [target] = entry.sets.flatMap(({ type, data }) => (type === RecordType.SRV ? data : []));
    if (target === undefined) return undefined;
    const port = (target[4] ?? 0) * 256 + (target[5] ?? 0);
    const name = readName(target, 6)?.name;
    if (name === undefined) return undefined;
    const host = nameToText(name).replace(/\.$/, '');
    return { check: { kind: 'tcp', host, port }, hosts: await resolved(host) };
  }
  if (isIP(check.host) !== 0) return { check, hosts: [check.host] };
  const own = addressesIn(content, check.host);
  return { check, hosts: own.length > 0 ? own : await resolved(check.host) };
}

function addressText(type: number, rdata: Uint8Array): string[] {
  if (type === RecordType.A) return [formatIpv4(rdata)];
  return type === RecordType.AAAA ? [formatIpv6(rdata)] : [];
}

async function resolved(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => address);
}
