import { connect } from 'node:net';
import {
  type Clock,
  formatHostPort,
  fromUtf8,
  type HostPort,
  type Random,
  type Table,
  toUtf8,
} from '@copain/core';
import {
  afterKnock,
  dialableAddresses,
  dialTimeoutMs,
  directKnockEveryMs,
  type KnockState,
  knockIsDue,
  knockTimeoutMs,
  type RedialInput,
  type RedialState,
  relayedDialMs,
  startKnocking,
  stepRedial,
  waitingForDial,
} from '@copain/mesh';
import { type Host, resolveAddresses } from '@copain/mesh/io';

/** Keeps a connection to every friend's box: the addresses known for it, and the redial that never gives up. */
export interface Dialer {
  /** Who is to be dialled, and what each announced; call it whenever either changed. */
  friends(boxes: readonly { peer: string; announced: readonly string[] }[]): void;
  connected(peer: string, reachedAt: HostPort | undefined): void;
  disconnected(peer: string): void;
  /** He speaks no version of ours: he is left alone for a while. */
  incompatible(peer: string): void;
  /** Dial beside the connection that seems to be there. */
  second(peer: string): void;
  /** `relayed`: friends to whom only relayed connections lead. */
  tick(relayed: ReadonlySet<string>): void;
  /**
   * Friends from whom nothing is heard may be reached through one who has a new connection with us, or (not `fresh`) takes
   * calls for us on one.
   */
  relayBack(peers: readonly string[], fresh: boolean): void;
  addressesOf(peer: string): string[];
  /** A dial to an address of his led to him, now or in former times. */
  wasDialled(peer: string): boolean;
  /** Where an invite said that members can be dialled; kept until they announce addresses of their own. */
  remember(contacts: readonly { peer: string; address: string }[]): Promise<void>;
}

/** A dial that is under way. */
interface Dialling {
  addresses: readonly string[];
  giveUp: AbortController;
  knocks: KnockState;
  /** It was given up for a fresh one. */
  again: boolean;
}

const goodPrefix = 'dialled/';
const contactPrefix = 'contact/';

export async function startDialer(options: {
  table: Table;
  clock: Clock;
  random: Random;
  host(): Host;
  allowPrivate(): boolean;
  /** Friends' boxes through which this one may be dialled now. */
  relaysTowards(peer: string): readonly string[];
  stopping: AbortSignal;
  events: { dialFailed(peer: string, addresses: readonly string[], error: unknown): void };
}): Promise<Dialer> {
  const { table, clock, random, events } = options;
  let state: RedialState = new Map();
  let listed: readonly { peer: string; announced: readonly string[] }[] = [];
  const lastGood = new Map<string, string>();
  const contacts = new Map<string, string>();
  for (const [prefix, known] of [
    [goodPrefix, lastGood],
    [contactPrefix, contacts],
  ] as const) {
    for await (const [key, value] of table.entries(prefix))
      known.set(key.slice(prefix.length), fromUtf8(value) ?? '');
  }

  const dialling = new Map<string, Dialling>();
  /** Of those to whom only relayed connections lead: when they were knocked at last, and whether anything answered. */
  const directKnocks = new Map<string, { atMs: number; answered: boolean }>();
  /** Of those who wait for the next dial. */
  const knocksBetween = new Map<string, KnockState>();

  const addressesOf = (peer: string): string[] => {
    const contact = contacts.get(peer);
    const sources = {
      lastGood: lastGood.get(peer),
      announced: listed.find((box) => box.peer === peer)?.announced ?? [],
      invited: contact === undefined ? [] : [contact],
    };
    return dialableAddresses(sources, options.allowPrivate());
  };

  /** Beside whatever hangs: a relay is a way that is there, or is not. */
  const dialRelayed = (peer: string): void => {
    const signal = AbortSignal.any([options.stopping, AbortSignal.timeout(relayedDialMs)]);
    options
      .host()
      .dial(peer, [], { signal, fresh: true, via: () => options.relaysTowards(peer) })
      .then(() => step({ kind: 'connected', peer }))
      .catch((error: unknown) => {
        if (options.stopping.aborted) return;
        events.dialFailed(peer, [], error);
        step({ kind: 'dial-failed', peer, way: 'relayed' });
      });
  };

  const step = (input: RedialInput): void => {
    const [next, effects] = stepRedial(state, input, random.fraction(), clock.nowMs());
    state = next;
    for (const effect of effects) {
      if (effect.way === 'relayed') {
        dialRelayed(effect.peer);
        continue;
      }
      const { peer, addresses, second, way } = effect;
      const giveUp = new AbortController();
      // What was not answered before this dial began counts too: an outage does not begin anew with each dial.
      const knocks = {
        ...startKnocking(clock.nowMs()),
        unanswered: knocksBetween.get(peer)?.unanswered ?? 0,
      };
      const mine: Dialling = { addresses, giveUp, knocks, again: false };
      dialling.set(peer, mine);
      const signal = AbortSignal.any([options.stopping, giveUp.signal, AbortSignal.timeout(dialTimeoutMs)]);
      options
        .host()
        .dial(peer, addresses, {
          signal,
          fresh: second,
          ...(way === 'direct' ? {} : { via: () => options.relaysTowards(peer) }),
        })
        // Also where a connection stood already, of which no event tells any more.
        .then(() => step({ kind: 'connected', peer }))
        .catch((error: unknown) => {
          if (options.stopping.aborted) return;
          if (!mine.again) events.dialFailed(peer, addresses, error);
          step(mine.again ? { kind: 'dial-again', peer } : { kind: 'dial-failed', peer, way });
        })
        .finally(() => {
          if (dialling.get(peer) === mine) dialling.delete(peer);
          // Until the next dial he is knocked at on the same count.
          knocksBetween.set(peer, mine.knocks);
        });
    }
  };

  /** Knocks on every address; resolves when one answered, or none did. */
  const anyAnswers = async (addresses: readonly string[]): Promise<boolean> => {
    const answers = addresses.map(async (address) => {
      if (!(await answersTcp(address, options.allowPrivate()))) throw new Error('no answer');
    });
    return await Promise.any(answers).then(
      () => true,
      () => false,
    );
  };

  /** The first answer after an outage starts a fresh dial in place of the one that hangs. */
  const knock = async (mine: Dialling): Promise<void> => {
    mine.knocks = { ...mine.knocks, lastAtMs: clock.nowMs() };
    const after = afterKnock(mine.knocks, await anyAnswers(mine.addresses));
    mine.knocks = after.state;
    if (!after.redial) return;
    mine.again = true;
    mine.giveUp.abort(new Error('the way is open again'));
  };

  /** The same between two dials, which are up to half a minute apart. */
  const knockBetween = async (peer: string, addresses: readonly string[]): Promise<void> => {
    const before = { ...(knocksBetween.get(peer) ?? startKnocking(clock.nowMs())), lastAtMs: clock.nowMs() };
    knocksBetween.set(peer, before);
    const after = afterKnock(before, await anyAnswers(addresses));
    if (knocksBetween.get(peer) !== before) return;
    knocksBetween.set(peer, after.state);
    const waits = waitingForDial(state, clock.nowMs()).some((one) => one.peer === peer);
    if (after.redial && waits && !options.stopping.aborted) step({ kind: 'dial-again', peer });
  };

  /** A port that a relayed friend's router forwards since a minute ago is noticed by its answer. */
  const knockDirect = async (peer: string): Promise<void> => {
    const before = directKnocks.get(peer);
    const atMs = clock.nowMs();
    directKnocks.set(peer, { atMs, answered: before?.answered ?? true });
    const answered = await anyAnswers(addressesOf(peer));
    directKnocks.set(peer, { atMs, answered });
    if (answered && before?.answered === false && !options.stopping.aborted)
      step({ kind: 'direct-way', peer });
  };

  const refresh = (): void => {
    step({ kind: 'friends', boxes: listed.map(({ peer }) => ({ peer, addresses: addressesOf(peer) })) });
  };

  return {
    friends: (boxes) => {
      listed = boxes;
      refresh();
    },
    connected: (peer, reachedAt) => {
      step({ kind: 'connected', peer });
      const address = reachedAt === undefined ? undefined : formatHostPort(reachedAt);
      if (address === undefined || lastGood.get(peer) === address) return;
      lastGood.set(peer, address);
      // Losing this hint costs one slower dial, so a failed write is not worth more than that.
      table.write([{ key: goodPrefix + peer, value: toUtf8(address) }]).catch(() => undefined);
    },
    disconnected: (peer) => step({ kind: 'disconnected', peer }),
    incompatible: (peer) => step({ kind: 'incompatible', peer }),
    second: (peer) => step({ kind: 'dial-second', peer }),
    relayBack: (peers, fresh) => step({ kind: 'relay-back', peers, fresh }),
    tick: (relayed) => {
      step({ kind: 'tick', relayed });
      for (const peer of directKnocks.keys()) if (!relayed.has(peer)) directKnocks.delete(peer);
      for (const peer of relayed) {
        const lastAtMs = directKnocks.get(peer)?.atMs ?? Number.NEGATIVE_INFINITY;
        if (clock.nowMs() - lastAtMs >= directKnockEveryMs) void knockDirect(peer);
      }
      for (const mine of dialling.values()) if (knockIsDue(mine.knocks, clock.nowMs())) void knock(mine);
      const waiting = waitingForDial(state, clock.nowMs());
      for (const peer of knocksBetween.keys())
        if (!waiting.some((one) => one.peer === peer)) knocksBetween.delete(peer);
      for (const { peer, addresses } of waiting) {
        const knocks = knocksBetween.get(peer) ?? startKnocking(clock.nowMs());
        knocksBetween.set(peer, knocks);
        if (knockIsDue(knocks, clock.nowMs())) void knockBetween(peer, addresses);
      }
    },
    addressesOf,
    wasDialled: (peer) => lastGood.has(peer),
    remember: async (found) => {
      for (const { peer, address } of found) contacts.set(peer, address);
      await table.write(
        found.map(({ peer, address }) => ({ key: contactPrefix + peer, value: toUtf8(address) })),
      );
      refresh();
    },
  };
}

/** Does a TCP connection to this address stand within the time of a knock? It is closed at once. */
async function answersTcp(address: string, allowPrivate: boolean): Promise<boolean> {
  const [target] = await resolveAddresses([address], allowPrivate);
  if (target === undefined) return false;
  const socket = connect({ host: target.host, port: target.port, timeout: knockTimeoutMs });
  return await new Promise<boolean>((resolve) => {
    const answer = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}
