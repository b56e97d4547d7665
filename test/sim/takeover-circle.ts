import {
  type Certified,
  facts,
  flapsWithinMs,
  type KnownSwapVote,
  type ServiceOrder,
  type ServiceStanding,
  serviceStanding,
  startTakeovers,
  stepTakeover,
  type TakeoverEffect,
  type TakeoverState,
  type WatchedService,
} from '@copain/liveness';
import { isSwapQuorum } from '@copain/trust';
import { type Circle, type CircleOptions, circle } from './liveness-circle.ts';

/** What every box says about takeovers, numbered, so that newer replaces older. */
interface Said {
  orders: Map<string, ServiceOrder & { sequence: number }>;
  votes: Map<string, KnownSwapVote & { key: string; sequence: number }>;
  certificates: Map<string, Certified & { voters: string[] }>;
}

interface TakeoverBox {
  state: TakeoverState;
  said: Said;
  /** On its disk. */
  reached: Map<
    string,
    { number: number; sinceMs: number; certified: Certified | undefined; swapsAtMs: number[] }
  >;
  sequence: number;
}

/** A swap as a box began to answer it. */
interface Swap {
  atMs: number;
  box: string;
  service: string;
  number: number;
}

export interface TakeoverCircle extends Circle {
  swaps: Swap[];
  standing(box: string, service: string): ServiceStanding;
  /** The site of a service, and its standby, apart from the boxes of their owners. */
  site: { isUp(service: string, up: boolean): void; standbyIsUp(service: string, up: boolean): void };
  order(service: string, order: Omit<ServiceOrder, 'number'>): void;
}

export interface ServiceTimes {
  afterMs: number;
  holdMs: number;
  maxMs: number;
}

/**
 * A circle whose first boxes each have a web site at home with a standby at the next box, and the deciding code of takeovers
 * beside that of liveness, on one simulated network. Who can reach which site is the network's to say.
 */
export function takeoverCircle(
  options: CircleOptions & { services: number; times: ServiceTimes },
): TakeoverCircle {
  const run = circle(options);
  const { net, random, names, boxes, broken } = run;
  const { times } = options;
  const services = names.slice(0, options.services);
  const standbyOf = (service: string): string => names[(names.indexOf(service) + 1) % names.length] ?? '';
  const sites = new Map(services.map((name) => [name, { up: true, standbyUp: true }]));
  const swaps: Swap[] = [];
  const mine = new Map<string, TakeoverBox>();
  /** When a box last could reach a site, by the network, and for how long it could not before. */
  const reach = new Map<string, { lastMs: number; upSinceMs: number; outFromMs: number }>();
  /** A site that is back for less than a probe may take is seen by nobody. */
  const blipMs = 15_000;
  const trying = new Set<string>();
  const together = new Map<string, number>();

  /** Wall clocks that are a few seconds apart: instants in records are compared by all. */
  const apartMs = (box: string): number => 1500 * names.indexOf(box) - 3000;
  const nowAt = (box: string): number => net.nowMs() + apartMs(box);
  /** An instant of a box's liveness, whose clock has nothing to do with anybody's, by its wall clock. */
  const byWall = (box: string, atMs: number): number => atMs - (boxes.get(box)?.skewMs ?? 0) + apartMs(box);
  const ofBox = (name: string): TakeoverBox => {
    const known = mine.get(name);
    if (known !== undefined) return known;
    const fresh: TakeoverBox = {
      state: startTakeovers(),
      said: { orders: new Map(), votes: new Map(), certificates: new Map() },
      reached: new Map(),
      sequence: 0,
    };
    for (const service of services)
      fresh.said.orders.set(service, { number: 0, pin: 'obey', drill: undefined, sequence: 0 });
    mine.set(name, fresh);
    return fresh;
  };

  /** Does what is asked reach the site? A box that is off has no network; its site may have another. */
  const reaches = (from: string, to: string): boolean => net.reaches(from, to) && net.reaches(to, from);
  const answers = (from: string, service: string, where: 'primary' | 'standby'): boolean => {
    const site = sites.get(service);
    const host = where === 'primary' ? service : standbyOf(service);
    const up = where === 'primary' ? site?.up : site?.standbyUp;
    return up === true && (from === host || reaches(from, host));
  };

  const standing = (name: string, service: string): ServiceStanding => {
    const box = ofBox(name);
    const order = box.said.orders.get(service) ?? { number: 0, pin: 'obey' as const, drill: undefined };
    const reached = box.reached.get(service);
    const told = box.said.certificates.get(service);
    const certified = (told?.number ?? 0) >= (reached?.certified?.number ?? 0) ? told : reached?.certified;
    return serviceStanding(
      order,
      certified ?? reached?.certified,
      { maxMs: times.maxMs, reached: reached?.number ?? 0 },
      nowAt(name),
    );
  };

  /** What the agent does with each new record: it answers anew, and never a lower number. */
  const renew = (name: string): void => {
    for (const service of services) {
      const box = ofBox(name);
      const before = box.reached.get(service);
      const now = standing(name, service);
      if (now.number < (before?.number ?? 0)) broken.push(`${net.nowMs()}: ${name} fell back for ${service}`);
      if (before?.number === now.number) continue;
      const isSwap = now.by === 'friends' && now.onStandby;
      const told = box.said.certificates.get(service);
      box.reached.set(service, {
        number: now.number,
        sinceMs: nowAt(name),
        certified: told ?? before?.certified,
        swapsAtMs: [...(before?.swapsAtMs ?? []), ...(isSwap ? [nowAt(name)] : [])].slice(-8),
      });
      if (now.number > 0) swaps.push({ atMs: net.nowMs(), box: name, service, number: now.number });
    }
  };

  const situation = (name: string): WatchedService[] => {
    const box = boxes.get(name);
    if (box === undefined) return [];
    const known = new Map(facts(box.view).map((one) => [one.peer, one]));
    return services.map((service): WatchedService => {
      const { said, reached } = ofBox(name);
      const order = said.orders.get(service) ?? { number: 0, pin: 'obey' as const, drill: undefined };
      const memory = reached.get(service);
      const now = standing(name, service);
      const friend = known.get(service);
      const isMine = service === name;
      return {
        key: service,
        isMine,
        afterMs: times.afterMs,
        holdMs: times.holdMs,
        number: now.number,
        sinceMs: memory?.sinceMs ?? 0,
        isCertified: now.number <= Math.max(order.number, said.certificates.get(service)?.number ?? 0),
        orderNumber: order.number,
        isFixed: order.pin !== 'obey' || order.drill !== undefined,
        swapsInDay: (memory?.swapsAtMs ?? []).filter((atMs) => nowAt(name) - atMs < flapsWithinMs).length,
        box: {
          state: isMine ? 'up' : (friend?.state ?? 'unknown'),
          confirmed: isMine || friend?.confirmed === true,
          sinceMs: byWall(name, friend?.sinceAtMs ?? 0),
          silentSinceMs: friend?.silentSinceMs === undefined ? undefined : byWall(name, friend.silentSinceMs),
        },
        votes: [...said.votes.values()].filter(({ key }) => key === service),
      };
    });
  };

  const isQuorum = (about: string, number: number, votes: readonly KnownSwapVote[]): boolean =>
    isSwapQuorum(votes, { number, about, aboutOwner: about, members: names.length });

  const give = (name: string, input: Parameters<typeof stepTakeover>[1]): void => {
    const box = ofBox(name);
    const [state, effects] = stepTakeover(box.state, input, nowAt(name));
    box.state = state;
    for (const effect of effects) act(name, effect);
  };

  const act = (name: string, effect: TakeoverEffect): void => {
    const box = ofBox(name);
    const { key } = effect;
    switch (effect.kind) {
      case 'probe': {
        // One at a time, as the agent does.
        const attempt = `${name} ${effect.where} ${key}`;
        if (trying.has(attempt)) break;
        trying.add(attempt);
        const up = answers(name, key, effect.where);
        // Nobody answers for ten seconds, or somebody does after a while.
        net.after(up ? 100 + 900 * random.fraction() : 10_000, () => {
          trying.delete(attempt);
          if (boxes.get(name)?.on !== true) return;
          const result = up
            ? { kind: 'up' as const, tookMs: 1 }
            : { kind: 'down' as const, why: 'no answer' };
          give(name, { kind: 'probed', key, where: effect.where, result });
        });
        break;
      }
      case 'vote': {
        const { number, stands } = effect;
        const vote = { voter: name, owner: name, network: '', number, stands, atMs: nowAt(name) };
        box.said.votes.set(`${name} ${key}`, { ...vote, key, sequence: ++box.sequence });
        spread(name);
        break;
      }
      case 'certify': {
        checkCertificate(name, key, effect.number, effect.voters);
        box.said.certificates.set(key, { number: effect.number, atMs: nowAt(name), voters: effect.voters });
        spread(name);
        break;
      }
      case 'order': {
        const order = box.said.orders.get(key);
        if (order !== undefined)
          box.said.orders.set(key, { ...order, number: effect.number, sequence: order.sequence + 1 });
        spread(name);
        break;
      }
    }
    renew(name);
  };

  /** Tells all that this box knows to whoever it reaches. */
  const spread = (from: string): void => {
    for (const to of names) {
      if (to === from) continue;
      const { said } = ofBox(from);
      const copy: Said = {
        orders: new Map(said.orders),
        votes: new Map(said.votes),
        certificates: new Map(said.certificates),
      };
      if (!reaches(from, to)) continue;
      net.after(20 + 200 * random.fraction(), () => {
        if (boxes.get(to)?.on === true && reaches(from, to)) learn(to, copy);
      });
    }
  };

  const learn = (name: string, heard: Said): void => {
    const { said } = ofBox(name);
    let isNews = false;
    for (const [key, order] of heard.orders)
      if (order.sequence > (said.orders.get(key)?.sequence ?? -1)) {
        said.orders.set(key, order);
        isNews = true;
      }
    for (const [key, vote] of heard.votes)
      if (vote.sequence > (said.votes.get(key)?.sequence ?? 0)) {
        said.votes.set(key, vote);
        isNews = true;
      }
    for (const [key, certificate] of heard.certificates) {
      const known = said.certificates.get(key);
      const isNewer =
        certificate.number > (known?.number ?? 0) ||
        (certificate.number === known?.number && certificate.voters.join() > known.voters.join());
      if (!isNewer) continue;
      said.certificates.set(key, certificate);
      isNews = true;
    }
    if (!isNews) return;
    renew(name);
    spread(name);
  };

  /** By the network and not by what boxes believe: whoever is for a standby could not reach the site for that long. */
  const checkCertificate = (by: string, service: string, number: number, voters: readonly string[]): void => {
    if (number % 2 === 0) return;
    const when = `${Math.round(net.nowMs())}: ${by} certifies ${number} of ${service}`;
    if (2 * voters.length <= names.length - 1 || voters.length < 2)
      broken.push(`${when} with ${voters.length} votes of ${names.length - 1}`);
    for (const voter of voters) {
      const seen = reach.get(`${voter} ${service}`) ?? { lastMs: 0, upSinceMs: 0, outFromMs: 0 };
      const { lastMs, upSinceMs, outFromMs } = seen;
      // A probe takes its time, and that the site is back must reach everybody before it is too late.
      const fromMs = lastMs - upSinceMs < blipMs ? outFromMs : lastMs;
      const isOut = net.nowMs() - fromMs >= times.afterMs - 15_000;
      const wasOut = net.nowMs() - upSinceMs < 60_000 && upSinceMs - outFromMs >= times.afterMs - 15_000;
      if (!isOut && !wasOut)
        broken.push(`${when}, though ${voter} reached the site ${Math.round(net.nowMs() - lastMs)} ms ago`);
    }
  };

  const look = (): void => {
    for (const name of names) {
      for (const service of services)
        if (boxes.get(name)?.on === true && answers(name, service, 'primary')) {
          const key = `${name} ${service}`;
          const nowMs = net.nowMs();
          const { lastMs, upSinceMs, outFromMs } = reach.get(key) ?? {
            lastMs: nowMs,
            upSinceMs: 0,
            outFromMs: 0,
          };
          const wasLost = nowMs - lastMs > 10_000;
          reach.set(key, {
            lastMs: nowMs,
            upSinceMs: wasLost ? nowMs : upSinceMs,
            outFromMs: wasLost && lastMs - upSinceMs >= blipMs ? lastMs : outFromMs,
          });
        }
    }
    for (const one of names)
      for (const other of names) {
        if (one >= other) continue;
        const pair = `${one} ${other}`;
        const near = boxes.get(one)?.on === true && boxes.get(other)?.on === true && reaches(one, other);
        if (!near) together.delete(pair);
        else if (!together.has(pair)) together.set(pair, net.nowMs());
        const sinceMs = together.get(pair);
        if (sinceMs === undefined || net.nowMs() - sinceMs < 30_000) continue;
        for (const service of services) {
          const [a, b] = [standing(one, service), standing(other, service)];
          const changedMs = Math.max(
            ...[one, other].map((name) => (ofBox(name).reached.get(service)?.sinceMs ?? 0) - apartMs(name)),
          );
          if (a.number !== b.number && net.nowMs() - changedMs > 30_000)
            broken.push(
              `${Math.round(net.nowMs())}: ${one} and ${other} answer ${service} by ${a.number} and ${b.number}`,
            );
        }
      }
    net.after(5000, look);
  };

  const lives = new Map<string, number>();
  const tick = (name: string) => (): void => {
    net.after(1000, tick(name));
    const box = boxes.get(name);
    if (box?.on !== true) return;
    if (lives.get(name) !== box.life) {
      // What is in memory alone ends with the process.
      lives.set(name, box.life);
      ofBox(name).state = startTakeovers();
    }
    renew(name);
    const canJudge = !box.view.frozen && box.view.line === 'ok';
    give(name, { kind: 'tick', situation: { self: name, canJudge, services: situation(name), isQuorum } });
  };
  const exchange = (name: string) => (): void => {
    net.after(9000 + 2000 * random.fraction(), exchange(name));
    if (boxes.get(name)?.on === true) spread(name);
  };
  for (const name of names) {
    net.after(1000 * random.fraction(), tick(name));
    net.after(5000 * random.fraction(), exchange(name));
  }
  net.after(5000, look);

  return {
    ...run,
    swaps,
    standing,
    site: {
      isUp: (service, up) => {
        const site = sites.get(service);
        if (site) site.up = up;
      },
      standbyIsUp: (service, up) => {
        const site = sites.get(service);
        if (site) site.standbyUp = up;
      },
    },
    order: (service, order) => {
      const box = ofBox(service);
      const last = box.said.orders.get(service);
      const { number } = standing(service, service);
      const home = order.pin === 'down' ? (last?.number ?? 0) : number + (number % 2);
      box.said.orders.set(service, { ...order, number: home, sequence: (last?.sequence ?? 0) + 1 });
      renew(service);
      spread(service);
    },
  };
}
