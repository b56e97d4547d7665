import type { Clock, FrameStream, Random } from '@copain/core';
import { type CopyFriend, type CopyTask, friendsInTurn, type KeepingView, planCopies } from '../copies.ts';
import { copiesAtOnce, copyDoubtMs, copyLookEveryMs, liveOpenMs, secondCopyMs } from '../limits.ts';
import { retryDelayMs } from '../retry-schedule.ts';
import type { HeldMessage } from '../spool.ts';
import { CopyLink, type CopyOutcome } from './copy-link.ts';
import { CopyLinks } from './copy-links.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { HeldStore } from './held-store.ts';
import type { OwnerNotes } from './owner-notes.ts';

export interface CopiesOptions {
  held: HeldStore;
  notes: OwnerNotes;
  /** What this box is to do with the mail of that owner and domain; asked anew every time. */
  viewOf: (message: HeldMessage) => KeepingView;
  /** Boxes of friends that are heard now and keep mail for the same domain. */
  friends: (message: HeldMessage) => readonly CopyFriend[];
  open: (peer: string, signal: AbortSignal) => Promise<FrameStream>;
  /** A stream of the same protocol to a box of the owner. */
  openOwner: (ownerId: string, signal: AbortSignal) => Promise<FrameStream>;
  /** Is he there, so that his mail goes to him and to nobody else? */
  isReachable: (ownerId: string) => boolean;
  clock: Clock;
  random: Random;
  events: MailEvents;
}

/** How many friends' disks a message is on. */
export type CopyCount = 'two' | 'one' | 'one of two';

interface Rest {
  untilMs: number;
  failures: number;
}

/**
 * Brings held mail to second friends: what a client waits for at once, the rest as soon as there is somebody to take it.
 */
export class Copies implements AsyncDisposable {
  readonly #options: CopiesOptions;
  readonly #stop = new AbortController();
  readonly #links: CopyLinks;
  /** Who is not asked for now: a box, a box about one domain, or a box about one message. */
  readonly #resting = new Map<string, Rest>();
  readonly #silentSinceMs = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<boolean>>();
  /** What the last look found; it is worked off before the next one. */
  #due: CopyTask[] = [];
  #telling: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(options: CopiesOptions) {
    this.#options = options;
    this.#links = new CopyLinks(options.open);
    this.#timer = setInterval(() => this.look(), copyLookEveryMs).unref();
  }

  /**
   * Has a message that was just stored here brought to a second friend, where its owner wants that; resolves within
   * `secondCopyMs`. An owner who has it himself by then is as good.
   */
  async second(message: HeldMessage): Promise<CopyCount> {
    const { held, notes, viewOf, events } = this.#options;
    if (viewOf(message).copies < 2) return 'one';
    const { id } = message;
    const isSafe = (): boolean => !held.messages.has(id) || held.messages.get(id)?.copyAt !== undefined;
    const tried = isSafe() ? Promise.resolve(true) : this.#bring({ id, what: 'copy' }, true);
    try {
      await withDeadline(Promise.race([tried, held.gone(id)]), secondCopyMs, 'second friend');
    } catch {
      // It goes on, and whoever looks later finds it done.
    }
    // It may have gone to the owner himself meanwhile.
    if (!held.messages.has(id)) return 'one';
    if (isSafe()) return 'two';
    try {
      await notes.add(message, { what: 'single', to: '' });
    } catch (error) {
      events.trouble({ where: `noting a single copy for ${message.domain}`, error: asError(error) });
    }
    return 'one of two';
  }

  friendSilent({ peer }: CopyFriend): void {
    if (!this.#silentSinceMs.has(peer)) this.#silentSinceMs.set(peer, this.#options.clock.nowMs());
  }

  /** A friend's box is back, and may be asked again; what it said before a long absence is asked anew. */
  async friendHeard({ peer, ownerId }: CopyFriend): Promise<void> {
    const { held, clock } = this.#options;
    const nowMs = clock.nowMs();
    const sinceMs = this.#silentSinceMs.get(peer) ?? nowMs;
    this.#silentSinceMs.delete(peer);
    for (const key of this.#resting.keys()) if (key.split(' ')[0] === peer) this.#resting.delete(key);
    this.#links.drop(peer, new Error('a new connection'));
    // A clock that was set back says nothing about how long he was away.
    const isLong = nowMs < sinceMs || nowMs - sinceMs >= copyDoubtMs;
    for (const { id, copyAt } of isLong ? held.messages.values() : [])
      if (copyAt === ownerId) await held.step(id, { kind: 'doubted', by: ownerId }, 0);
    this.look();
  }

  /** Starts what is due, as much as may go on at once. Harmless at any time. */
  look(): void {
    const { clock } = this.#options;
    if (this.#stop.signal.aborted) return;
    const nowMs = clock.nowMs();
    for (const [key, { untilMs }] of this.#resting) if (untilMs + 600_000 < nowMs) this.#resting.delete(key);
    this.#links.closeIdle();
    this.#telling ??= this.#tellOwners().finally(() => {
      this.#telling = undefined;
    });
    if (this.#due.length === 0 && this.#underWay.size < copiesAtOnce) this.#due = this.#plan();
    this.#fill();
  }

  /** What is due, the last first; nothing of a domain for which there is nothing to do, or nobody to take it. */
  #plan(): CopyTask[] {
    const { held, viewOf, friends } = this.#options;
    const worthwhile = new Map<string, boolean>();
    let last: { ownerId: string; domain: string; answer: boolean } | undefined;
    const isWorthwhile = (message: HeldMessage): boolean => {
      const { ownerId, domain } = message;
      // Neighbours are mostly of one domain, and there may be a hundred thousand.
      if (last?.domain === domain && last.ownerId === ownerId) return last.answer;
      const key = `${ownerId} ${domain}`;
      const answer =
        worthwhile.get(key) ??
        (this.#isDue(message) && friends(message).some((one) => !this.#isResting(one, message.domain)));
      worthwhile.set(key, answer);
      last = { ownerId, domain, answer };
      return answer;
    };
    return planCopies([...held.messages.values()].filter(isWorthwhile), viewOf).reverse();
  }

  /** Is there anything to do for the mail of this domain? While the owner is there it goes to him. */
  #isDue(message: HeldMessage): boolean {
    const { held, viewOf, isReachable } = this.#options;
    const { isBackup, copies, maxBytes } = viewOf(message);
    const isAsked = !isBackup || copies > 1 || held.heldBytes(message.domain) > maxBytes;
    return isAsked && !isReachable(message.ownerId);
  }

  /** Begins what is due, as far as there are places; what is not due any more is passed over. */
  #fill(): void {
    const { held } = this.#options;
    while (this.#underWay.size < copiesAtOnce && !this.#stop.signal.aborted) {
      const task = this.#due.pop();
      if (task === undefined) return;
      const message = held.messages.get(task.id);
      if (message === undefined || (task.what === 'copy' && message.copyAt !== undefined)) continue;
      if (this.#underWay.has(task.id) || !this.#isDue(message)) continue;
      if (this.#options.friends(message).every((one) => this.#isResting(one, message.domain))) {
        // Nobody takes any of this domain now: the next look finds who does.
        this.#due = this.#due.filter(({ id }) => held.messages.get(id)?.domain !== message.domain);
        continue;
      }
      if (this.#candidates(task.id).length === 0) continue;
      void this.#bring(task, false).then(() => this.#fill());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#links[Symbol.dispose]();
    await Promise.allSettled([...this.#underWay.values(), this.#telling]);
  }

  /** Asks one friend after the other; true once one has it. Never rejects. */
  #bring(task: CopyTask, urgent: boolean): Promise<boolean> {
    const known = this.#underWay.get(task.id);
    if (known) return known;
    const work = this.#askInTurn(task, urgent)
      .catch((error: unknown) => {
        this.#options.events.trouble({ where: `a second copy of ${task.id}`, error: asError(error) });
        for (const { peer } of this.#candidates(task.id)) this.#rest(`${peer} ${task.id}`);
        return false;
      })
      .finally(() => this.#underWay.delete(task.id));
    this.#underWay.set(task.id, work);
    return work;
  }

  async #askInTurn({ id, what }: CopyTask, urgent: boolean): Promise<boolean> {
    const { held, events } = this.#options;
    for (const friend of this.#candidates(id)) {
      const message = held.messages.get(id);
      if (message === undefined || this.#stop.signal.aborted) return false;
      await held.step(id, { kind: 'asked', to: friend.ownerId, give: what === 'give' }, 0);
      try {
        const outcome = await this.#ask(friend, message, { give: what === 'give', urgent });
        if (outcome?.kind === 'gone') return false;
        if (outcome?.kind === 'have') {
          this.#resting.delete(`${friend.peer} ${id}`);
          await this.#had(message, friend, what);
          return true;
        }
      } finally {
        await held.step(id, { kind: 'kept' }, 0);
      }
    }
    events.changed();
    return false;
  }

  /** He has it durably: that is noted, or, where he answers for it now, the message leaves this disk. */
  async #had(message: HeldMessage, { ownerId: at }: CopyFriend, what: CopyTask['what']): Promise<void> {
    const { held, notes, events } = this.#options;
    const { id, domain, sizeBytes, ownerId } = message;
    if (what === 'copy') {
      await held.step(id, { kind: 'had', by: at }, 0);
      events.copied({ id, domain, toId: at, sizeBytes });
      return;
    }
    // The owner is to hear of it whatever happens next; hearing twice does no harm.
    if (!held.messages.has(id)) return;
    await notes.add(message, { what: 'moved', to: at });
    await held.step(id, { kind: 'had', by: at }, 0);
    events.moved({ id, domain, ownerId, toId: at, sizeBytes });
  }

  /** His answer; undefined where he does not take it, and is left alone for a while. */
  async #ask(
    { peer }: CopyFriend,
    message: HeldMessage,
    how: { give: boolean; urgent: boolean },
  ): Promise<CopyOutcome | undefined> {
    const { held, events } = this.#options;
    let outcome: CopyOutcome;
    try {
      outcome = await (await this.#links.to(peer)).copy(held, message, how);
    } catch (error) {
      this.#rest(peer);
      // A friend of an older version, or one who went: no second friend. Somebody else, or he later.
      if (!this.#stop.signal.aborted)
        events.copyRefused({ peer, domain: message.domain, why: asError(error).message });
      return undefined;
    }
    if (outcome.kind === 'not') {
      const { why } = outcome;
      const isAboutDomain = why === 'no backup' || why === 'no room' || why === 'disk trouble';
      this.#rest(`${peer} ${isAboutDomain ? message.domain : message.id}`);
      events.copyRefused({ peer, domain: message.domain, why });
      return undefined;
    }
    this.#resting.delete(peer);
    return outcome;
  }

  #candidates(id: string): CopyFriend[] {
    const { held, friends } = this.#options;
    const message = held.messages.get(id);
    if (message === undefined) return [];
    return friendsInTurn(friends(message), message).filter(
      (friend) => !this.#isResting(friend, message.domain, id),
    );
  }

  /** Is he not to be asked about this domain, or this message of it? */
  #isResting({ peer }: CopyFriend, domain: string, id?: string): boolean {
    const nowMs = this.#options.clock.nowMs();
    const about = id === undefined ? [] : [`${peer} ${id}`];
    return [peer, `${peer} ${domain}`, ...about].some(
      (key) => (this.#resting.get(key)?.untilMs ?? 0) > nowMs,
    );
  }

  #rest(key: string): void {
    const { clock, random } = this.#options;
    const failures = (this.#resting.get(key)?.failures ?? 0) + 1;
    // Two who refuse each other do not meet again in the same instant.
    const waitMs = retryDelayMs(failures, 1) * (0.5 + random.fraction() / 2);
    this.#resting.set(key, { failures, untilMs: clock.nowMs() + waitMs });
  }

  /** Tells owners who are there what happened to their mail while they were not. */
  async #tellOwners(): Promise<void> {
    const { notes, isReachable, openOwner } = this.#options;
    for (const ownerId of notes.owners()) {
      const nowMs = this.#options.clock.nowMs();
      if (!isReachable(ownerId) || (this.#resting.get(`owner ${ownerId}`)?.untilMs ?? 0) > nowMs) continue;
      let link: CopyLink | undefined;
      try {
        const { signal } = this.#stop;
        link = await CopyLink.over(await withDeadline(openOwner(ownerId, signal), liveOpenMs, 'owner'));
        for (const note of notes.of(ownerId)) {
          await link.note(note);
          await notes.told(ownerId, note);
        }
        await link.end();
      } catch {
        // An owner of an older version, or one who went again: it waits on disk.
        link?.abort(new Error('given up'));
        this.#rest(`owner ${ownerId}`);
      }
    }
  }
}
