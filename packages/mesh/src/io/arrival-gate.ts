import type { HostPort } from '@copain/core';
import type { ArrivalProof } from '../arrival-proof.ts';
import { type ArrivalEffect, arrivalSource, noArrivals, stepArrivals } from '../arrivals.ts';
import { arrivalLimits, maxHostsPerPeer } from '../limits.ts';
import { proofKeys } from './proof-keys.ts';

/** A connection as the gate handles it. */
interface Arrival {
  /** Hangs up. */
  close: (why: string) => void;
  /** Tells once what its first bytes prove, if it ever says any. */
  firstBytes: (spoke: (proof: ArrivalProof | undefined) => void) => void;
}

/** The inbound connections that have not shown yet who they are, by what the pure `stepArrivals` decides. */
export interface ArrivalGate {
  /** A TCP connection came in. Resolves to whether it may begin its handshake, most often at once. */
  admits(remote: HostPort, arrival: Arrival): Promise<boolean>;
  /** It stands, or it is gone. */
  settled(remote: HostPort): void;
  /** The proof that an outbound connection to this peer carries; undefined for whoever is no friend. */
  proofFor(peer: string): ArrivalProof | undefined;
  /** A friend's box was met at this host. */
  met(peer: string, host: string): void;
  /** Who the friends are, and the hosts at which each box may come from; others are forgotten. */
  friendsAt(boxes: readonly { peer: string; hosts: readonly string[] }[]): void;
}

interface Open {
  host: string;
  close: (why: string) => void;
  /** Set while it waits for its first bytes. */
  decide?: (admitted: boolean) => void;
}

/** `nowMs` never goes back; `wallMs` is the time of day, which friends have in common. */
export function arrivalGate(options: {
  privateKey: Uint8Array;
  nowMs(): number;
  wallMs(): number;
  refused(host: string, why: string): void;
}): ArrivalGate {
  let state = noArrivals(options.nowMs());
  const proofs = proofKeys({ privateKey: options.privateKey });
  const connections = new Map<string, Open>();
  const announced = new Map<string, readonly string[]>();
  const metAt = new Map<string, string[]>();
  let known = new Set<string>();
  const recount = (): void => {
    const hosts = [...announced.values(), ...metAt.values()].flat();
    known = new Set(hosts.map((host) => arrivalSource(host, true)));
  };
  const idOf = (remote: HostPort): string => `${remote.host} ${remote.port}`;

  const step = (input: Parameters<typeof stepArrivals>[1]): ArrivalEffect[] => {
    const [next, effects] = stepArrivals(state, input, options.nowMs());
    state = next;
    return effects;
  };

  const forget = (connection: string): void => {
    const one = connections.get(connection);
    connections.delete(connection);
    one?.decide?.(false);
  };

  /** Acts on what was decided about `connection`; whoever waits is told by `decide`. */
  const act = (connection: string, effects: readonly ArrivalEffect[]): void => {
    for (const effect of effects) {
      const one = connections.get(effect.kind === 'evict' ? effect.connection : connection);
      switch (effect.kind) {
        case 'admit':
          one?.decide?.(true);
          break;
        case 'wait':
          break;
        case 'refuse':
          options.refused(one?.host ?? '', `too many connections (${effect.why})`);
          forget(connection);
          break;
        case 'evict':
          options.refused(one?.host ?? '', 'made room for a newer connection');
          forget(effect.connection);
          one?.close('made room for a newer connection');
          break;
      }
    }
  };

  return {
    admits: async (remote, { close, firstBytes }) => {
      const connection = idOf(remote);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      connections.set(connection, { host: remote.host, close, decide: resolve });
      const isKnown = known.has(arrivalSource(remote.host, true));
      act(connection, step({ kind: 'arrived', connection, host: remote.host, known: isKnown }));
      let timer: NodeJS.Timeout | undefined;
      const spoke = (proof: ArrivalProof | undefined): void => {
        const friend = proof === undefined ? undefined : proofs.check(proof, options.wallMs());
        act(connection, step({ kind: 'spoke', connection, friend }));
      };
      firstBytes((proof) => {
        clearTimeout(timer);
        timer = undefined;
        spoke(proof);
      });
      if (state.pending.get(connection)?.room === 'waiting')
        timer = setTimeout(() => spoke(undefined), arrivalLimits.waiting.forMs).unref();
      const admitted = await promise;
      clearTimeout(timer);
      return admitted;
    },
    settled: (remote) => {
      const connection = idOf(remote);
      forget(connection);
      step({ kind: 'settled', connection });
    },
    proofFor: (peer) => (announced.has(peer) ? proofs.make(peer, options.wallMs()) : undefined),
    met: (peer, host) => {
      const hosts = metAt.get(peer) ?? [];
      if (hosts[0] === host || !announced.has(peer)) return;
      metAt.set(peer, [host, ...hosts.filter((one) => one !== host)].slice(0, maxHostsPerPeer));
      recount();
    },
    friendsAt: (boxes) => {
      announced.clear();
      for (const { peer, hosts } of boxes) announced.set(peer, hosts);
      for (const peer of metAt.keys()) if (!announced.has(peer)) metAt.delete(peer);
      proofs.friends([...announced.keys()]);
      recount();
    },
  };
}
