import type { FrameStream } from '@copain/core';
import type { MailParameters } from '../admission.ts';
import type { ClientInfo } from '../client-info.ts';
import type { RecipientDsn } from '../dsn.ts';
import { chunkBytes, liveFinalMs, liveOpenMs, liveReplyMs, liveStallMs } from '../limits.ts';
import { decodeLiveAnswer, encodeLiveRequest, type LiveRequest, liveVersion } from '../live-frames.ts';
import { judgeReply, type Reply } from '../smtp-reply.ts';
import { asError, withDeadline } from './deadline.ts';

export interface LiveStart {
  by: string;
  client: ClientInfo;
  receivedAtMs: number;
  from: string;
  parameters: MailParameters;
  domain: string;
}

/** The owner's own answer, or that he is away for this message, which is then held. */
export type LiveOutcome = { kind: 'answered'; reply: Reply } | { kind: 'away'; why: string };

/**
 * Opens a live conversation within its five seconds and says hello and MAIL on it, without waiting for the answer: the
 * first `rcpt` collects that too. Rejects where the owner cannot be reached.
 */
export async function openLiveConversation(
  open: (signal: AbortSignal) => Promise<FrameStream>,
  { by, client, receivedAtMs, from, parameters, domain }: LiveStart,
): Promise<LiveConversation> {
  const giveUp = new AbortController();
  const opening = open(giveUp.signal);
  try {
    const stream = await withDeadline(opening, liveOpenMs, 'owner');
    const conversation = new LiveConversation(stream);
    await conversation.send({ t: 'hello', version: liveVersion, by, client, receivedAtMs });
    const { sizeBytes = 0, body = '', smtpUtf8, dsn } = parameters;
    await conversation.send({ t: 'mail', from, domain, sizeBytes, body, smtpUtf8, dsn });
    return conversation;
  } catch (error) {
    giveUp.abort(error);
    // A stream that comes after all is of no use to anybody.
    opening.then(
      (stream) => stream.abort(asError(error)),
      () => {},
    );
    throw error;
  }
}

/** The friend's end of a live conversation. After `away` or `abort` it is of no further use. */
export class LiveConversation {
  readonly #stream: FrameStream;
  #mail: LiveOutcome | undefined;
  #early: Promise<LiveOutcome> | undefined;
  #earlyOutcome: LiveOutcome | undefined;

  constructor(stream: FrameStream) {
    this.#stream = stream;
  }

  async send(request: LiveRequest): Promise<void> {
    await withDeadline(this.#stream.send(encodeLiveRequest(request)), liveStallMs, 'path to the owner');
  }

  /**
   * The owner's answer to one RCPT. A refusal of MAIL shows here, and at every further RCPT, since the client's MAIL was
   * answered before anybody could know whose mail it is.
   */
  async rcpt(to: string, dsn: RecipientDsn): Promise<LiveOutcome> {
    try {
      if (this.#mailRefused()) return this.#mail ?? { kind: 'away', why: 'no answer' };
      await this.send({ t: 'rcpt', to, dsn });
      this.#mail ??= await this.#answer(liveReplyMs);
      return this.#mailRefused() ? this.#mail : await this.#answer(liveReplyMs);
    } catch (error) {
      return this.#lost(error);
    }
  }

  /** DATA begins; the owner may answer from now on, at the latest after the dot. */
  async data(): Promise<LiveOutcome | undefined> {
    try {
      await this.send({ t: 'data' });
    } catch (error) {
      return this.#lost(error);
    }
    this.#early = this.#answer(undefined).then((outcome) => {
      this.#earlyOutcome = outcome;
      return outcome;
    });
    return undefined;
  }

  /** A piece of the message. An outcome means that the rest is not wanted: refused already, or the path is gone. */
  async write(piece: Uint8Array): Promise<LiveOutcome | undefined> {
    for (let at = 0; at < piece.length; at += chunkBytes) {
      if (this.#earlyOutcome) return this.#earlyOutcome;
      const sent = this.send({ t: 'chunk', bytes: piece.subarray(at, at + chunkBytes) }).then(
        () => undefined,
        (error: unknown) => this.#lost(error),
      );
      // An owner who has refused reads no more, so a full stream must not keep us from hearing it.
      const outcome = await Promise.race([sent, this.#early]);
      if (outcome) return outcome;
    }
    return undefined;
  }

  /** The dot, and the owner's final answer; silence for too long is `away`, though he may still deliver it. */
  async finish(): Promise<LiveOutcome> {
    try {
      await this.send({ t: 'dot' });
      const outcome = await withDeadline(
        this.#early ?? this.#answer(undefined),
        liveFinalMs,
        'final answer of the owner',
      );
      if (outcome.kind === 'answered') this.close();
      return outcome;
    } catch (error) {
      return this.#lost(error);
    }
  }

  /** The end of an answered conversation. */
  close(): void {
    this.#stream.end().catch((error: unknown) => this.#stream.abort(asError(error)));
  }

  /** Takes back what was said: the owner's MTA gets no dot. */
  abort(why: string): void {
    this.#stream.abort(new Error(why));
  }

  async #answer(limitMs: number | undefined): Promise<LiveOutcome> {
    try {
      const receiving = this.#stream.receive();
      const frame = await (limitMs === undefined ? receiving : withDeadline(receiving, limitMs, 'owner'));
      const answer = frame && decodeLiveAnswer(frame);
      if (!answer)
        return this.#lost(new Error(frame ? 'not a frame of this protocol' : 'owner ended the stream'));
      if (answer.t === 'away') return this.#lost(new Error(answer.why));
      if (judgeReply(answer.reply) === 'away')
        return this.#lost(new Error(`owner says ${answer.reply.code}`));
      return { kind: 'answered', reply: answer.reply };
    } catch (error) {
      return this.#lost(error);
    }
  }

  #mailRefused(): boolean {
    return this.#mail !== undefined && (this.#mail.kind === 'away' || this.#mail.reply.code !== 250);
  }

  #lost(error: unknown): LiveOutcome {
    const reason = asError(error);
    this.#stream.abort(reason);
    return { kind: 'away', why: reason.message };
  }
}
