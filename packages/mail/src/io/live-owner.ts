import { createHash, type Hash } from 'node:crypto';
import { type Clock, type FrameStream, formatHostPort, toUtf8 } from '@copain/core';
import { admitRecipient } from '../admission.ts';
import { liveFrameMs, messageMaxBytes } from '../limits.ts';
import { decodeLiveRequest, encodeLiveAnswer, type LiveRequest, liveVersion } from '../live-frames.ts';
import type { MailDomain } from '../mail-domain.ts';
import { type MessageScan, scanMessage } from '../message-scan.ts';
import { learntFrom } from '../recipient-policy.ts';
import { judgeReply, type Reply, reply } from '../smtp-reply.ts';
import { receivedHeader } from '../trace.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { Inbox } from './inbox.ts';
import { tagsOf } from './seal.ts';
import { type MtaConversation, openMta } from './smtp-client.ts';

export interface LiveOwnerOptions {
  inbox: Inbox;
  domains: () => readonly MailDomain[];
  hostname: string;
  clock: Clock;
  events: MailEvents;
  /** Told when the MTA accepted a message, or had it already. */
  delivered: (domain: string) => void;
  isCanary: (address: string) => boolean;
  /** What the MTA said of a recipient. */
  learn: (address: string, what: 'known' | 'refused') => void;
}

/** The message is better held by the friend: our MTA is away, or the two sides no longer understand each other. */
class Away extends Error {}

/**
 * The owner's end of a live conversation: what a friend's client says, said to our MTA; what the MTA answers, answered.
 * One transaction per stream. That a message was delivered is on disk before its 250 leaves here, so that a copy which a
 * friend holds because the 250 got lost is recognised. Never rejects.
 */
export async function handleLive(stream: FrameStream, options: LiveOwnerOptions): Promise<void> {
  const conversation = new OwnerConversation(stream, options);
  try {
    await conversation.run();
    await stream.end();
  } catch (error) {
    if (error instanceof Away) await sayAway(stream, error.message);
    else stream.abort(asError(error));
  } finally {
    conversation.close();
  }
}

async function sayAway(stream: FrameStream, why: string): Promise<void> {
  try {
    await stream.send(encodeLiveAnswer({ t: 'away', why }));
    await stream.end();
  } catch (error) {
    stream.abort(asError(error));
  }
}

type Hello = LiveRequest & { t: 'hello' };
type Mail = LiveRequest & { t: 'mail' };

class OwnerConversation {
  readonly #stream: FrameStream;
  readonly #options: LiveOwnerOptions;
  #mta: MtaConversation | undefined;

  constructor(stream: FrameStream, options: LiveOwnerOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  close(): void {
    this.#mta?.destroy();
  }

  async run(): Promise<void> {
    const hello = await this.#frame();
    if (hello?.t !== 'hello' || hello.version !== liveVersion)
      throw new Away(`this box speaks live mail version ${liveVersion}`);
    const mail = await this.#frame();
    if (mail?.t !== 'mail') throw new Away('expected mail');
    const target = this.#target(mail.domain);
    this.#mta = await this.#connect(target, hello);
    const sender = await this.#asked(() => this.#mta?.mail(mail.from, mail));
    await this.#answer(sender);
    if (sender.code !== 250) return;
    await this.#recipients(hello, mail, target);
  }

  async #recipients(hello: Hello, mail: Mail, target: MailDomain): Promise<void> {
    const accepted: string[] = [];
    for (;;) {
      const frame = await this.#frame();
      if (!frame) return;
      if (frame.t === 'data' && accepted.length > 0) {
        await this.#data(hello, mail, accepted, target);
        return;
      }
      if (frame.t !== 'rcpt') throw new Away(`unexpected ${frame.t}`);
      // It is to go the way that mail goes while this box is away, and never to the MTA.
      if (this.#options.isCanary(frame.to)) throw new Away('a canary is to be held');
      const refusal = this.#refusal(frame.to, mail, accepted, target);
      const answer = refusal ?? (await this.#asked(() => this.#mta?.rcpt(frame.to, frame.dsn)));
      const learnt = refusal ? undefined : learntFrom(answer);
      if (learnt) this.#options.learn(frame.to, learnt);
      if (answer.code < 300 && !accepted.includes(frame.to)) accepted.push(frame.to);
      await this.#answer(answer);
    }
  }

  /** The friend has judged the address already; a friend may be wrong or worse, so it is judged here too. */
  #refusal(to: string, mail: Mail, accepted: readonly string[], target: MailDomain): Reply | undefined {
    const own = this.#options.domains().filter(({ role }) => role === 'own');
    const soFar = { ownerId: undefined, recipients: accepted, smtpUtf8: mail.smtpUtf8 };
    const decision = admitRecipient(to, own, soFar);
    if (decision.kind === 'refused') return decision.reply;
    if (decision.address !== to) return reply(501, '5.1.3 bad recipient address');
    const { deliver } = decision.domain;
    if (!deliver || !target.deliver || formatHostPort(deliver) !== formatHostPort(target.deliver))
      return reply(452, '4.5.3 this recipient in a transaction of its own, please');
    return undefined;
  }

  async #data(hello: Hello, mail: Mail, accepted: readonly string[], target: MailDomain): Promise<void> {
    const mta = this.#mta;
    if (!mta) throw new Away('no MTA');
    const ready = await this.#asked(() => mta.data(), 354);
    if (ready.code !== 354) {
      await this.#answer(ready);
      return;
    }
    const recipient = accepted.length === 1 ? accepted[0] : undefined;
    const trace = { client: hello.client, by: hello.by, recipient, atMs: hello.receivedAtMs };
    await this.#away(mta.write(toUtf8(receivedHeader(trace))));
    const hash = createHash('sha256');
    const scan = scanMessage();
    if (!(await this.#chunks(mta, scan, hash))) return;
    const dataHash = new Uint8Array(hash.digest());
    const tags = tagsOf(target.ownerId, { from: mail.from, recipients: accepted }, dataHash);
    await this.#finish(mta, tags, target.domain);
  }

  /** Passes the message on up to the dot. False where the friend took it back; then the MTA never sees a dot. */
  async #chunks(mta: MtaConversation, scan: MessageScan, hash: Hash): Promise<boolean> {
    for (;;) {
      const frame = await this.#frame();
      if (!frame) return false;
      if (frame.t === 'dot') break;
      if (frame.t !== 'chunk') throw new Away(`unexpected ${frame.t}`);
      scan.push(frame.bytes);
      if (scan.bareLineEnd || scan.sizeBytes > messageMaxBytes) throw new Away('not a message we pass on');
      hash.update(frame.bytes);
      await this.#away(mta.write(frame.bytes));
    }
    if (!scan.isClean()) throw new Away('not a message we pass on');
    return true;
  }

  async #finish(mta: MtaConversation, tags: Uint8Array[], domain: string): Promise<void> {
    const { inbox, delivered } = this.#options;
    const claim = await this.#away(inbox.claim(tags));
    if (claim === 'mixed') throw new Away('seen in part already');
    if (claim === 'known') {
      mta.destroy();
      await this.#answer(reply(250, '2.0.0 received before'));
      return;
    }
    let final: Reply | undefined;
    try {
      final = await this.#asked(() => mta.finish());
      mta.quit();
    } finally {
      await inbox.settle(tags, final !== undefined && final.code < 300);
    }
    if (final.code < 300) delivered(domain);
    await this.#answer(final);
  }

  #target(domain: string): MailDomain {
    const target = this.#options.domains().find((one) => one.role === 'own' && one.domain === domain);
    if (!target?.deliver) throw new Away('not a domain of mine');
    return target;
  }

  async #connect(target: MailDomain, hello: Hello): Promise<MtaConversation> {
    if (!target.deliver) throw new Away('no MTA');
    const { hostname } = this.#options;
    return await this.#away(
      openMta({ address: target.deliver, form: target.client ?? 'none', client: hello.client, hostname }),
    );
  }

  /** The next frame; undefined when the friend has ended the stream. Something that is no frame of ours ends it all. */
  async #frame(): Promise<LiveRequest | undefined> {
    const bytes = await withDeadline(this.#stream.receive(), liveFrameMs, 'friend');
    if (!bytes) return undefined;
    const request = decodeLiveRequest(bytes);
    if (!request) throw new Away('not a frame of this protocol');
    return request;
  }

  async #answer(answer: Reply): Promise<void> {
    await this.#stream.send(encodeLiveAnswer({ t: 'reply', reply: answer }));
  }

  /** The MTA's reply, where it is one to pass on (or the one expected); everything else means that it is away. */
  async #asked(ask: () => Promise<Reply> | undefined, expected?: number): Promise<Reply> {
    const answer = await this.#away(ask() ?? Promise.reject(new Error('no MTA')));
    if (answer.code !== expected && judgeReply(answer) === 'away') throw new Away(`MTA says ${answer.code}`);
    return answer;
  }

  async #away<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      throw new Away(asError(error).message, { cause: error });
    }
  }
}
