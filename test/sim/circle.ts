import { createHash } from 'node:crypto';
import { toHex } from '@copain/core';
import type { LivenessEffect } from '@copain/liveness';
import { encodeAddressRecord, type RecordKind } from '@copain/trust';
import { routeRecord } from '../../packages/agent/src/wiring.ts';
import type { Box } from './box/box.ts';
import { mail } from './box/mail.ts';
import { type Records, records } from './box/records.ts';
import { type Streams, streams } from './box/streams.ts';
import { takeovers } from './box/takeovers.ts';
import { votes } from './box/votes.ts';
import { watch } from './box/watch.ts';
import { zones } from './box/zones.ts';
import { agenda } from './world/agenda.ts';
import { chance, lot } from './world/chance.ts';
import { boxClock } from './world/clock.ts';
import { disk } from './world/disk.ts';
import { open } from './world/envelopes.ts';
import { net } from './world/net.ts';
import { foundingRecords, people, serviceRecords } from './world/people.ts';
import { sites } from './world/sites.ts';
import type { Observation, Observer, World } from './world/world.ts';

export interface CircleOptions {
  boxes: number;
  seed: number;
  /** Persons of the first so many boxes have a zone and a mail domain; default: three. */
  owners?: number;
  /** The first so many of them have a web site, and a friend who stands in for it; default: two. */
  sites?: number;
  /** Of those boxes the last so many join in the course of the run. */
  joinLater?: number;
  /** Fraction of packets that are lost and sent again. */
  loss?: number;
  full?: boolean;
}

/** A whole circle in simulated time. What is done to it comes from scenarios, what is to hold from checkers. */
export interface Circle extends World {
  streams: Streams;
  start(box: Box): void;
  /** `bye`: the agent ends; `silent`: as a power cut, which costs what is not on the disk. */
  stop(box: Box, how: 'bye' | 'silent'): void;
  jumpClock(box: Box, byMs: number): void;
  setQueue(box: Box, queueMs: number): void;
  /** Its provider gives the box another address, when its line comes back. */
  moveAddress(box: Box): void;
  /** Does this box belong to the circle, by what was done in it? */
  isIn(box: Box): boolean;
  /** Enough members have removed it. */
  remove(box: Box): void;
  isRemoved(box: Box): boolean;
  join(box: Box, envelopes: readonly Uint8Array[]): void;
  watch(observer: Observer): void;
  /** One line over everything that every box decided, to compare runs. */
  digest(): string;
}

export function circle(options: CircleOptions): Circle {
  const { boxes: size, seed, loss = 0.01, full = false } = options;
  const lots = chance(seed);
  const plan = agenda();
  const roads = net({ boxes: size, loss, agenda: plan, chance: lots });
  const all = people({
    boxes: size,
    owners: Math.min(options.owners ?? 3, size),
    sites: Math.min(options.sites ?? 2, size),
    seed,
  });
  const web = sites({ people: all, net: roads });
  const founderId = all[0]?.ownerId ?? '';
  const numbers = new Map(all.map(({ peer, number }) => [peer, number]));
  const observers: Observer[] = [];
  const hash = createHash('sha256');
  const friends = new Map<Box, readonly string[]>();
  const joined = new Set(all.slice(0, size - (options.joinLater ?? 0)).map(({ number }) => number));
  const removed = new Set<number>();
  const voices = votes(plan);
  /** Of the record that is just being taken in: who brought it, and whom it had reached. */
  let bringing: { from: string; reached: Uint8Array } | undefined;

  const observe = (box: Box, seen: Observation, nowMs: number): void => {
    if (seen.kind !== 'record' && seen.kind !== 'refused')
      hash.update(`${nowMs.toFixed(3)} ${box.number} ${textOf(seen)}\n`);
    for (const observer of observers) observer(box, seen, nowMs);
    const movesServices = seen.kind === 'friend' || seen.kind === 'zone-serve' || seen.kind === 'zone-drop';
    if (movesServices && box.on) box.takeovers.stateChanged();
  };

  const world: World = {
    agenda: plan,
    net: roads,
    chance: lots,
    sites: web,
    size,
    full,
    people: all,
    boxes: [],
    box: (number) => {
      const found = world.boxes[number];
      if (found === undefined) throw new Error(`there is no box ${number}`);
      return found;
    },
    numberOf: (peer) => numbers.get(peer) ?? -1,
    friendsOf: (box) => friends.get(box) ?? [],
    areFriends: (a, b) =>
      (friends.get(a)?.includes(b.person.peer) ?? false) &&
      (friends.get(b)?.includes(a.person.peer) ?? false),
    connected: (box) => mesh.connected(box),
    talk: (a, b) => mesh.talk(a, b),
    received: (box, from, { envelope, reached }) => {
      const before = box.records.log().digest;
      const size = [box.records.log().facts.size, box.records.knowledge().records.size] as const;
      bringing = { from: from.person.peer, reached };
      const outcome = box.records.offer(envelope);
      bringing = undefined;
      if (outcome.kind !== 'refused') return;
      observe(
        box,
        {
          kind: 'refused',
          why: outcome.why,
          from: from.person.peer,
          before,
          after: box.records.log().digest,
          size,
        },
        plan.nowMs(),
      );
    },
    peersChanged: (box) => {
      if (!box.on) return;
      box.watch.wake();
      box.zones.peersChanged();
      box.mail.peersChanged();
    },
    observe,
  };

  /** Whom this box takes for its friends, from what it knows. */
  const refreshFriends = (box: Box): void => {
    const { roster } = box.records.knowledge();
    const isIn = roster.ownerOf.has(box.person.peer);
    const now = isIn ? [...roster.ownerOf.keys()].filter((peer) => peer !== box.person.peer).toSorted() : [];
    if (friends.get(box)?.join() === now.join()) return;
    friends.set(box, now);
    if (!box.on) return;
    box.watch.take(rosterOf(box));
    mesh.hearsOthers(box);
    mesh.membersChanged();
  };
  const rosterOf = (box: Box) => ({
    kind: 'roster' as const,
    self: box.person.peer,
    selfNetwork: '',
    friends: (friends.get(box) ?? []).map((peer) => ({ peer, network: '' })),
  });

  const act = (box: Box, effect: LivenessEffect): void => {
    const nowMs = plan.nowMs();
    switch (effect.kind) {
      case 'vote': {
        const { about, silent, heardAtMs } = effect;
        observe(box, { kind: 'own-vote', about, silent }, nowMs);
        voices.say(box, { about, silent, heardAtMs: Math.round(heardAtMs) });
        break;
      }
      case 'changed': {
        const { peer: about, from, to, confirmed, seenDownBy } = effect;
        observe(box, { kind: 'friend', about, from, to, confirmed, seenDownBy }, nowMs);
        break;
      }
      case 'line':
        observe(box, { kind: 'line', state: effect.state }, nowMs);
        break;
      case 'check-line': {
        // Every other box is told what outside the circle it may ask.
        if (box.number % 2 === 1) break;
        const { life } = box;
        plan.after(150, () => {
          if (box.on && box.life === life)
            box.watch.take({ kind: 'line-check', answered: roads.isLineUp(box.number) });
        });
        break;
      }
      case 'dial-second':
        break;
    }
  };

  const changed = (
    box: Box,
    taken: Parameters<Parameters<typeof records>[0]['changed']>[0],
    own: boolean,
  ): void => {
    const { fact, record } = taken;
    observe(box, { kind: 'record', fact, record, own }, plan.nowMs());
    if (!box.on) return;
    mesh.knowsMore(box);
    mesh.spread(box, fact, own ? new Uint8Array() : (bringing?.reached ?? new Uint8Array()), bringing?.from);
    for (const call of routeRecord(record)) {
      if (call.kind === 'plan') {
        refreshFriends(box);
        box.zones.planChanged();
        box.mail.planChanged();
        box.takeovers.recordsChanged();
      } else if (call.kind === 'takeovers') box.takeovers.recordsChanged();
      else if (call.kind === 'zone-announced') box.zones.announced(call.ownerId, call.origin);
      else if (call.kind === 'zone-holders' && record.kind === 'holds') box.zones.holds(record.signed);
      else if (call.kind === 'vote' && record.kind === 'vote') {
        const { about, heardAtMs, silent, sequence } = record.signed.record;
        box.watch.take({ kind: 'vote', from: record.signed.signer, about, heardAtMs, silent, sequence });
      }
    }
  };

  const makeBox = (number: number): Box => {
    const person = all[number];
    if (person === undefined) throw new Error(`there is no person ${number}`);
    const clock = boxClock(number, lots);
    const store = disk({ box: number, agenda: plan, chance: lots });
    const self = (): Box => world.box(number);
    const known: Records = records({
      self: person,
      circle: founderId,
      disk: store,
      changed: (taken, own) => changed(self(), taken, own),
    });
    const dnsRoom = zones(world, self);
    const takeoverRoom = takeovers(world, self);
    return {
      number,
      person,
      clock,
      disk: store,
      records: known,
      zones: dnsRoom,
      mail: mail(world, self),
      takeovers: takeoverRoom,
      watch: watch({
        agenda: plan,
        clock,
        tickPhaseMs: Math.floor(lots(lot.tickPhase, number) * 1000),
        full,
        act: (effect) => act(self(), effect),
        catchUp: () => mesh.calm.catchUp(self()),
        heardChanged: () => mesh.hearsOthers(self()),
        tick: () => {
          dnsRoom.tick();
          takeoverRoom.tick();
        },
        isCalm: (peer) => mesh.calm.isCalm(self(), peer),
        othersSleepUntilMs: () => Math.min(dnsRoom.sleepsUntilMs(), takeoverRoom.sleepsUntilMs()),
      }),
      on: false,
      life: 0,
      startedAtMs: 0,
    };
  };
  (world as { boxes: readonly Box[] }).boxes = all.map(({ number }) => makeBox(number));
  const mesh = streams(world);
  web.onChange((number) => world.box(number).takeovers.reachChanged());

  const start = (box: Box): void => {
    if (box.on) return;
    box.on = true;
    box.life += 1;
    if (!web.hasPower(box.number)) web.setPower(box.number, true);
    box.startedAtMs = plan.nowMs();
    // What is on the disk leads to what was in memory; now and then that is done again.
    box.records.started();
    if (box.life % 8 === 2 || size <= 6) box.records.load();
    friends.delete(box);
    voices.started(box);
    box.watch.start({ kind: 'roster', self: box.person.peer, selfNetwork: '', friends: [] });
    refreshFriends(box);
    for (const record of box.records.knowledge().records.values()) {
      if (record.kind !== 'vote') continue;
      const { about, heardAtMs, silent, sequence } = record.signed.record;
      box.watch.take({ kind: 'vote', from: record.signed.signer, about, heardAtMs, silent, sequence });
    }
    observe(box, { kind: 'started' }, plan.nowMs());
    box.zones.start();
    box.mail.start();
    box.takeovers.start();
    mesh.boxStarted(box);
  };

  const seedRecords = (): void => {
    const members = all.filter(({ number }) => joined.has(number));
    const envelopes = [
      ...foundingRecords(all, members.length),
      ...members.flatMap((person) => serviceRecords(person, all)),
    ];
    for (const box of world.boxes) {
      if (!joined.has(box.number)) continue;
      const rows = envelopes.map((envelope, i): [string, unknown] => {
        const kind: RecordKind = open(envelope)?.kind ?? 'vote';
        return [`fact/${kind}/${String(i).padStart(5, '0')}`, envelope];
      });
      box.disk.writeNow(rows);
      box.records.load();
      // From now on under their own keys.
      box.disk.writeNow(rows.map(([key]) => [key, undefined]));
      box.disk.writeNow(
        [...box.records.log().facts.values()].map((fact) => [`fact/${fact.key}`, fact.envelope]),
      );
    }
  };
  seedRecords();

  return {
    ...world,
    boxes: world.boxes,
    streams: mesh,
    start,
    stop: (box, how) => {
      if (!box.on) return;
      mesh.boxStopped(box, how);
      if (how === 'silent') web.setPower(box.number, false);
      observe(box, { kind: 'stopped' }, plan.nowMs());
      box.takeovers.stop();
      box.on = false;
      box.watch.stop();
      box.zones.stop();
      box.mail.stop();
      box.disk.crash();
    },
    jumpClock: (box, byMs) => {
      mesh.settle(box);
      box.takeovers.settle();
      box.clock.jump(byMs);
      if (!box.on) return;
      mesh.clockSet(box);
      box.watch.wake();
    },
    setQueue: (box, queueMs) => {
      mesh.settle(box);
      roads.setQueue(box.number, queueMs);
    },
    moveAddress: (box) => {
      if (!box.on) return;
      mesh.addressChanged(box);
      box.records.publish('address', () => {
        const known = box.records.knowledge().records.get(`address/${box.person.peer}`);
        const sequence = (known?.kind === 'address' ? known.signed.record.sequence : 0) + 1;
        return encodeAddressRecord({ sequence, addresses: [`198.51.100.${sequence % 250}:4853`] });
      });
    },
    isIn: (box) => joined.has(box.number),
    remove: (box) => {
      joined.delete(box.number);
      removed.add(box.number);
    },
    isRemoved: (box) => removed.has(box.number),
    join: (box, envelopes) => {
      joined.add(box.number);
      for (const envelope of envelopes) box.records.offer(envelope);
      start(box);
    },
    watch: (observer) => {
      observers.push(observer);
    },
    digest: () => hash.copy().digest('hex'),
  };
}

function textOf(seen: Observation): string {
  if (seen.kind === 'zone-serve')
    return `zone-serve ${seen.header.sequence} ${seen.header.serial} ${toHex(seen.contentHash)}`;
  if (seen.kind === 'zone-term') return `zone-term ${seen.header.sequence} ${seen.freshUntilMs.toFixed(0)}`;
  return JSON.stringify(seen);
}
