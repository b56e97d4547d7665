import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Clock, type FrameStream, formatHostPort } from '@copain/core';
import { rawAtOwnerMax, rawGreetMs } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import { proxyV1Header, proxyV2Header } from '../proxy-header.ts';
import { encodeRawFrame, rawVersion } from '../raw-frames.ts';
import { type ClaimView, judgeGreeting, rawTarget, whyNotClient } from '../raw-plan.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { bytesFrom, pipeRaw, receiveRaw, sendRaw } from './raw-pipe.ts';

export interface RawOwnerOptions {
  domains: () => readonly MailDomain[];
  claims: () => ClaimView;
  clock: Clock;
  events: MailEvents;
}

/** Why the friend should have the conversation himself. */
class Declined extends Error {}

interface Greeted {
  client: string;
  socket: Socket;
  incoming: AsyncIterator<Uint8Array>;
  greeting: Uint8Array;
}

/**
 * The owner's end of raw mode: connects to the MTA of `granted`, the domains that this friend takes mail for, and passes
 * bytes both ways. It never connects anywhere else, whatever the friend says.
 */
export class RawOwner implements AsyncDisposable {
  readonly #options: RawOwnerOptions;
  readonly #streams = new Set<FrameStream>();
  #declining = 0;
  /** When a connection was last given to the MTA, 0 where none was. */
  passedAtMs = 0;

  constructor(options: RawOwnerOptions) {
    this.#options = options;
  }

  /** Until it is disposed of friends have all conversations themselves: something is on its way that they are to hold. */
  decline(): Disposable {
    this.#declining += 1;
    let over = false;
    return {
      [Symbol.dispose]: () => {
        if (!over) this.#declining -= 1;
        over = true;
      },
    };
  }

  /** Serves one stream. Never rejects. */
  async handle(stream: FrameStream, friend: string, granted: readonly string[]): Promise<void> {
    if (this.#streams.size >= rawAtOwnerMax) {
      await sayAway(stream, 'too many raw connections');
      return;
    }
    this.#streams.add(stream);
    try {
      const greeted = await this.#greeted(stream, friend, granted);
      if (greeted) await this.#pass(stream, friend, greeted);
    } catch (error) {
      stream.abort(asError(error));
    } finally {
      this.#streams.delete(stream);
    }
  }

  /** The MTA with its first words, or undefined where the friend was told why there is none. */
  async #greeted(
    stream: FrameStream,
    friend: string,
    granted: readonly string[],
  ): Promise<Greeted | undefined> {
    const hello = await withDeadline(receiveRaw(stream), rawGreetMs, 'friend');
    if (hello?.t !== 'hello' || hello.version !== rawVersion) {
      await sayAway(stream, `this box speaks raw mail version ${rawVersion}`);
      return undefined;
    }
    const { client } = hello;
    let socket: Socket | undefined;
    try {
      if (this.#declining > 0) throw new Declined('a canary is on its way');
      const why = whyNotClient(client, this.#options.claims());
      if (why !== undefined) throw new Declined(why);
      const target = rawTarget(this.#options.domains(), granted);
      if (target.kind === 'none') throw new Declined(target.why);
      const { address, form } = target;
      socket = connect({ ...address, noDelay: true, allowHalfOpen: true });
      socket.on('error', () => {});
      const header = form === 'proxy-v1' ? proxyV1Header(client) : proxyV2Header(client);
      const incoming = bytesFrom(socket);
      const greeting = await withDeadline(
        greet(socket, incoming, header),
        rawGreetMs,
        formatHostPort(address),
      );
      return { client: client.ip, socket, incoming, greeting };
    } catch (error) {
      socket?.destroy();
      const why = error instanceof Declined ? error.message : 'the mail server does not answer';
      this.#options.events.rawDeclined({ client: client.ip, friend, why: asError(error).message });
      await sayAway(stream, why);
      return undefined;
    }
  }

  async #pass(stream: FrameStream, friend: string, mta: Greeted): Promise<void> {
    const { clock, events } = this.#options;
    const { socket, incoming, greeting, client } = mta;
    const startedAtMs = clock.nowMs();
    this.passedAtMs = startedAtMs;
    const counts = { fromSocketBytes: greeting.length, toSocketBytes: 0 };
    let broken: string | undefined;
    try {
      await stream.send(encodeRawFrame({ t: 'ready' }));
      await sendRaw(stream, greeting);
      await pipeRaw(socket, incoming, stream, { counts });
      socket.destroySoon();
    } catch (error) {
      broken = asError(error).message;
      socket.destroy();
      stream.abort(asError(error));
    }
    events.rawEnded({
      client,
      friend,
      toMtaBytes: counts.toSocketBytes,
      fromMtaBytes: counts.fromSocketBytes,
      tookMs: clock.nowMs() - startedAtMs,
      broken,
    });
  }

  /** Cuts what is passed on: the senders come again. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) stream.abort(new Error('shutting down'));
  }
}

/** Says who the client is, and resolves with the first words of the MTA. */
async function greet(
  socket: Socket,
  incoming: AsyncIterator<Uint8Array>,
  header: Uint8Array,
): Promise<Uint8Array> {
  await once(socket, 'connect');
  socket.write(header);
  let greeting = Buffer.alloc(0);
  for (;;) {
    const next = await incoming.next();
    if (next.done === true) throw new Error('the mail server closed without a greeting');
    greeting = Buffer.concat([greeting, next.value]);
    const verdict = judgeGreeting(greeting.toString('latin1'));
    if (verdict === 'talks') return greeting;
    if (verdict === 'away')
      throw new Error(`the mail server greets with ${JSON.stringify(greeting.toString('latin1', 0, 60))}`);
  }
}

async function sayAway(stream: FrameStream, why: string): Promise<void> {
  try {
    await stream.send(encodeRawFrame({ t: 'away', why }));
    await stream.end();
  } catch (error) {
    stream.abort(asError(error));
  }
}
