import {
  isWaiting,
  type QueuedEffect,
  type QueuedMessage,
  stepQueued,
} from '../../../packages/mail/src/spool.ts';
import { lot } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import { type Message, readRecord, recordOf, tagOf } from './message.ts';

/** The owner's end: what came for him and waits for his mail server, and what he knows of every message ever. */
export interface Inbox {
  start(found: readonly { id: string; body: Uint8Array }[]): void;
  stop(): void;
  /** Does the owner have all of these, or his mail server? */
  knowsAll(tags: readonly string[]): boolean;
  /** A record that a friend held: `taken` only once all of it is synced. */
  take(record: Uint8Array, done: (outcome: 'stored' | 'duplicate' | 'later') => void): void;
  /** A message for ourselves while our own mail server is away. */
  takeOwn(message: Message, kept: (stored: boolean) => void): void;
  /** A live conversation: the mail server answers, and what it took is noted before the answer is passed on. */
  deliverLive(message: Message, answered: (answer: 'taken' | 'later' | undefined) => void): void;
  /** Tries everything that waits. */
  kick(): void;
  waiting(): number;
  /** Does a message of this name wait here? */
  has(name: string): boolean;
}

const deliveryMs = 800;

export function inbox(world: World, boxOf: () => Box, mtaUp: () => boolean): Inbox {
  const { agenda, chance } = world;
  let queue = new Map<string, QueuedMessage>();
  const messages = new Map<string, Message>();
  let underWay = new Set<string>();
  const active = new Set<string>();
  /** Messages that the mail server has and that are not noted as such: the named window. */
  const unnoted = new Set<string>();
  let life = 0;
  let tries = 0;

  const tell = (seen: Parameters<World['observe']>[1]): void => world.observe(boxOf(), seen, agenda.nowMs());
  const mailbox = (message: string): void => {
    unnoted.add(message);
    tell({ kind: 'mail-mailbox', message });
  };
  const tagState = (tag: string): unknown => boxOf().disk.rows.get(`tag/${tag}`);
  const knowsAll = (tags: readonly string[]): boolean => tags.every((tag) => tagState(tag) !== undefined);
  const queues = (tag: string): boolean =>
    [...queue.values()].some(({ recipients }) =>
      recipients.some((one) => one.tag === tag && one.state === 'waiting'),
    );

  const queued = (id: string, record: Uint8Array): QueuedMessage | undefined => {
    const read = readRecord(record);
    if (read === undefined) return undefined;
    messages.set(id, read.message);
    return {
      id,
      domain: read.message.domain,
      from: 'sender@example.net',
      recipients: read.tags.map((tag) => ({
        address: `someone@${read.message.domain}`,
        tag,
        state: 'waiting',
      })),
      sizeBytes: read.message.sizeBytes,
      receivedAtMs: read.receivedAtMs,
      failures: 0,
      notBeforeMs: 0,
      reply: '',
    };
  };

  /** As `Inbox.take` of the mail room: record first, then row and tags in one write, then it counts. */
  const take = (
    record: Uint8Array,
    storedId: string | undefined,
    done: (outcome: 'stored' | 'duplicate' | 'later') => void,
  ): void => {
    const { disk } = boxOf();
    const during = life;
    const tags = readRecord(record)?.tags ?? [];
    if (tags.length === 0 || tags.some((tag) => underWay.has(tag))) {
      done('later');
      return;
    }
    const isKnown = (tag: string): boolean =>
      tagState(tag) !== undefined && (storedId === undefined || tagState(tag) !== 'queued' || queues(tag));
    if (tags.every(isKnown)) {
      done('duplicate');
      return;
    }
    for (const tag of tags) underWay.add(tag);
    const finish = (outcome: 'stored' | 'later'): void => {
      for (const tag of tags) underWay.delete(tag);
      done(outcome);
    };
    const withId = (id: string | undefined): void => {
      if (during !== life) return;
      const message = id === undefined ? undefined : queued(id, record);
      if (id === undefined || message === undefined) {
        finish('later');
        return;
      }
      const rows: [string, unknown][] = [
        [`queue/${id}`, message],
        ...tags.map((tag): [string, unknown] => [`tag/${tag}`, 'queued']),
      ];
      disk.write(rows, (kept) => {
        if (during !== life) return;
        if (!kept) {
          if (storedId === undefined) disk.remove(id);
          return finish('later');
        }
        queue.set(id, message);
        finish('stored');
        kick();
      });
    };
    if (storedId === undefined) disk.append(record, withId);
    else withId(storedId);
  };

  const kick = (): void => {
    const nowMs = boxOf().clock.localMs(agenda.nowMs());
    for (const message of queue.values()) {
      if (active.has(message.id) || !isWaiting(message)) continue;
      const waitMs = message.notBeforeMs - nowMs;
      active.add(message.id);
      const during = life;
      agenda.after(Math.max(0, waitMs) + deliveryMs, () => {
        if (during === life) attempt(message.id);
      });
    }
  };

  /** One try at the mail server; what it took it has, whatever becomes of us before that is noted. */
  const attempt = (id: string): void => {
    const message = queue.get(id);
    active.delete(id);
    if (message === undefined) return;
    tries += 1;
    const fraction = chance(lot.mta, boxOf().number, tries);
    const took = mtaUp();
    const outcomes = new Map(message.recipients.map(({ address }) => [address, 'delivered'] as const));
    if (took) mailbox(messages.get(id)?.name ?? '');
    const [next, effects] = stepQueued(
      message,
      {
        kind: 'attempted',
        outcomes: took ? outcomes : new Map(),
        reply: took ? '250' : 'no answer',
        fraction,
      },
      boxOf().clock.localMs(agenda.nowMs()),
    );
    if (next !== undefined) queue.set(id, next);
    settle(id, effects);
    if (next !== undefined) kick();
  };

  const settle = (id: string, effects: readonly QueuedEffect[]): void => {
    const { disk } = boxOf();
    const during = life;
    const [effect, ...rest] = effects;
    if (effect === undefined) return;
    if (effect.kind === 'report') {
      settle(id, rest);
      return;
    }
    if (effect.kind === 'remove') {
      disk.remove(effect.id);
      settle(id, rest);
      return;
    }
    const row = effect.kind === 'save' ? effect.message : undefined;
    active.add(id);
    disk.write(
      [
        [`queue/${id}`, row],
        ...effect.finished.map(({ tag, state }): [string, unknown] => [`tag/${tag}`, state]),
      ],
      (kept) => {
        if (during !== life) return;
        active.delete(id);
        if (!kept) {
          active.add(id);
          agenda.after(5000, () => {
            if (during === life) settle(id, effects);
          });
          return;
        }
        unnoted.delete(messages.get(id)?.name ?? '');
        if (effect.kind === 'forget') queue.delete(id);
        settle(id, rest);
      },
    );
  };

  return {
    start: (found) => {
      life += 1;
      queue = new Map();
      underWay = new Set();
      active.clear();
      const { disk, person } = boxOf();
      const own = found.filter(({ body }) => readRecord(body)?.ownerId === person.ownerId);
      const records = new Map(own.map(({ id, body }) => [id, body]));
      for (const [key, row] of disk.rows) {
        if (!key.startsWith('queue/')) continue;
        const message = row as QueuedMessage;
        const record = records.get(message.id);
        if (record === undefined) disk.writeNow([[key, undefined]]);
        else {
          queued(message.id, record);
          queue.set(message.id, { ...message, failures: 0, notBeforeMs: 0 });
        }
      }
      for (const [id, body] of records) {
        if (queue.has(id)) continue;
        take(body, id, (outcome) => {
          if (outcome === 'duplicate') disk.remove(id);
        });
      }
      kick();
    },
    stop: () => {
      life += 1;
      for (const message of unnoted) tell({ kind: 'mail-window', message });
      unnoted.clear();
    },
    knowsAll,
    take: (record, done) => take(record, undefined, done),
    takeOwn: (message, kept) => {
      const { person, clock } = boxOf();
      const record = recordOf(message, person.ownerId, Math.round(clock.localMs(agenda.nowMs())));
      take(record, undefined, (outcome) => kept(outcome !== 'later'));
    },
    deliverLive: (message, answered) => {
      const tag = tagOf(message, boxOf().person.ownerId);
      if (tagState(tag) !== undefined && !underWay.has(tag)) return answered('taken');
      if (!mtaUp() || underWay.has(tag)) return answered(undefined);
      underWay.add(tag);
      const during = life;
      agenda.after(deliveryMs, () => {
        if (during !== life) return;
        if (!mtaUp()) {
          underWay.delete(tag);
          return answered(undefined);
        }
        mailbox(message.name);
        boxOf().disk.write([[`tag/${tag}`, 'delivered']], (kept) => {
          if (during !== life) return;
          underWay.delete(tag);
          unnoted.delete(message.name);
          if (!kept) tell({ kind: 'mail-window', message: message.name });
          answered('taken');
        });
      });
    },
    kick,
    waiting: () => [...queue.values()].filter(isWaiting).length,
    has: (name) => [...queue.keys()].some((id) => messages.get(id)?.name === name),
  };
}
