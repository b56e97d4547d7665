import {
  facts,
  startTakeovers,
  stepTakeover,
  type TakeoverEffect,
  type TakeoverInput,
  type TakeoverSituation,
  type TakeoverState,
  type WatchedService,
} from '@copain/liveness';
import { encodeServicesRecord, encodeSwapRecord, encodeTakeoverRecord, type ServicePin } from '@copain/trust';
import type { Knowledge } from '../../../packages/agent/src/known-records.ts';
import {
  type ServiceMemory,
  type ServiceNow,
  servicesNow,
} from '../../../packages/agent/src/known-services.ts';
import { nextServices, type ServiceChange } from '../../../packages/agent/src/own-services.ts';
import { isQuorumFor, swapVotes, watchedServices } from '../../../packages/agent/src/watched-services.ts';
import { lot } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import { type Memory, quietUntilMs, type Steady, steadyTries, withTries } from './quiet-services.ts';

/** Takeovers in one box: what it answers for each service of the circle, and its watch over those of friends. */
export interface Takeovers {
  start(): void;
  stop(): void;
  /** Every second in which something may change. */
  tick(): void;
  /** Until when (in the run's time) a tick changes nothing, unless something happens. */
  sleepsUntilMs(): number;
  /** A record came that says something of services, or of who is in the circle. */
  recordsChanged(): void;
  /** A friend's state is another, or this box's own line. */
  stateChanged(): void;
  /** Who reaches a site may be another from now on. */
  reachChanged(): void;
  /** Its clock is about to be set: what was left out is worked out before. */
  settle(): void;
  /** What is answered, by service. */
  services(): ReadonlyMap<string, ServiceNow>;
  /** Its owner pins his service, or lets friends decide. */
  pin(pin: ServicePin): void;
}

const rowPrefix = 'takeover/';
const answersAfterMs = { least: 100, spread: 900 };
/** A site that does not answer is given up after ten seconds, and so before the next try of one that is tried every five. */
const silentAfterMs = { least: 9500, spread: 300 };

export function takeovers(world: World, boxOf: () => Box): Takeovers {
  const { agenda, chance, sites, full } = world;
  let state: TakeoverState = startTakeovers();
  let memories = new Map<string, ServiceMemory>();
  let known: { of: Knowledge; votes: ReturnType<typeof swapVotes> } | undefined;
  let answered: ReadonlyMap<string, ServiceNow> = new Map();
  const underWay = new Set<string>();
  const probes = new Map<string, number>();
  /** Services of which only tries go on, all with the same result: they are left out, and worked out later. */
  let steady = new Map<string, Steady>();
  let quietMs = 0;
  let couldJudge = false;
  let life = 0;

  const localMs = (): number => boxOf().clock.localMs(agenda.nowMs());
  const knowledge = (): Knowledge => boxOf().records.knowledge();
  const ownerOf = (key: string): number => world.numberOf(key.slice(0, key.indexOf('/')));
  const votes = (): ReturnType<typeof swapVotes> => {
    if (known?.of !== knowledge()) known = { of: knowledge(), votes: swapVotes(knowledge()) };
    return known.votes;
  };
  const tell = (seen: Parameters<World['observe']>[1]): void => world.observe(boxOf(), seen, agenda.nowMs());

  /** On the disk before it is answered. */
  const renew = (): void => {
    const { disk } = boxOf();
    const now = servicesNow(knowledge(), memories, localMs());
    const changed = now.filter(({ key, memory }) => memories.get(key) !== memory);
    if (changed.length > 0) {
      const isKept = disk.writeNow(changed.map(({ key, memory }) => [rowPrefix + key, memory]));
      if (!isKept) return;
      for (const { key, memory } of changed) memories.set(key, memory);
    }
    const before = answered;
    answered = new Map(now.map((one) => [one.key, one]));
    for (const { key, standing } of now) {
      const was = before.get(key)?.standing;
      if (was?.number === standing.number && was.onStandby === standing.onStandby) continue;
      tell({ kind: 'takeover-answers', service: key, ...standing });
    }
  };

  const hasZone = (ownerId: string): boolean =>
    [...boxOf().zones.serving().values()].some(({ owner }) => owner === ownerId);
  const watched = (): WatchedService[] => {
    const { person, watch } = boxOf();
    return watchedServices([...answered.values()], {
      self: person.peer,
      ownerId: person.ownerId,
      facts: facts(watch.view()),
      votes: votes(),
      hasZone,
      nowMs: localMs(),
    });
  };
  const isQuorum: TakeoverSituation['isQuorum'] = (key, number, some) =>
    isQuorumFor(knowledge(), key, number, some);

  const give = (input: TakeoverInput, atMs: number): TakeoverEffect[] => {
    const [next, effects] = stepTakeover(state, input, atMs);
    state = next;
    return effects;
  };

  /** How long the `n`-th try from now takes. */
  const tookMs = (key: string, where: 'primary' | 'standby', up: boolean, n: number): number => {
    const { least, spread } = up ? answersAfterMs : silentAfterMs;
    const place = 2 * ownerOf(key) + (where === 'primary' ? 0 : 1);
    const count = (probes.get(`${where} ${key}`) ?? 0) + n;
    return least + spread * chance(lot.probe, boxOf().number, place, count);
  };
  const count = (key: string, where: 'primary' | 'standby', tries: number): void => {
    const what = `${where} ${key}`;
    probes.set(what, (probes.get(what) ?? 0) + tries);
  };
  const probe = (key: string, where: 'primary' | 'standby'): void => {
    // One at a time, as the agent does.
    if (underWay.has(`${where} ${key}`)) return;
    const up = sites.answers(boxOf().number, ownerOf(key), where);
    const atMs = agenda.nowMs() + tookMs(key, where, up, 1);
    count(key, where, 1);
    arrives(key, where, up, atMs);
  };
  const arrives = (key: string, where: 'primary' | 'standby', up: boolean, atMs: number): void => {
    const what = `${where} ${key}`;
    const during = life;
    underWay.add(what);
    agenda.at(atMs, () => {
      if (during !== life) return;
      underWay.delete(what);
      const result = up ? { kind: 'up' as const, tookMs: 1 } : { kind: 'down' as const, why: 'no answer' };
      give({ kind: 'probed', key, where, result }, localMs());
      awake();
    });
  };

  /** Tries that were left out until that instant, by the box's clock. */
  const catchUp = (untilMs: number): void => {
    if (steady.size === 0) return;
    const next = new Map(state.memories);
    const nowMs = localMs();
    for (const [key, { everyMs, where: tried }] of steady) {
      for (const where of tried) {
        const memory = next.get(key);
        if (memory === undefined) continue;
        const up = memory[where].ok === true;
        const row = withTries(memory[where], {
          everyMs,
          untilMs,
          nowMs,
          tookMs: (n) => tookMs(key, where, up, n),
          count: (tries) => count(key, where, tries),
          late: (isUp, atMs) => arrives(key, where, isUp, agenda.nowMs() + atMs - nowMs),
        });
        next.set(key, { ...memory, [where]: row });
      }
    }
    state = { memories: next };
    steady = new Map();
  };
  /** The next tick is to look at everything. */
  const awake = (): void => {
    if (quietMs === 0) return;
    quietMs = 0;
    boxOf().watch.wake();
  };

  const act = (effect: TakeoverEffect): void => {
    const { records, person } = boxOf();
    const { key } = effect;
    const entry = answered.get(key)?.entry;
    if (effect.kind === 'probe') {
      probe(key, effect.where);
      return;
    }
    if (entry === undefined) return;
    const about = key.slice(0, key.indexOf('/'));
    switch (effect.kind) {
      case 'vote': {
        const { number, stands } = effect;
        tell({ kind: 'takeover-vote', service: key, number, stands });
        records.publish('swap', () => {
          const last = knowledge().records.get(`swap/${person.peer}/${key}`);
          const sequence = (last?.kind === 'swap' ? last.signed.record.sequence : 0) + 1;
          const atMs = Math.round(localMs());
          return encodeSwapRecord({
            sequence,
            about,
            service: entry.name,
            number,
            stands,
            network: '',
            atMs,
          });
        });
        break;
      }
      case 'certify': {
        const { number, voters } = effect;
        records.publish('takeover', () => {
          const some = voters.flatMap(
            (voter) => records.log().facts.get(`swap/${voter}/${key}`)?.envelope ?? [],
          );
          tell({ kind: 'takeover-certified', service: key, number, voters });
          return encodeTakeoverRecord({ by: person.peer, about, service: entry.name, number, votes: some });
        });
        break;
      }
      case 'order':
        say({ orders: new Map([[entry.name, effect.number]]) }, undefined);
        break;
    }
  };

  /** What the owner says of his services, anew. */
  const say = (change: Omit<ServiceChange, 'inForce'>, pin: ServicePin | undefined): void => {
    const { records, person } = boxOf();
    records.publish('services', () => {
      const record = knowledge().records.get(`services/${person.peer}`);
      if (record?.kind !== 'services') return undefined;
      const last = record.signed.record;
      const mine = [...answered.values()].filter(({ about }) => about === person.peer);
      const inForce = new Map(mine.map(({ entry, standing }) => [entry.name, standing.number]));
      const wanted = last.services.map((one) => ({ ...one, pin: pin ?? one.pin }));
      const next = nextServices(last, wanted, { ...change, inForce });
      return encodeServicesRecord({ ...next, sequence: last.sequence + 1 });
    });
  };

  return {
    start: () => {
      life += 1;
      state = startTakeovers();
      underWay.clear();
      steady = new Map();
      quietMs = 0;
      answered = new Map();
      memories = new Map();
      for (const [key, row] of boxOf().disk.rows)
        if (key.startsWith(rowPrefix)) memories.set(key.slice(rowPrefix.length), row as ServiceMemory);
      renew();
    },
    stop: () => {
      catchUp(localMs());
      life += 1;
    },
    tick: () => {
      const { person, watch } = boxOf();
      const canJudge = !watch.view().frozen;
      if (canJudge === couldJudge && agenda.nowMs() < quietMs) return;
      couldJudge = canJudge;
      quietMs = 0;
      // Whatever is due at this very tick is left to it.
      catchUp(localMs() - 1);
      renew();
      const services = watched();
      const situation = { self: person.peer, canJudge, services, isQuorum };
      const effects = give({ kind: 'tick', situation }, localMs());
      for (const effect of effects) act(effect);
      if (full || effects.some(({ kind }) => kind !== 'probe')) return;
      let untilLocalMs = Number.POSITIVE_INFINITY;
      const goOn = new Map<string, Steady>();
      for (const service of services) {
        const { key } = service;
        const memory = state.memories.get(key) as Memory;
        const place = { service, memory, self: person.peer, canJudge, isQuorum, nowMs: localMs() };
        const same = steadyTries({
          ...place,
          will: (where) => sites.answers(boxOf().number, ownerOf(key), where),
          isTried: (where) => underWay.has(`${where} ${key}`),
        });
        if (same !== undefined) goOn.set(key, same);
        const swapsAtMs = answered.get(key)?.swapsAtMs ?? [];
        const until = quietUntilMs({ ...place, swapsAtMs, isSteady: same !== undefined });
        untilLocalMs = Math.min(untilLocalMs, until);
      }
      for (const { standing, certified, entry } of answered.values())
        if (standing.onStandby && certified !== undefined)
          untilLocalMs = Math.min(untilLocalMs, certified.atMs + entry.maxMs);
      if (untilLocalMs <= localMs()) return;
      quietMs = untilLocalMs - boxOf().clock.localMs(0);
      steady = goOn;
    },
    sleepsUntilMs: () => quietMs,
    recordsChanged: () => {
      if (!boxOf().on) return;
      awake();
      renew();
    },
    stateChanged: awake,
    reachChanged: () => {
      if (boxOf().on) awake();
    },
    settle: () => {
      if (!boxOf().on) return;
      catchUp(localMs());
      awake();
    },
    services: () => answered,
    pin: (pin) => say({}, pin),
  };
}
