import { nextOffer, nextOfferAtMs } from '../../../packages/mail/src/drain.ts';
import { retryDelayMs } from '../../../packages/mail/src/retry-schedule.ts';
import { type HeldInput, type HeldMessage, stepHeld } from '../../../packages/mail/src/spool.ts';
import type { Planned } from '../world/agenda.ts';
import { lot } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import { type Message, readRecord, recordOf, tagOf } from './message.ts';

/** A friend's end: messages that wait for their owners. */
export interface Held {
  start(found: readonly { id: string; body: Uint8Array }[]): void;
  stop(): void;
  /** Keeps a message for its owner; `kept` once it is synced, or with false where there is no room. */
  hold(message: Message, kept: (stored: boolean) => void): void;
  /** Hands over what is due to whoever is there. */
  kick(): void;
  waiting(): number;
  /** Names of the messages that wait. */
  names(): string[];
}

const roundTripMs = 120;

export function held(world: World, boxOf: () => Box): Held {
  const { agenda, net, chance } = world;
  let messages = new Map<string, HeldMessage>();
  let records = new Map<string, Uint8Array>();
  const draining = new Map<number, Planned>();
  let life = 0;
  let rolls = 0;

  const roll = (): number => chance(lot.mail, boxOf().number, ++rolls);
  const tell = (seen: Parameters<World['observe']>[1]): void => world.observe(boxOf(), seen, agenda.nowMs());
  const localMs = (): number => Math.round(boxOf().clock.localMs(agenda.nowMs()));

  const index = (id: string, record: Uint8Array): void => {
    const read = readRecord(record);
    if (read === undefined) return;
    records.set(id, record);
    messages.set(id, {
      id,
      ownerId: read.ownerId,
      domain: read.message.domain,
      sizeBytes: read.message.sizeBytes,
      receivedAtMs: read.receivedAtMs,
      tags: read.tags,
      state: 'held',
      failures: 0,
      notBeforeMs: 0,
      copyAt: undefined,
      asking: undefined,
    });
  };

  const step = (id: string, input: HeldInput): void => {
    const message = messages.get(id);
    if (message === undefined) return;
    const [next, effects] = stepHeld(message, input, localMs());
    for (const effect of effects) {
      const name = readRecord(records.get(id) ?? new Uint8Array())?.message.name ?? '';
      boxOf().disk.remove(effect.id);
      tell({ kind: 'mail-removed', message: name });
    }
    if (next === undefined) {
      messages.delete(id);
      records.delete(id);
    } else messages.set(id, next);
  };

  /** One round with one owner: offers, each answered by an acknowledgement, a pull, or "later". */
  const drain = (owner: Box): void => {
    const { number } = owner;
    if (draining.has(number) || !world.talk(boxOf().number, number) || !owner.on) return;
    const { ownerId } = owner.person;
    const dueAtMs = nextOfferAtMs(messages.values(), ownerId);
    if (dueAtMs === undefined) return;
    const during = [life, owner.life];
    const begin = agenda.after(Math.max(roundTripMs, dueAtMs - localMs()), () => {
      if (during[0] !== life) return;
      const offered = nextOffer(messages.values(), ownerId, localMs());
      for (const { id } of offered) step(id, { kind: 'offered' });
      handOver(
        owner,
        offered.map(({ id }) => id),
        during,
      );
    });
    draining.set(number, begin);
  };

  const handOver = (owner: Box, [id, ...rest]: string[], during: readonly (number | undefined)[]): void => {
    const box = boxOf();
    const isThere = (): boolean =>
      owner.on && owner.life === during[1] && world.talk(box.number, owner.number);
    const message = id === undefined ? undefined : messages.get(id);
    const record = id === undefined ? undefined : records.get(id);
    if (id === undefined || message === undefined || record === undefined) {
      draining.delete(owner.number);
      drain(owner);
      return;
    }
    /** The owner's word arrives, or the stream breaks before it does. */
    let isOver = false;
    const answer = (input: HeldInput): void => {
      agenda.after(roundTripMs / 2, () => {
        if (during[0] !== life || isOver) return;
        if (!isThere()) return broken();
        isOver = true;
        step(id, input);
        handOver(owner, rest, during);
      });
    };
    const broken = (): void => {
      isOver = true;
      for (const one of [id, ...rest]) step(one, { kind: 'interrupted' });
      draining.delete(owner.number);
      agenda.after(retryDelayMs(1, roll()), () => {
        if (during[0] === life) drain(owner);
      });
    };
    if (!isThere()) {
      broken();
      return;
    }
    if (owner.mail.inbox.knowsAll(message.tags)) {
      answer({ kind: 'acknowledged' });
      return;
    }
    agenda.at(net.bulkLeavesMs(box.number, message.sizeBytes) + roundTripMs / 2, () => {
      if (during[0] !== life) return;
      if (!isThere()) return broken();
      owner.mail.inbox.take(record, (outcome) => {
        if (outcome === 'later') answer({ kind: 'postponed', fraction: roll() });
        else answer({ kind: 'acknowledged' });
      });
      // An owner who stops in the middle of it never answers.
      agenda.after(10_000, () => {
        if (during[0] === life && !isOver) broken();
      });
    });
  };

  return {
    start: (found) => {
      life += 1;
      messages = new Map();
      records = new Map();
      draining.clear();
      const { ownerId } = boxOf().person;
      for (const { id, body } of found) if (readRecord(body)?.ownerId !== ownerId) index(id, body);
    },
    stop: () => {
      life += 1;
      draining.clear();
    },
    hold: (message, kept) => {
      const { disk } = boxOf();
      const during = life;
      const { ownerId } = world.box(message.owner).person;
      const tag = tagOf(message, ownerId);
      if ([...messages.values()].some(({ tags }) => tags.includes(tag))) return kept(true);
      const record = recordOf(message, ownerId, localMs());
      disk.append(record, (id) => {
        if (during !== life) return;
        if (id !== undefined) {
          index(id, record);
          tell({ kind: 'mail-held', message: message.name, id });
        }
        kept(id !== undefined);
        kick();
      });
    },
    kick,
    waiting: () => messages.size,
    names: () => [...records.values()].map((record) => readRecord(record)?.message.name ?? ''),
  };

  function kick(): void {
    for (const ownerId of new Set([...messages.values()].map((one) => one.ownerId))) {
      const owner = world.boxes.find(({ person }) => person.ownerId === ownerId);
      if (owner !== undefined) drain(owner);
    }
  }
}
