import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type FrameStream, formatHostPort, type HostPort } from '@copain/core';
import {
  canReach,
  type DialbackLedger,
  decodeDialbackFrame,
  dialbackAnswerMs,
  dialbackDialMs,
  encodeDialbackFrame,
  isSettled,
  judgeDialback,
  type PortAnswer,
  type Reachability,
  type ReachabilityInput,
  stepReachability,
  unknownReachability,
} from '@copain/mesh';
import type { Host } from '@copain/mesh/io';

/** Asks friends whether this box can be dialled from outside, and dials back for friends who ask. */
export interface Dialback {
  /** Serves the dial-back protocol to a friend. */
  serve(stream: FrameStream, from: { peer: string; connectionId: string }): Promise<void>;
  /** Every second: asks when it is time. */
  tick(): void;
  addressChanged(): void;
  /** Asks anew, and resolves when everybody who was asked has said something, or after `withinMs`. */
  askNow(withinMs: number): Promise<void>;
  /** Can the mesh be dialled? Undefined where nobody could say. */
  reachable(): boolean | undefined;
  port(port: number): { answer: boolean | undefined; by: string[] };
  /** The ports of the mesh that friends are asked about. */
  meshPorts(): number[];
}

export function startDialback(options: {
  host: () => Host;
  clock: Clock;
  allowPrivate(): boolean;
  friends(): readonly string[];
  /** What this friend's box says in its signed address record. */
  announcedBy(peer: string): readonly string[];
  /** The port outside that leads to this one of ours. */
  outside(port: number): number;
  stopping: AbortSignal;
  changed(reachable: boolean | undefined): void;
  noHelp(peer: string, error: unknown): void;
}): Dialback {
  const { host, clock } = options;
  let ledger: DialbackLedger = new Map();
  let state: Reachability = unknownReachability;
  const waiting = new Set<() => void>();

  // Where several are listened on, the first; whoever listens on several ports knows why.
  const meshPorts = (): number[] =>
    [...new Set(host().addresses.map(({ port }) => options.outside(port)))].slice(0, 1);
  const reachable = (): boolean | undefined => {
    const [port] = meshPorts();
    return port === undefined ? undefined : canReach(state, port).answer;
  };
  const isDirect = (peer: string): boolean =>
    host()
      .connections(peer)
      .some((one) => one.via === undefined);

  const take = (input: ReachabilityInput): void => {
    const before = reachable();
    const [next, ask] = stepReachability(state, input, clock.nowMs());
    state = next;
    if (reachable() !== before) options.changed(reachable());
    if (isSettled(state)) {
      for (const wake of waiting) wake();
      waiting.clear();
    }
    for (const peer of ask) {
      // The way that just opened may also be what replaces the connection that the question went over.
      const again = async (): Promise<void> => {
        await sleep(retryAfterMs, undefined, { signal: options.stopping, ref: false });
        await askFriend(peer);
      };
      const asking = askFriend(peer).catch(again);
      asking.catch((error: unknown) => {
        if (options.stopping.aborted) return;
        options.noHelp(peer, error);
        take({ kind: 'no-help', peer });
      });
    }
  };

  const askFriend = async (peer: string): Promise<void> => {
    const signal = AbortSignal.any([options.stopping, AbortSignal.timeout(dialbackAnswerMs)]);
    const direct = host()
      .connections(peer)
      .find((one) => one.via === undefined);
    if (direct === undefined) throw new Error('not connected directly');
    const stream = await host().open(peer, 'dialback', { signal, connectionId: direct.id });
    const giveUp = (): void => stream.abort(new Error('no answer in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const ports = [...meshPorts(), 25, 53];
      await stream.send(encodeDialbackFrame({ t: 'ask', ports: [...new Set(ports)] }));
      const bytes = await stream.receive();
      const answer = bytes === undefined ? undefined : decodeDialbackFrame(bytes);
      await stream.end();
      if (answer?.t === 'later') throw new Error(answer.why);
      if (answer?.t !== 'result') throw new Error('no answer of the dial-back protocol');
      const report = { atMs: clock.nowMs(), host: answer.host, ports: answer.ports };
      take({ kind: 'report', peer, report });
    } catch (error) {
      stream.abort(new Error('gave up'));
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };

  return {
    serve: async (stream, { peer, connectionId }) => {
      const timer = setTimeout(() => stream.abort(new Error('no question in time')), dialbackAnswerMs);
      try {
        const bytes = await stream.receive();
        const asked = bytes === undefined ? undefined : decodeDialbackFrame(bytes);
        if (asked?.t !== 'ask') throw new Error('a dial-back begins with a question');
        const connection = host()
          .connections(peer)
          .find((one) => one.id === connectionId);
        const judged = judgeDialback(
          ledger,
          {
            peer,
            observed: connection?.remote?.host,
            ports: asked.ports,
            announced: options.announcedBy(peer),
          },
          options.allowPrivate(),
          clock.nowMs(),
        );
        ledger = judged.ledger;
        if ('later' in judged) {
          await stream.send(encodeDialbackFrame({ t: 'later', why: judged.later }));
          await stream.end();
          return;
        }
        const tried = await Promise.all(
          judged.dial.map(async (target) => ({
            port: target.port,
            // Mail and DNS greet in their own way; everything else that is asked for is the mesh.
            answer: ((await answers(target, ![25, 53].includes(target.port))) ? 'yes' : 'no') as PortAnswer,
          })),
        );
        const ports = [...tried, ...judged.refused.map((port) => ({ port, answer: 'refused' as const }))];
        const observed = connection?.remote?.host ?? '';
        await stream.send(encodeDialbackFrame({ t: 'result', host: observed, ports }));
        await stream.end();
      } finally {
        clearTimeout(timer);
      }
    },
    tick: () => take({ kind: 'tick', friends: options.friends().filter(isDirect) }),
    addressChanged: () => take({ kind: 'address-changed' }),
    askNow: async (withinMs) => {
      take({ kind: 'ask-now' });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
        take({ kind: 'tick', friends: options.friends().filter(isDirect) });
      });
    },
    reachable,
    port: (port) => canReach(state, port),
    meshPorts,
  };
}

/** How long after a question that broke off it is asked once more. */
const retryAfterMs = 2000;

/** multistream-select's first message (libp2p specs, connections), which any libp2p listener sends back. */
const greeting = '\u0013/multistream/1.0.0\n';

/** Does somebody answer there, and where it is the mesh: in the words of libp2p? The connection is closed at once. */
async function answers(target: HostPort, isMesh: boolean): Promise<boolean> {
  const socket = connect({ host: target.host, port: target.port });
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer from ${formatHostPort(target)}`)),
    dialbackDialMs,
  );
  try {
    return await new Promise<boolean>((resolve) => {
      let heard = '';
      socket.once('connect', () => {
        if (!isMesh) resolve(true);
        else socket.write(greeting);
      });
      socket.on('data', (bytes: Buffer) => {
        heard += bytes.toString('latin1');
        if (heard.length >= greeting.length) resolve(heard.startsWith(greeting));
      });
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
