import { connect } from 'node:net';
import type { Clock, HostPort } from '@copain/core';
import {
  afterKnock,
  type KnockState,
  knockIsDue,
  knockOftenMs,
  knockTimeoutMs,
  startKnocking,
} from '@copain/mesh';
import { resolveAddresses } from '@copain/mesh/io';

/** Plain TCP connections to friends who may be reachable again, each closed as soon as it stands. */
export interface Knocking {
  /** Who is knocked at from now on, and where; an outage that was known before does not begin anew. */
  at(targets: readonly { peer: string; addresses: readonly string[] }[]): void;
  /** Knocks at all of them now: one friend was heard again, so the others may be there too. */
  now(): void;
}

interface Target {
  addresses: readonly string[];
  state: KnockState;
  /** A resolver that hangs is asked one thing at a time, or its questions would be in the way of everything else. */
  isLookedUp: boolean;
}

/** Looks for knocks that are due while there is anybody to knock at; ends with `stopping`. */
export function knockingAt(options: {
  clock: Clock;
  allowPrivate(): boolean;
  stopping: AbortSignal;
  /** Somebody answered. `reopened`: after several knocks that nobody answered. */
  answered(peer: string, reopened: boolean): void;
  /** The addresses of a DNS name; the machine's resolver unless given. */
  resolve?: (name: string) => Promise<readonly string[]>;
}): Knocking {
  const { clock, stopping, resolve } = options;
  const targets = new Map<string, Target>();
  let timer: NodeJS.Timeout | undefined;

  const knock = async (peer: string, target: Target): Promise<void> => {
    target.state = { ...target.state, lastAtMs: clock.nowMs() };
    if (target.isLookedUp) return;
    target.isLookedUp = true;
    const hosts = await firstHosts(target.addresses, options.allowPrivate(), resolve);
    target.isLookedUp = false;
    const isAnswered = await anyStands(hosts);
    if (stopping.aborted || targets.get(peer) !== target) return;
    const { state, redial } = afterKnock(target.state, isAnswered);
    target.state = state;
    if (isAnswered) options.answered(peer, redial);
  };
  const look = (): void => {
    for (const [peer, target] of targets)
      if (knockIsDue(target.state, clock.nowMs())) void knock(peer, target);
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  stopping.addEventListener('abort', stop, { once: true });

  return {
    at: (wanted) => {
      const listed = new Map(wanted.map(({ peer, addresses }) => [peer, addresses]));
      for (const peer of targets.keys()) if (!listed.has(peer)) targets.delete(peer);
      for (const [peer, addresses] of listed) {
        const target = targets.get(peer);
        if (target === undefined)
          targets.set(peer, { addresses, state: startKnocking(clock.nowMs()), isLookedUp: false });
        else target.addresses = addresses;
      }
      if (targets.size === 0 || stopping.aborted) stop();
      else timer ??= setInterval(look, knockOftenMs / 2).unref();
    },
    now: () => {
      for (const [peer, target] of targets) void knock(peer, target);
    },
  };
}

/** Resolves when one of the addresses answered, or none did. */
export async function anyAnswers(addresses: readonly string[], allowPrivate: boolean): Promise<boolean> {
  return await anyStands(await firstHosts(addresses, allowPrivate));
}

/** Of each address, or name, the first that may be dialled. */
async function firstHosts(
  addresses: readonly string[],
  allowPrivate: boolean,
  resolve?: (name: string) => Promise<readonly string[]>,
): Promise<HostPort[]> {
  const found = addresses.map((address) => resolveAddresses([address], allowPrivate, resolve));
  return (await Promise.all(found)).flatMap(([first]) => first ?? []);
}

/** Does a TCP connection to one of them stand within the time of a knock? It is closed at once. */
async function anyStands(hosts: readonly HostPort[]): Promise<boolean> {
  const answers = hosts.map(async (host) => {
    if (!(await answersTcp(host))) throw new Error('no answer');
  });
  return await Promise.any(answers).then(
    () => true,
    () => false,
  );
}

async function answersTcp({ host, port }: HostPort): Promise<boolean> {
  const socket = connect({ host, port, timeout: knockTimeoutMs });
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
