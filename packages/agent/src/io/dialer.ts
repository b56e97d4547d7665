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
  dialableAddresses,
  dialTimeoutMs,
  directKnockEveryMs,
  doubtAgainMs,
  isDeadConnection,
  type RedialInput,
  type RedialState,
  relayedDialMs,
  stepRedial,
  waitingForDial,
} from '@copain/mesh';
import type { Host } from '@copain/mesh/io';
import { anyAnswers, knockingAt } from './knocking.ts';

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
  /** Something was sent to him: where nothing comes back, and a fresh connection would stand, it is dialled. */
  told(peer: string): void;
  /** This box has other addresses than before, so what was connected from the old ones leads nowhere. */
  moved(): void;
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
  lastHeardAtMs(peer: string): number | undefined;
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
  /** Connected friends of whom it is not known whether what was sent last arrived: when it was, and when he was dialled for it. */
  const doubts = new Map<string, { sentAtMs: number; dialledAtMs: number | undefined }>();

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
      const mine: Dialling = { addresses, giveUp, again: false };
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
        });
    }
  };

  /** Dials now, in place of a dial that hangs. */
  const dialAgain = (peer: string): void => {
    const hanging = dialling.get(peer);
    if (hanging === undefined) step({ kind: 'dial-again', peer });
    else {
      hanging.again = true;
      hanging.giveUp.abort(new Error('the way is open again'));
    }
  };

  /** The first answer after an outage starts a fresh dial; any answer does beside a connection that is dead. */
  const answered = (peer: string, reopened: boolean): void => {
    const doubt = doubts.get(peer);
    const nowMs = clock.nowMs();
    const waits = dialling.has(peer) || waitingForDial(state, nowMs).some((one) => one.peer === peer);
    if (waits) {
      if (reopened) dialAgain(peer);
      return;
    }
    if (doubt === undefined || nowMs < (doubt.dialledAtMs ?? 0) + doubtAgainMs) return;
    if (!isDeadConnection({ ...doubt, heardAtMs: options.lastHeardAtMs(peer) }, nowMs)) return;
    doubts.set(peer, { ...doubt, dialledAtMs: nowMs });
    dialAgain(peer);
  };
  const knocking = knockingAt({ ...options, answered });
  const knock = (): void =>
    knocking.at([
      ...[...dialling].map(([peer, { addresses }]) => ({ peer, addresses })),
      ...waitingForDial(state, clock.nowMs()),
      ...[...doubts.keys()].map((peer) => ({ peer, addresses: addressesOf(peer) })),
    ]);

  /** A port that a relayed friend's router forwards since a minute ago is noticed by its answer. */
  const knockDirect = async (peer: string): Promise<void> => {
    const before = directKnocks.get(peer);
    const atMs = clock.nowMs();
    directKnocks.set(peer, { atMs, answered: before?.answered ?? true });
    const answered = await anyAnswers(addressesOf(peer), options.allowPrivate());
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
      doubts.delete(peer);
      knock();
      knocking.now();
      const address = reachedAt === undefined ? undefined : formatHostPort(reachedAt);
      if (address === undefined || lastGood.get(peer) === address) return;
      lastGood.set(peer, address);
      // Losing this hint costs one slower dial, so a failed write is not worth more than that.
      table.write([{ key: goodPrefix + peer, value: toUtf8(address) }]).catch(() => undefined);
    },
    disconnected: (peer) => {
      doubts.delete(peer);
      step({ kind: 'disconnected', peer });
    },
    incompatible: (peer) => step({ kind: 'incompatible', peer }),
    second: (peer) => step({ kind: 'dial-second', peer }),
    relayBack: (peers, fresh) => step({ kind: 'relay-back', peers, fresh }),
    told: (peer) => {
      if (doubts.has(peer)) return;
      const doubt = { sentAtMs: clock.nowMs(), dialledAtMs: undefined };
      doubts.set(peer, doubt);
      // On a dead connection it is never answered; then whatever ends the doubt is told by the connections.
      const settled = (): void => {
        if (doubts.get(peer)?.sentAtMs === doubt.sentAtMs) doubts.delete(peer);
      };
      void options.host().roundTripMs(peer, options.stopping).then(settled, settled);
    },
    moved: () => {
      for (const { peer } of listed) dialAgain(peer);
    },
    tick: (relayed) => {
      step({ kind: 'tick', relayed });
      for (const peer of directKnocks.keys()) if (!relayed.has(peer)) directKnocks.delete(peer);
      for (const peer of relayed) {
        const lastAtMs = directKnocks.get(peer)?.atMs ?? Number.NEGATIVE_INFINITY;
        if (clock.nowMs() - lastAtMs >= directKnockEveryMs) void knockDirect(peer);
      }
      knock();
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
