import { randomBytes } from 'node:crypto';
import { type Clock, concatBytes, fromHex, type Table, toHex } from '@copain/core';
import { type BootFinding, startBootHistory, stepBoot, withBoot } from '../boot-history.ts';
import { type SignatureInput, startFirstSignature, stepFirstSignature } from '../first-signature.ts';

/** How this box stands to its own past, for the status and for whoever signs. */
export interface Standing {
  bootId: Uint8Array;
  previousBootId: Uint8Array;
  /** May something new be signed now? Ask right before numbering it. */
  maySign(): boolean;
  /** Resolves as soon as something new may be signed; not while another box with our key runs. */
  signable: () => Promise<void>;
  /** Calls back each time that signing becomes possible after it was not. */
  whenSignable(work: () => void): void;
  /** Is an answer still wanted, so that friends who come are to be asked? */
  isAsking(): boolean;
  finding(): BootFinding;
  take(input: SignatureInput): void;
  /** What a friend says about our last run. */
  lastSeen: (friend: string, seen: { friendBoot: Uint8Array; lastSeen: Uint8Array }) => void;
  /** Notes with which boot id a friend's box runs, durably, and gives the one before (empty: none). */
  seenBoot: (peer: string, bootId: Uint8Array) => Promise<Uint8Array>;
}

const bootKey = 'boot';
const bootsKey = 'boots';
const seenPrefix = 'seen-boot/';
const idBytes = 16;

/** Draws the boot id of this run and keeps it, before anybody hears of it. */
export async function openStanding(options: {
  table: Table;
  clock: Clock;
  friends: readonly string[];
  /** A friend knows of a run that we do not: ask him for what we signed. */
  doubted(friend: string): void;
  /** Say hello again to this friend. */
  greet(friend: string): void;
  found(finding: Exclude<BootFinding, { kind: 'none' }>): void;
  changed(): void;
  failed: (error: unknown) => void;
}): Promise<Standing> {
  const { table, clock } = options;
  const previous = (await table.get(bootKey))?.slice(0, idBytes) ?? new Uint8Array();
  const list = (await table.get(bootsKey)) ?? previous;
  const known: string[] = [];
  for (let at = 0; at + idBytes <= list.length; at += idBytes)
    known.push(toHex(list.slice(at, at + idBytes)));
  let bootId = new Uint8Array(randomBytes(idBytes));
  const listed = (ids: readonly string[]): Uint8Array =>
    concatBytes(...ids.map((id) => fromHex(id) ?? new Uint8Array()));
  try {
    await table.write([
      { key: bootKey, value: bootId },
      { key: bootsKey, value: listed(withBoot(known, toHex(bootId))) },
    ]);
  } catch (error) {
    // A run that cannot be noted goes under the number of the last one, which is over: a number that nobody finds again
    // would look like another box with our key. Only a box that never ran has none, and does not start.
    if (previous.length !== idBytes) throw error;
    bootId = Uint8Array.from(previous);
    options.failed(error);
  }

  let boots = startBootHistory(toHex(bootId), known);
  let signature = startFirstSignature(options.friends);
  let waiting: (() => void)[] = [];
  const listeners: (() => void)[] = [];
  const seen = new Map<string, Promise<Uint8Array>>();

  const maySign = (): boolean => signature.isConfirmed && boots.finding.kind !== 'cloned';
  const take = (input: SignatureInput): void => {
    const before = maySign();
    signature = stepFirstSignature(signature, input, clock.nowMs());
    if (before === maySign()) return;
    options.changed();
    if (before) return;
    const awake = waiting;
    waiting = [];
    for (const wake of awake) wake();
    for (const work of listeners) work();
  };

  /** One note a peer at a time, so that each gives the one before it. */
  const note = async (peer: string, bootId: Uint8Array): Promise<Uint8Array> => {
    const key = seenPrefix + peer;
    const before = (await table.get(key)) ?? new Uint8Array();
    if (toHex(before) !== toHex(bootId)) await table.write([{ key, value: bootId }]);
    return before.slice(0, idBytes);
  };

  return {
    bootId,
    previousBootId: previous,
    maySign,
    signable: async () => {
      while (!maySign()) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    whenSignable: (work) => {
      listeners.push(work);
    },
    isAsking: () => !signature.isConfirmed,
    finding: () => boots.finding,
    take,
    lastSeen: (friend, { friendBoot, lastSeen }) => {
      const input = { friend, friendBoot: toHex(friendBoot), lastSeen: toHex(lastSeen) };
      const [next, effects] = stepBoot(boots, input, clock.nowMs());
      boots = next;
      for (const effect of effects) {
        switch (effect.kind) {
          case 'remember':
            table
              .write([{ key: bootsKey, value: listed(withBoot(effect.known, boots.current)) }])
              .catch(options.failed);
            break;
          case 'doubt':
            take({ kind: 'doubt', friend: effect.friend });
            options.doubted(effect.friend);
            break;
          case 'greet':
            options.greet(effect.friend);
            break;
          case 'found':
            options.found(effect.finding);
            options.changed();
            break;
        }
      }
    },
    seenBoot: async (peer, bootId) => {
      const turn = (seen.get(peer) ?? Promise.resolve(bootId)).then(
        () => note(peer, bootId),
        () => note(peer, bootId),
      );
      seen.set(peer, turn);
      return await turn;
    },
  };
}
