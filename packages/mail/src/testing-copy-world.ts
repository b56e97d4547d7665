/**
 * Three friends and an owner who run the deciding code of copies, hand-overs and deliveries, on disks that keep what was
 * synced and memories that a kill empties. Everything between two boxes is an event that waits until it is let happen.
 */
import { type CopyTask, friendsInTurn, judgeOffer, planCopies } from './copies.ts';
import { nextOffer } from './drain.ts';
import { type HeldMessage, type QueuedMessage, stepHeld, stepQueued } from './spool.ts';

const alice = 'alice';
const domain = 'alice.test';
/** Of every message; a quota of 15 has room for one, one of 5 for none. */
const sizeBytes = 10;

interface FriendState {
  name: string;
  /** What was synced: tag of each record, by its name. */
  disk: Map<string, string>;
  /** What owners will be told; synced before what it is about goes. */
  notes: string[];
  /** Undefined while it is off. */
  memory: Map<string, HeldMessage> | undefined;
  /** Counts its starts: what was under way at an earlier one comes to nothing. */
  epoch: number;
  isBackup: boolean;
  maxBytes: number;
  records: number;
}

interface WaitingEvent {
  /** Box that it happens at, and which of its starts it belongs to. */
  at: string;
  epoch: number;
  run: () => void;
}

/** One friend asks another about one of his messages. */
interface Conversation {
  from: FriendState;
  to: FriendState;
  id: string;
}

export class CopyWorld {
  readonly friends: FriendState[] = ['bob', 'carol', 'dave'].map((name) => ({
    name,
    disk: new Map(),
    notes: [],
    memory: new Map(),
    epoch: 0,
    isBackup: true,
    maxBytes: 1000,
    records: 0,
  }));
  /** Tags with what became of them, synced; and the queue, synced in the same batch. */
  readonly known: Map<string, 'queued' | 'delivered'> = new Map();
  readonly queue: Map<string, QueuedMessage> = new Map();
  readonly mailbox: string[] = [];
  /** Messages that were delivered at a moment in which alice was killed before she could note it. */
  readonly inTheWindow: string[] = [];
  /** What senders heard 250 for. */
  readonly accepted: Set<string> = new Set();
  readonly broken: string[] = [];
  readonly #waiting: WaitingEvent[] = [];
  readonly #conversations: Conversation[] = [];
  #aliceIsUp = false;
  #aliceEpoch = 0;

  friend(i: number): FriendState {
    const found = this.friends[i % this.friends.length];
    if (!found) throw new Error('no friend');
    return found;
  }

  /** A client brings a message; whoever heard no 250 brings it again, somewhere. */
  submit(tag: string, i: number): void {
    const friend = this.friend(i);
    if (friend.memory === undefined || !friend.isBackup) return;
    const same = this.#withTag(friend, tag);
    const message = same ?? this.#store(friend, tag);
    if (message === undefined) return;
    this.#later(friend.name, friend.epoch, () => this.#answer(friend, message.id, tag));
  }

  /** Begins one of the copies that are due at this friend. */
  look(i: number): void {
    const friend = this.friend(i);
    if (friend.memory === undefined) return;
    const view = { isBackup: friend.isBackup, copies: 2, maxBytes: friend.maxBytes };
    const [task] = planCopies(friend.memory.values(), () => view);
    if (task && !this.#aliceIsUp) this.#ask(friend, task, i);
  }

  /** Hands over what is due. */
  drain(i: number): void {
    const friend = this.friend(i);
    if (friend.memory === undefined || !this.#aliceIsUp) return;
    const [message] = nextOffer(friend.memory.values(), alice, 0);
    if (message === undefined) return;
    const { id } = message;
    const [tag] = message.tags;
    this.#step(friend, id, { kind: 'offered' });
    const { epoch } = friend;
    const [aliceEpoch] = [this.#aliceEpoch];
    const interrupt = (): void => {
      if (friend.epoch === epoch) this.#step(friend, id, { kind: 'interrupted' });
    };
    this.#later(alice, aliceEpoch, () => {
      if (tag === undefined) return;
      if (!this.known.has(tag)) {
        this.known.set(tag, 'queued');
        this.queue.set(tag, queued(tag));
      }
      this.#later(friend.name, epoch, () => this.#step(friend, id, { kind: 'acknowledged' }));
    });
    // A stream that ends without an answer makes the message due again; an answer that comes all the same is not lost.
    this.#later(friend.name, epoch, interrupt);
  }

  /** Alice's agent gives a message to her mail server, and notes that with the next event. */
  deliver(): void {
    const [next] = this.queue.values();
    if (next === undefined || !this.#aliceIsUp) return;
    const epoch = this.#aliceEpoch;
    this.mailbox.push(next.id);
    const note = (): void => {
      const outcomes = new Map([['anna', 'delivered' as const]]);
      const [, effects] = stepQueued(next, { kind: 'attempted', outcomes, reply: '', fraction: 0 }, 0);
      for (const effect of effects) {
        if (effect.kind === 'forget') {
          for (const { tag, state } of effect.finished) if (state === 'delivered') this.known.set(tag, state);
          this.queue.delete(effect.id);
        }
      }
    };
    this.queue.delete(next.id);
    this.#delivering = { message: next, epoch, note };
  }

  #delivering: { message: QueuedMessage; epoch: number; note: () => void } | undefined;

  noteDelivery(): void {
    this.#delivering?.note();
    this.#delivering = undefined;
  }

  kill(i: number): void {
    const friend = this.friend(i);
    friend.memory = undefined;
    friend.epoch += 1;
    const ended = this.#conversations.filter(({ from, to }) => from === friend || to === friend);
    for (const one of ended) this.#close(one);
  }

  start(i: number): void {
    const friend = this.friend(i);
    if (friend.memory !== undefined) return;
    friend.memory = new Map([...friend.disk].map(([id, tag]) => [id, heldMessage(id, tag)]));
    for (const other of this.friends)
      for (const { id } of other.memory?.values() ?? [])
        this.#step(other, id, { kind: 'doubted', by: friend.name });
  }

  /** A stream between two friends breaks, or one of them waits no longer; what was sent still arrives. */
  breakOff(i: number): void {
    const one = this.#conversations[i % Math.max(1, this.#conversations.length)];
    if (one) this.#close(one);
  }

  #close(one: Conversation): void {
    this.#conversations.splice(this.#conversations.indexOf(one), 1);
    this.#step(one.from, one.id, { kind: 'kept' });
  }

  killAlice(): void {
    this.#aliceIsUp = false;
    this.#aliceEpoch += 1;
    if (this.#delivering) {
      this.inTheWindow.push(this.#delivering.message.id);
      this.queue.set(this.#delivering.message.id, this.#delivering.message);
      this.#delivering = undefined;
    }
  }

  startAlice(): void {
    this.#aliceIsUp = true;
  }

  /** Lets one of the waiting events happen; false where none waits. */
  happen(i: number): boolean {
    const [event] = this.#waiting.splice(i % Math.max(1, this.#waiting.length), 1);
    if (event === undefined) return false;
    const isThere =
      event.at === alice
        ? this.#aliceIsUp && this.#aliceEpoch === event.epoch
        : this.friends.some(
            ({ name, epoch, memory }) => name === event.at && epoch === event.epoch && memory !== undefined,
          );
    if (isThere) event.run();
    return true;
  }

  /** Nothing that was accepted is nowhere. */
  check(): void {
    for (const tag of this.accepted)
      if (this.#places(tag) === 0 && !this.known.has(tag)) this.broken.push(`${tag} is lost`);
  }

  #places(tag: string): number {
    return this.friends.filter(({ disk }) => [...disk.values()].includes(tag)).length;
  }

  /** 250, once a second friend has it or the wait for one is over; the sender may have gone meanwhile, which is no matter. */
  #answer(friend: FriendState, id: string, tag: string): void {
    const message = friend.memory?.get(id);
    const isSafe = message === undefined || message.copyAt !== undefined;
    if (isSafe && !this.known.has(tag) && this.#places(tag) < 2 && message !== undefined)
      this.broken.push(`${tag} was said to be with two friends`);
    if (!isSafe) this.#ask(friend, { id, what: 'copy' }, friend.records);
    this.accepted.add(tag);
  }

  #store(friend: FriendState, tag: string): HeldMessage | undefined {
    const total = friend.disk.size * sizeBytes;
    if (total + sizeBytes > friend.maxBytes || friend.memory === undefined) return undefined;
    friend.records += 1;
    const id = `${friend.name}-${String(friend.records).padStart(4, '0')}`;
    friend.disk.set(id, tag);
    const message = heldMessage(id, tag);
    friend.memory.set(id, message);
    return message;
  }

  #ask(from: FriendState, { id, what }: CopyTask, turn: number): void {
    const message = from.memory?.get(id);
    if (message === undefined || message.asking !== undefined) return;
    const backups = this.friends.filter((one) => one !== from && one.isBackup && one.memory !== undefined);
    const inTurn = friendsInTurn(
      backups.map((one) => ({ peer: one.name, ownerId: one.name })),
      message,
    );
    const to = this.friends.find(({ name }) => name === inTurn[turn % Math.max(1, inTurn.length)]?.ownerId);
    const [tag] = message.tags;
    if (to === undefined || tag === undefined) return;
    const give = what === 'give';
    this.#step(from, id, { kind: 'asked', to: to.name, give });
    const [fromEpoch, toEpoch] = [from.epoch, to.epoch];
    const conversation = { from, to, id };
    this.#conversations.push(conversation);
    /** An answer counts in its own conversation only. */
    const answer = (run: () => void): void =>
      this.#later(from.name, fromEpoch, () => {
        if (this.#conversations.includes(conversation)) run();
      });
    const refused = (): void => answer(() => this.#close(conversation));
    const had = (): void =>
      answer(() => {
        if (give && from.memory?.get(id)?.asking?.to === to.name) from.notes.push(tag);
        this.#step(from, id, { kind: 'had', by: to.name });
        this.#close(conversation);
      });
    this.#later(to.name, toEpoch, () => {
      const same = this.#withTag(to, tag);
      const verdict = judgeOffer(
        { give, sizeBytes },
        {
          isBackup: to.isBackup,
          senderIsBackup: from.isBackup,
          same: same && [same],
          heldBytes: to.disk.size * sizeBytes,
          maxBytes: to.maxBytes,
          isDiskLow: false,
        },
      );
      if (verdict.kind === 'not') refused();
      else if (verdict.kind === 'have' && same) {
        this.#step(to, same.id, give ? { kind: 'doubted' } : { kind: 'told', by: from.name });
        had();
      } else
        answer(() => {
          // The parts; whoever gave it away meanwhile has none to send.
          if (from.memory?.has(id) !== true) return;
          this.#later(to.name, toEpoch, () => {
            const stored = this.#store(to, tag);
            if (stored === undefined) refused();
            else {
              if (!give) this.#step(to, stored.id, { kind: 'told', by: from.name });
              had();
            }
          });
        });
    });
  }

  #step(friend: FriendState, id: string, input: Parameters<typeof stepHeld>[1]): void {
    const message = friend.memory?.get(id);
    if (message === undefined) return;
    const [next, effects] = stepHeld(message, input, 0);
    for (const effect of effects) {
      const tag = friend.disk.get(effect.id) ?? '';
      if (!this.known.has(tag) && !friend.notes.includes(tag))
        this.broken.push(`${tag} was dropped silently`);
      friend.disk.delete(effect.id);
    }
    if (next) friend.memory?.set(id, next);
    else friend.memory?.delete(id);
  }

  #withTag(friend: FriendState, tag: string): HeldMessage | undefined {
    return [...(friend.memory?.values() ?? [])].find(({ tags }) => tags[0] === tag);
  }

  #later(at: string, epoch: number, run: () => void): void {
    this.#waiting.push({ at, epoch, run });
  }
}

function heldMessage(id: string, tag: string): HeldMessage {
  return {
    id,
    ownerId: alice,
    domain,
    sizeBytes,
    receivedAtMs: 0,
    tags: [tag],
    state: 'held',
    failures: 0,
    notBeforeMs: 0,
    copyAt: undefined,
    asking: undefined,
  };
}

function queued(tag: string): QueuedMessage {
  return {
    id: tag,
    domain,
    from: 's@out.test',
    recipients: [{ address: 'anna', tag, state: 'waiting' }],
    sizeBytes,
    receivedAtMs: 0,
    failures: 0,
    notBeforeMs: 0,
    reply: '',
  };
}
