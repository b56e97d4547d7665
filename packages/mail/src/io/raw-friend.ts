import type { Socket } from 'node:net';
import type { Clock, FrameStream } from '@copain/core';
import type { ClientInfo } from '../client-info.ts';
import { clientNetwork } from '../client-network.ts';
import { liveOpenMs, rawLingerMs } from '../limits.ts';
import { encodeRawFrame, rawVersion } from '../raw-frames.ts';
import { mayGoRaw } from '../raw-plan.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { bytesFrom, pipeRaw, receiveRaw } from './raw-pipe.ts';

export interface RawDoorOptions {
  /** Whose address it is, asked for every connection; undefined where the configuration names nobody of the circle. */
  owner: () => { ownerId: string; name: string } | undefined;
  /** A stream to the agent of the owner's box; rejects where it cannot be reached. */
  open: (ownerId: string, signal: AbortSignal) => Promise<FrameStream>;
  clock: Clock;
  events: MailEvents;
}

/** A connection that waits for the owner's word, or is passed on. */
interface Seat {
  network: string;
  socket: Socket;
}

/**
 * The door of an address that belongs to one owner. Each connection is offered to his agent before anything is said on
 * it: if that and his MTA answer within five seconds, bytes pass both ways untouched, STARTTLS included; else the
 * conversation begins here (`talk`). Once bytes have passed it is the MTA's conversation: a path that breaks closes it.
 */
export class RawDoor implements AsyncDisposable {
  readonly #options: RawDoorOptions;
  readonly #seats = new Set<Seat>();
  #stopping = false;

  constructor(options: RawDoorOptions) {
    this.#options = options;
  }

  /** Called by the listener with each new connection. */
  enter(socket: Socket, talk: () => void): void {
    // Whoever goes while he waits is noticed by `destroyed`.
    socket.on('error', () => {});
    void this.#enter(socket, talk);
  }

  async #enter(socket: Socket, talk: () => void): Promise<void> {
    const client = clientOf(socket);
    const owner = this.#options.owner();
    if (client === undefined || this.#stopping) {
      socket.destroy();
      return;
    }
    if (owner === undefined) {
      socket.write('421 4.3.2 nobody has this address now, try again later\r\n');
      // A client that keeps its side open is not waited for.
      socket.destroySoon();
      this.#declined(client, '', 'smtp.raw names an owner who is not in the circle');
      return;
    }
    if (
      !mayGoRaw(
        client.ip,
        [...this.#seats].map(({ network }) => network),
      )
    ) {
      this.#declined(client, owner.name, 'too many raw connections');
      talk();
      return;
    }
    const seat: Seat = { network: clientNetwork(client.ip), socket };
    this.#seats.add(seat);
    try {
      const stream = await this.#offer(client, owner.ownerId);
      await this.#pass(seat, client, owner.name, stream);
    } catch (error) {
      this.#seats.delete(seat);
      if (socket.destroyed || this.#stopping) {
        socket.destroy();
        return;
      }
      this.#declined(client, owner.name, asError(error).message);
      talk();
    } finally {
      this.#seats.delete(seat);
    }
  }

  /** A stream on which the owner's MTA has greeted. Rejects where there is none within the deadline. */
  async #offer(client: ClientInfo, ownerId: string): Promise<FrameStream> {
    const giveUp = new AbortController();
    const asking = async (): Promise<FrameStream> => {
      const stream = await this.#options.open(ownerId, giveUp.signal);
      const cut = (): void => stream.abort(new Error('given up'));
      giveUp.signal.addEventListener('abort', cut);
      try {
        giveUp.signal.throwIfAborted();
        await stream.send(encodeRawFrame({ t: 'hello', version: rawVersion, client }));
        const answer = await receiveRaw(stream);
        giveUp.signal.throwIfAborted();
        if (answer?.t === 'ready') return stream;
        throw new Error(answer?.t === 'away' ? answer.why : 'owner ended the stream');
      } catch (error) {
        stream.abort(asError(error));
        throw error;
      } finally {
        giveUp.signal.removeEventListener('abort', cut);
      }
    };
    try {
      return await withDeadline(asking(), liveOpenMs, 'owner');
    } catch (error) {
      giveUp.abort();
      throw error;
    }
  }

  /** Never rejects: what happens from here on is between the client and the MTA. */
  async #pass({ socket }: Seat, client: ClientInfo, friend: string, stream: FrameStream): Promise<void> {
    const { clock, events } = this.#options;
    const startedAtMs = clock.nowMs();
    const counts = { fromSocketBytes: 0, toSocketBytes: 0 };
    let broken: string | undefined;
    try {
      await pipeRaw(socket, bytesFrom(socket), stream, { counts, lingerMs: rawLingerMs });
      // What is left to write goes out; a client that does not read it is not waited for.
      socket.setTimeout(rawLingerMs, () => socket.destroy());
      socket.destroySoon();
    } catch (error) {
      broken = asError(error).message;
      socket.destroy();
    }
    stream.abort(new Error(broken ?? 'both sides have ended'));
    events.rawEnded({
      client: client.ip,
      friend,
      toMtaBytes: counts.fromSocketBytes,
      fromMtaBytes: counts.toSocketBytes,
      tookMs: clock.nowMs() - startedAtMs,
      broken,
    });
  }

  #declined(client: ClientInfo, friend: string, why: string): void {
    this.#options.events.rawDeclined({ client: client.ip, friend, why });
  }

  /** Cuts what is passed on: the senders come again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    for (const { socket } of this.#seats) socket.destroy();
  }
}

/** Undefined where the client is gone already. */
function clientOf(socket: Socket): ClientInfo | undefined {
  const { remoteAddress: ip, remotePort: port, localAddress: serverIp, localPort: serverPort } = socket;
  if (ip === undefined || port === undefined || serverIp === undefined || serverPort === undefined)
    return undefined;
  return { ip: plain(ip), port, serverIp: plain(serverIp), serverPort, helo: '', tls: false, esmtp: false };
}

/** An IPv4 address that a socket for both families shows in its IPv6 form, and an address without its zone index. */
function plain(ip: string): string {
  return ip.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}
