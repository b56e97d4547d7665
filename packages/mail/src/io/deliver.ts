import { type Clock, formatHostPort, type Random, toUtf8 } from '@copain/core';
import { smallAndOldFirst } from '../drain.ts';
import { noRecipientDsn } from '../dsn.ts';
import type { Envelope } from '../envelope.ts';
import { chunkBytes, deliveriesAtOnce, stopGraceMs } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import { learntFrom } from '../recipient-policy.ts';
import { retryDelayMs } from '../retry-schedule.ts';
import { judgeReply, type Reply, replyText } from '../smtp-reply.ts';
import { isWaiting, type QueuedMessage, type RecipientOutcome, stepQueued } from '../spool.ts';
import { receivedHeader } from '../trace.ts';
import { asError, pause } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { Inbox } from './inbox.ts';
import { type MtaConversation, MtaError, openMta } from './smtp-client.ts';

export interface DeliveriesOptions {
  inbox: Inbox;
  domains: () => readonly MailDomain[];
  hostname: string;
  clock: Clock;
  random: Random;
  events: MailEvents;
  /** Told once per message when the MTA has taken all of it. */
  delivered: (domain: string) => void;
  /** What the MTA said of a recipient. */
  learn: (address: string, what: 'known' | 'refused') => void;
}

/** What was cut off ends within this. */
const cutGraceMs = 500;

interface MtaClock {
  failures: number;
  notBeforeMs: number;
}

/**
 * From the owner's queue to his MTA. An MTA that does not answer stops the whole queue for it with one clock, so that
 * everything goes at once when it is back; a message that it wants later has a clock of its own.
 */
export class Deliveries implements AsyncDisposable {
  readonly #options: DeliveriesOptions;
  readonly #active = new Map<string, Promise<void>>();
  readonly #mtas = new Map<string, MtaClock>();
  readonly #stop = new AbortController();
  readonly #cut = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /** Is anything on its way to this domain's MTA right now? */
  isDelivering(domain: string): boolean {
    return [...this.#active.keys()].some((id) => this.#options.inbox.queue.get(id)?.domain === domain);
  }

  /** Tries everything that is due, and sets the timer for the rest. Call after every change of the queue. */
  kick(): void {
    if (this.#stop.signal.aborted) return;
    const { inbox, clock } = this.#options;
    const nowMs = clock.nowMs();
    let nextAtMs: number | undefined;
    const due: QueuedMessage[] = [];
    for (const message of inbox.queue.values()) {
      if (this.#active.has(message.id) || !isWaiting(message)) continue;
      const atMs = this.nextTryAtMs(message);
      if (atMs === undefined) continue;
      if (atMs <= nowMs) due.push(message);
      else if (nextAtMs === undefined || atMs < nextAtMs) nextAtMs = atMs;
    }
    due.sort(smallAndOldFirst);
    for (const message of due.slice(0, Math.max(0, deliveriesAtOnce - this.#active.size))) {
      const attempt = this.#attempt(message)
        .catch((error: unknown) => this.#attemptFailed(message, asError(error)))
        .finally(() => {
          this.#active.delete(message.id);
          this.kick();
        });
      this.#active.set(message.id, attempt);
    }
    clearTimeout(this.#timer);
    if (nextAtMs !== undefined) this.#timer = setTimeout(() => this.kick(), Math.max(10, nextAtMs - nowMs));
  }

  /** Forgets every wait (of one domain, or of all) and tries at once; answers how many messages that concerns. */
  flush(domain: string | undefined): number {
    const { inbox, clock } = this.#options;
    let count = 0;
    this.#mtas.clear();
    for (const message of inbox.queue.values()) {
      if ((domain !== undefined && message.domain !== domain) || !isWaiting(message)) continue;
      const [next] = stepQueued(message, { kind: 'flush' }, clock.nowMs());
      if (next) inbox.queue.set(message.id, next);
      count += 1;
    }
    this.kick();
    return count;
  }

  /**
   * What the owner decides about what his MTA refused; false and rejections as `Inbox.decide`. Not while the message is on
   * its way: both would write its row, and the one that is late would undo what the other knows.
   */
  async decide(id: string, what: 'release' | 'discard'): Promise<boolean> {
    for (let active = this.#active.get(id); active; active = this.#active.get(id)) await active;
    const deciding = this.#options.inbox.decide(id, what);
    this.#active.set(
      id,
      deciding.then(
        () => {},
        () => {},
      ),
    );
    try {
      return await deciding;
    } finally {
      this.#active.delete(id);
      this.kick();
    }
  }

  /** When a message is tried next, at the first MTA that somebody waits for; undefined where there is no such MTA. */
  nextTryAtMs(message: QueuedMessage): number | undefined {
    const mtas = [...this.#byMta(message).keys()];
    if (mtas.length === 0) return undefined;
    const openAtMs = Math.min(...mtas.map((address) => this.#mtas.get(address)?.notBeforeMs ?? 0));
    return Math.max(message.notBeforeMs, openAtMs);
  }

  /** Ends what is under way, but where the MTA has the whole message its answer is waited for: it may have taken it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    const ended = Promise.allSettled(this.#active.values());
    const patience = new AbortController();
    await Promise.race([ended, pause(stopGraceMs, patience.signal)]);
    this.#cut.abort();
    // Whoever is only dialling an MTA has nothing to lose, and finds out later that we have stopped.
    await Promise.race([ended, pause(cutGraceMs, patience.signal)]);
    patience.abort();
  }

  #target(domain: string): MailDomain | undefined {
    return this.#options.domains().find((one) => one.role === 'own' && one.domain === domain);
  }

  async #attempt(message: QueuedMessage): Promise<void> {
    const { inbox, random } = this.#options;
    const opened = await this.#open(message);
    if (opened === undefined) return;
    const outcomes = new Map<string, RecipientOutcome>();
    let last: string | undefined;
    for (const [address, group] of this.#byMta(message)) {
      const target = group[0]?.target;
      const mta = target && (await this.#connect(address, target, opened.envelope));
      if (!mta) continue;
      try {
        const recipients = group.map(({ recipient }) => recipient);
        last = await this.#conversation(mta, opened.envelope, opened.message, recipients, outcomes);
      } catch (error) {
        last = asError(error).message;
      } finally {
        mta.destroy();
      }
    }
    if (last === undefined) return;
    const input = { kind: 'attempted', outcomes, reply: last, fraction: random.fraction() } as const;
    await this.#settle(inbox.queue.get(message.id) ?? message, input);
  }

  /** Something that should not happen: the message waits, or it would be tried again without a pause. */
  async #attemptFailed(message: QueuedMessage, error: Error): Promise<void> {
    const { inbox, random, events } = this.#options;
    events.trouble({ where: `delivering ${message.id}`, error });
    const { message: reply } = error;
    const input = { kind: 'attempted', outcomes: new Map(), reply, fraction: random.fraction() } as const;
    await this.#settle(inbox.queue.get(message.id) ?? message, input);
  }

  /** A conversation with the MTA, or undefined where it does not answer: that stops its whole queue for a while. */
  async #connect(
    address: string,
    { deliver, client }: MailDomain,
    envelope: Envelope,
  ): Promise<MtaConversation | undefined> {
    const { clock, random, events, hostname } = this.#options;
    if (!deliver) return undefined;
    try {
      const mta = await openMta({
        address: deliver,
        form: client ?? 'none',
        client: envelope.client,
        hostname,
      });
      this.#mtas.delete(address);
      return mta;
    } catch (error) {
      const failures = (this.#mtas.get(address)?.failures ?? 0) + 1;
      const notBeforeMs = clock.nowMs() + retryDelayMs(failures, random.fraction());
      this.#mtas.set(address, { failures, notBeforeMs });
      if (failures === 1) events.trouble({ where: `MTA ${address}`, error: asError(error) });
      events.changed();
      return undefined;
    }
  }

  /** Record and message; a record that cannot be opened now waits like one that the MTA wants later. */
  async #open(message: QueuedMessage): Promise<{ envelope: Envelope; message: Uint8Array } | undefined> {
    const { inbox, random, events } = this.#options;
    let why = 'its record is gone';
    try {
      const opened = await inbox.open(message.id);
      if (opened?.kind === 'opened') return opened;
      if (opened) why = opened.why;
    } catch (error) {
      why = asError(error).message;
    }
    events.trouble({ where: `queued message ${message.id}`, error: new Error(why) });
    const input = {
      kind: 'attempted',
      outcomes: new Map(),
      reply: why,
      fraction: random.fraction(),
    } as const;
    await this.#settle(message, input);
    return undefined;
  }

  /** The recipients still waiting, by the MTA that each one's domain has. */
  #byMta(message: QueuedMessage): Map<string, { target: MailDomain; recipient: string }[]> {
    const groups = new Map<string, { target: MailDomain; recipient: string }[]>();
    for (const { address, state } of message.recipients) {
      const target = this.#target(address.slice(address.lastIndexOf('@') + 1));
      if (state !== 'waiting' || !target?.deliver) continue;
      const key = formatHostPort(target.deliver);
      groups.set(key, [...(groups.get(key) ?? []), { target, recipient: address }]);
    }
    return groups;
  }

  /** One transaction; fills in `outcomes` and returns what the MTA said last. Throws where it did not get an answer. */
  async #conversation(
    mta: MtaConversation,
    envelope: Envelope,
    message: Uint8Array,
    recipients: readonly string[],
    outcomes: Map<string, RecipientOutcome>,
  ): Promise<string> {
    if (this.#stop.signal.aborted) throw new MtaError('stopping');
    const cut = (): void => mta.destroy();
    this.#stop.signal.addEventListener('abort', cut);
    this.#cut.signal.addEventListener('abort', cut);
    try {
      const { body, smtpUtf8, dsn } = envelope;
      const parameters = { sizeBytes: message.length, body, smtpUtf8, dsn };
      const sender = answered(await mta.mail(envelope.from, parameters));
      if (sender.code !== 250) return judge(sender, recipients, outcomes);
      const accepted: string[] = [];
      let last = replyText(sender);
      for (const recipient of recipients) {
        const asked = envelope.recipientDsn[envelope.recipients.indexOf(recipient)] ?? noRecipientDsn;
        const answer = answered(await mta.rcpt(recipient, asked));
        const learnt = learntFrom(answer);
        if (learnt) this.#options.learn(recipient, learnt);
        if (answer.code < 300) accepted.push(recipient);
        else last = judge(answer, [recipient], outcomes);
      }
      if (accepted.length === 0) return last;
      const ready = await mta.data();
      if (ready.code !== 354) return judge(answered(ready), accepted, outcomes);
      const recipient = envelope.recipients.length === 1 ? envelope.recipients[0] : undefined;
      const trace = { client: envelope.client, by: envelope.by, recipient, atMs: envelope.receivedAtMs };
      await mta.write(toUtf8(receivedHeader(trace)));
      for (let at = 0; at < message.length; at += chunkBytes)
        await mta.write(message.subarray(at, at + chunkBytes));
      this.#stop.signal.removeEventListener('abort', cut);
      const final = answered(await mta.finish());
      mta.quit();
      return judge(final, accepted, outcomes);
    } finally {
      this.#stop.signal.removeEventListener('abort', cut);
      this.#cut.signal.removeEventListener('abort', cut);
    }
  }

  /** Carries out what a try means: durable effects first and until they succeed, then what people see. */
  async #settle(message: QueuedMessage, input: Parameters<typeof stepQueued>[1]): Promise<void> {
    const { inbox, clock, events, delivered } = this.#options;
    const nowMs = clock.nowMs();
    const [next, effects] = stepQueued(message, input, nowMs);
    // From here on this process does not try a delivered recipient again, even while the disk refuses to note it.
    if (next) inbox.queue.set(message.id, next);
    for (const effect of effects) {
      if (effect.kind !== 'report') {
        if (!(await this.#durably(() => inbox.apply(effect)))) return;
        if (effect.kind === 'forget') inbox.queue.delete(message.id);
        continue;
      }
      const fact = { id: message.id, domain: message.domain, recipients: effect.recipients.length };
      const reply = input.kind === 'attempted' ? input.reply : '';
      if (effect.what === 'delivered') events.delivered({ ...fact, waitedMs: nowMs - message.receivedAtMs });
      if (effect.what === 'quarantined') events.quarantined({ ...fact, reply });
      if (effect.what === 'deferred' && next)
        events.deferred({ ...fact, reply, nextTryAtMs: this.nextTryAtMs(next) ?? next.notBeforeMs });
    }
    if (!next) delivered(message.domain);
    events.changed();
  }

  /** Tries until it is done or we stop; after a stop the next start finds the message undelivered, which is the window. */
  async #durably(write: () => Promise<void>): Promise<boolean> {
    for (let failures = 1; ; failures++) {
      try {
        await write();
        return true;
      } catch (error) {
        this.#options.events.trouble({ where: 'recording a delivery', error: asError(error) });
        if (this.#stop.signal.aborted) return false;
        await pause(retryDelayMs(failures, this.#options.random.fraction()), this.#stop.signal);
      }
    }
  }
}

/** The reply, unless it says that the MTA is going away: then nothing it said about this message counts. */
function answered(answer: Reply): Reply {
  if (judgeReply(answer) === 'away') throw new MtaError(replyText(answer));
  return answer;
}

function judge(
  answer: Reply,
  recipients: readonly string[],
  outcomes: Map<string, RecipientOutcome>,
): string {
  const outcome = answer.code < 300 ? 'delivered' : answer.code < 500 ? 'deferred' : 'refused';
  for (const recipient of recipients) outcomes.set(recipient, outcome);
  return replyText(answer);
}
