import { connect } from 'node:net';
import type { Clock } from '@copain/core';
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
}

/** Looks for knocks that are due while there is anybody to knock at; ends with `stopping`. */
export function knockingAt(options: {
  clock: Clock;
  allowPrivate(): boolean;
  stopping: AbortSignal;
  /** Somebody answered. `reopened`: after several knocks that nobody answered. */
  answered(peer: string, reopened: boolean): void;
}): Knocking {
  const { clock, stopping } = options;
  const targets = new Map<string, Target>();
  let timer: NodeJS.Timeout | undefined;

  const knock = async (peer: string, target: Target): Promise<void> => {
    target.state = { ...target.state, lastAtMs: clock.nowMs() };
    const isAnswered = await anyAnswers(target.addresses, options.allowPrivate());
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
        if (target === undefined) targets.set(peer, { addresses, state: startKnocking(clock.nowMs()) });
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
  const answers = addresses.map(async (address) => {
    if (!(await answersTcp(address, allowPrivate))) throw new Error('no answer');
  });
  return await Promise.any(answers).then(
    () => true,
    () => false,
  );
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
