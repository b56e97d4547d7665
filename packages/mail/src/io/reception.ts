import { createHash } from 'node:crypto';
import { type Clock, concatBytes, type FrameStream, type RecordSource } from '@copain/core';
import { admitRecipient, type MailParameters } from '../admission.ts';
import type { ClientInfo } from '../client-info.ts';
import { clientNetwork } from '../client-network.ts';
import { noRecipientDsn, type RecipientDsn } from '../dsn.ts';
import type { Envelope } from '../envelope.ts';
import { hopsMax, messageMaxBytes } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import { scanMessage } from '../message-scan.ts';
import { type Reply, reply, replyText } from '../smtp-reply.ts';
import type { HeldMessage } from '../spool.ts';
import type { RecordHeader } from '../spool-record.ts';
import { ArrivingMessage, type ArrivingRoom, diskLow } from './arriving-message.ts';
import type { CopyCount } from './copies.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { HeldStore } from './held-store.ts';
import type { Inbox } from './inbox.ts';
import { type LiveConversation, type LiveOutcome, openLiveConversation } from './live-friend.ts';
import { sealLargeMessage, sealMessage, tagsOf } from './seal.ts';
import type { Sealing } from './sealing.ts';
import { TemporaryBytes } from './temporary-bytes.ts';

/** What all receptions of one listener share. */
export interface ReceptionOptions {
  hostname: string;
  domains: () => readonly MailDomain[];
  /** A stream to the owner's agent, or to our own where the domain is ours. */
  openLive: (domain: MailDomain, signal: AbortSignal) => Promise<FrameStream>;
  held: HeldStore;
  inbox: Inbox;
  sealing: Sealing;
  /** What all messages under way take up together. */
  arriving: ArrivingRoom;
  /** May this recipient, of this domain, be promised while its owner cannot be asked? */
  judgeRecipient: (address: string, domain: MailDomain) => 'accept' | 'defer';
  clock: Clock;
  events: MailEvents;
  /** Told with every 250 after a dot, and with every message that now waits here. */
  accepted: (domain: MailDomain, how: 'live' | 'held') => void;
  /** Waits, not for long, until a second friend has what is held, where its owner wants that. */
  secondCopy: (held: readonly HeldMessage[]) => Promise<CopyCount>;
  waiting: (domain: MailDomain) => void;
}

/**
 * One mail transaction of one client: MAIL, RCPTs, DATA. Live while the owner's MTA answers; at the first sign that it
 * does not, held. What was promised to the client in one mode is kept in the other.
 */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #client: ClientInfo;
  readonly #from: string;
  readonly #parameters: MailParameters;
  readonly #receivedAtMs: number;
  readonly #recipients: string[] = [];
  readonly #recipientDsn = new Map<string, RecipientDsn>();
  #domain: MailDomain | undefined;
  #live: LiveConversation | undefined;
  #whyHeld = '';

  constructor(
    options: ReceptionOptions,
    { client, from, parameters }: { client: ClientInfo; from: string; parameters: MailParameters },
  ) {
    this.#options = options;
    this.#client = client;
    this.#from = from;
    this.#parameters = parameters;
    this.#receivedAtMs = options.clock.nowMs();
  }

  /** Gives up what is under way, when the client resets, begins anew or goes. */
  abandon(): void {
    this.#live?.abort('the client gave up');
    this.#live = undefined;
  }

  /** The reply to one RCPT; `dsn`: what the sender wants to hear of this recipient. */
  async rcpt(address: string, dsn: RecipientDsn): Promise<Reply> {
    const { domains } = this.#options;
    const { smtpUtf8 } = this.#parameters;
    // Until somebody's recipient was accepted the transaction may still become another owner's.
    const ownerId = this.#recipients.length > 0 ? this.#domain?.ownerId : undefined;
    const decision = admitRecipient(address, domains(), { ownerId, recipients: this.#recipients, smtpUtf8 });
    if (decision.kind === 'refused') return this.#refuse(decision.reply, undefined);
    if (this.#domain?.ownerId !== decision.domain.ownerId) {
      this.abandon();
      this.#domain = decision.domain;
      await this.#goLive(decision.domain);
    }
    const answer = this.#live ? await this.#rcptLive(decision.address, dsn) : undefined;
    const given = answer ?? (await this.#rcptHeld(decision.address, decision.domain));
    if (given.code >= 300) return given;
    if (!this.#recipients.includes(decision.address)) this.#recipients.push(decision.address);
    this.#recipientDsn.set(decision.address, dsn);
    return given;
  }

  async #goLive(domain: MailDomain): Promise<void> {
    const { openLive, hostname } = this.#options;
    try {
      this.#live = await openLiveConversation((signal) => openLive(domain, signal), {
        by: hostname,
        client: this.#client,
        receivedAtMs: this.#receivedAtMs,
        from: this.#from,
        parameters: this.#parameters,
        domain: domain.domain,
      });
    } catch (error) {
      this.#whyHeld = asError(error).message;
    }
  }

  /** The owner's answer; undefined where he turned out to be away. */
  async #rcptLive(address: string, dsn: RecipientDsn): Promise<Reply | undefined> {
    const outcome = await this.#live?.rcpt(address, dsn);
    if (outcome?.kind === 'answered') {
      if (outcome.reply.code >= 300) this.#tellRefused(outcome.reply, this.#domain?.domain);
      return outcome.reply;
    }
    this.#lost(outcome);
    return undefined;
  }

  async #rcptHeld(address: string, domain: MailDomain): Promise<Reply> {
    const { held, judgeRecipient } = this.#options;
    if (judgeRecipient(address, domain) === 'defer') return this.#refuse(recipientUnknown, domain);
    if (domain.sealTo.length === 0) return this.#refuse(reply(451, '4.3.0 owner away, try later'), domain);
    if (domain.role === 'backup' && !held.hasRoom(domain, this.#parameters.sizeBytes ?? 0))
      return this.#refuse(reply(452, '4.2.2 no room to hold mail for this domain'), domain);
    if (await this.#options.arriving.isDiskLow()) return this.#refuse(diskLow, domain);
    return reply(250, '2.1.5 Accepted');
  }

  /**
   * Reads DATA to its end and answers it. Rejects when the client is gone; then nothing is kept and the owner's MTA sees
   * no dot. `progress` hears of every piece, for the listener's clock.
   */
  async data(
    pieces: AsyncIterable<Uint8Array>,
    progress: { came(sizeBytes: number): void; done(): void },
  ): Promise<Reply> {
    const { arriving } = this.#options;
    await using kept = new ArrivingMessage(arriving, clientNetwork(this.#client.ip));
    try {
      const scan = scanMessage();
      const hash = createHash('sha256');
      let verdict: Reply | undefined;
      let early = await this.#live?.data();
      for await (const piece of pieces) {
        scan.push(piece);
        progress.came(piece.length);
        verdict ??= unacceptable(scan);
        if (verdict === undefined && early?.kind !== 'answered') {
          if (early) this.#lost(early);
          hash.update(piece);
          await kept.push(piece);
          // While the owner listens a copy that cannot be kept is no harm: he may still take the message himself.
          if (this.#live) early = await this.#live.write(piece);
          else verdict = kept.refusal;
        }
        if (verdict) {
          this.abandon();
          await kept.drop();
        }
        progress.done();
      }
      if (!verdict && !scan.isClean()) verdict = reply(550, '5.5.2 line without CRLF in the message');
      if (verdict) {
        this.abandon();
        return this.#refuse(verdict, this.#domain);
      }
      return await this.#end(early, {
        kept,
        sizeBytes: scan.sizeBytes,
        dataHash: new Uint8Array(hash.digest()),
      });
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  async #end(early: LiveOutcome | undefined, content: MessageContent): Promise<Reply> {
    const { clock, events, accepted } = this.#options;
    const domain = this.#domain;
    if (!domain) return reply(503, '5.5.1 need RCPT command');
    const outcome = early ?? (await this.#live?.finish());
    if (outcome?.kind === 'answered') {
      const { code } = outcome.reply;
      const tookMs = clock.nowMs() - this.#receivedAtMs;
      events.passed({
        domain: domain.domain,
        ownerName: domain.ownerName,
        code,
        sizeBytes: content.sizeBytes,
        tookMs,
      });
      if (code < 300) accepted(domain, 'live');
      return outcome.reply;
    }
    if (outcome) this.#lost(outcome);
    return await this.#hold(domain, content);
  }

  /** Seals and stores; 250 only when it is on disk. Anything else is a 4xx, and the sender keeps the message. */
  async #hold(domain: MailDomain, { kept, sizeBytes, dataHash }: MessageContent): Promise<Reply> {
    const { held, hostname, events, arriving } = this.#options;
    const { smtpUtf8, body = '', dsn } = this.#parameters;
    const { ownerId } = domain;
    if (kept.refusal) return this.#refuse(kept.refusal, domain);
    const envelope: Envelope = {
      from: this.#from,
      recipients: this.#recipients,
      client: this.#client,
      receivedAtMs: this.#receivedAtMs,
      by: hostname,
      body,
      smtpUtf8,
      dsn,
      recipientDsn: this.#recipients.map((to) => this.#recipientDsn.get(to) ?? noRecipientDsn),
    };
    const tags = tagsOf(ownerId, envelope, dataHash);
    const same = held.withTags(tags);
    if (same) return await this.#acceptHeld(domain, same);
    if (await arriving.isDiskLow()) return this.#refuse(diskLow, domain);
    try {
      const { sealTo } = domain;
      const wanted = { ownerId, domain: domain.domain, sealTo, envelope, messageBytes: sizeBytes, tags };
      await using sealed = new TemporaryBytes(arriving.dir, arriving.memory);
      const { bytes } = kept;
      const message = bytes.inMemory;
      const { header, record } =
        message === undefined
          ? await sealLargeMessage({ ...wanted, message: bytes, sealed })
          : await sealMessage({
              ...wanted,
              message,
              seal: (to, content) => this.#options.sealing.seal(to, content),
            });
      const stored =
        domain.role === 'own'
          ? await this.#storeOwn(record)
          : await this.#storeHeld(record, header, domain, sizeBytes);
      if (stored) return this.#refuse(stored, domain);
    } catch (error) {
      events.trouble({ where: `holding mail for ${domain.domain}`, error: asError(error) });
      return this.#refuse(reply(451, '4.3.0 cannot hold this now, try later'), domain);
    }
    this.#options.waiting(domain);
    return await this.#acceptHeld(domain, held.withTags(tags) ?? []);
  }

  /** The refusal, or undefined when it is safely held. */
  async #storeHeld(
    record: Uint8Array | RecordSource,
    header: RecordHeader,
    domain: MailDomain,
    sizeBytes: number,
  ): Promise<Reply | undefined> {
    const { held, events } = this.#options;
    const outcome = await held.add(record, header, domain);
    switch (outcome.kind) {
      case 'stored': {
        const { ownerName } = domain;
        events.held({
          id: outcome.message.id,
          domain: domain.domain,
          ownerName,
          sizeBytes,
          why: this.#whyHeld,
        });
        return undefined;
      }
      case 'duplicate':
        return undefined;
      case 'full':
        return reply(452, '4.2.2 no room to hold mail for this domain');
      case 'failed':
        events.trouble({ where: 'storing held mail', error: asError(outcome.cause) });
        return reply(452, '4.3.1 cannot store this now, try later');
    }
  }

  /** Mail for our own domain whose MTA is away goes straight into our own queue. */
  async #storeOwn(record: Uint8Array | RecordSource): Promise<Reply | undefined> {
    const { inbox, arriving } = this.#options;
    const outcome =
      record instanceof Uint8Array
        ? await inbox.take(record)
        : await arriving.oneAtATime(async () => await inbox.take(await wholeOf(record)));
    return outcome.kind === 'later' ? reply(451, '4.3.0 cannot take this now, try later') : undefined;
  }

  /** Nothing is held any more where the owner has it by now, and mail of our own is in the queue. */
  async #acceptHeld(domain: MailDomain, messages: readonly HeldMessage[]): Promise<Reply> {
    const count = await this.#options.secondCopy(messages);
    this.#options.accepted(domain, 'held');
    return reply(250, `2.0.0 Ok: held for the owner${count === 'two' ? ', by two friends' : ''}`);
  }

  #lost(outcome: LiveOutcome | undefined): void {
    if (outcome?.kind === 'away') this.#whyHeld = outcome.why;
    this.#live = undefined;
  }

  #refuse(answer: Reply, domain: MailDomain | undefined): Reply {
    this.#tellRefused(answer, domain?.domain);
    return answer;
  }

  #tellRefused(answer: Reply, domain: string | undefined): void {
    const { events } = this.#options;
    events.refused({ client: this.#client.ip, domain, code: answer.code, why: replyText(answer) });
  }
}

const recipientUnknown = reply(
  451,
  '4.1.1 this recipient is not known here while the mail server of the domain is away, try later',
);

/** A message that came in whole. */
interface MessageContent {
  kept: ArrivingMessage;
  sizeBytes: number;
  dataHash: Uint8Array;
}

function unacceptable(scan: {
  sizeBytes: number;
  bareLineEnd: boolean;
  receivedLines: number;
}): Reply | undefined {
  if (scan.bareLineEnd) return reply(550, '5.5.2 bare CR or LF in the message (RFC 5321 section 2.3.8)');
  if (scan.sizeBytes > messageMaxBytes) return reply(552, '5.3.4 message too big');
  if (scan.receivedLines > hopsMax) return reply(554, '5.4.6 too many hops, mail loop');
  return undefined;
}

async function wholeOf(record: RecordSource): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of record.pieces()) pieces.push(piece);
  return concatBytes(...pieces);
}
