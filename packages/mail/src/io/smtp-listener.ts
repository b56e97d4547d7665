import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock, HostPort } from '@copain/core';
import {
  SMTPServer,
  type SMTPServerAddress,
  type SMTPServerDataStream,
  type SMTPServerSession,
} from 'smtp-server';
import { admitRecipientParameters, admitSender } from '../admission.ts';
import { clientNetwork } from '../client-network.ts';
import {
  messageMaxBytes,
  recipientsMax,
  sessionIdleMs,
  sessionsMax,
  sessionsPerAddressMax,
  stopGraceMs,
  sweepEveryMs,
} from '../limits.ts';
import { patientClients } from '../patient-clients.ts';
import { judgePace, pieceCame, pieceDone, type SessionPace, startData } from '../session-deadlines.ts';
import { whoGoes } from '../session-room.ts';
import { enhancedLines, type Reply, reply } from '../smtp-reply.ts';
import type { Certificates } from './certificates.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { greetInTime } from './greeting.ts';
import { Reception, type ReceptionOptions } from './reception.ts';
import { keepEnhancedCodesSingle, smtpError } from './smtp-server-replies.ts';
import {
  asciiAddress,
  type Connection,
  clientOf,
  endWithHandshake,
  startTls,
} from './smtp-server-session.ts';

export interface ListenerOptions {
  listen: HostPort;
  hostname: string;
  /** STARTTLS is offered as long as there is one. */
  certificates: Certificates;
  reception: ReceptionOptions;
  /** Has each connection before a word is said on it; `talk` begins the conversation here. Without it that begins at once. */
  before?: ((socket: Socket, talk: () => void) => void) | undefined;
  clock: Clock;
  events: MailEvents;
  /** How often sessions are judged by their pace; default: `sweepEveryMs`. */
  sweepMs?: number | undefined;
}

export interface SmtpListener extends AsyncDisposable {
  readonly address: HostPort;
}

interface SessionState {
  pace: SessionPace;
  reception: Reception | undefined;
  /** Between DATA and our answer to the dot; then a lost client changes nothing about what we owe the message. */
  inData: boolean;
}

/** Opens one listening address. Rejects where the port is taken. */
export async function startSmtpListener(options: ListenerOptions): Promise<SmtpListener> {
  const server = new FriendlyServer(options);
  server.watch();
  server.listen(options.listen.port, options.listen.host);
  try {
    await once(server.server, 'listening');
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  const bound = server.server.address() as AddressInfo;
  return {
    address: { host: bound.address, port: bound.port },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * smtp-server as the parser of the conversation: commands in one go (RFC 2920), codes on every reply (RFC 2034), and STARTTLS,
 * after which nothing counts that was said before (RFC 3207 §4.2). It has no hook at RSET and EHLO, so a transaction ends with the next
 * MAIL, or with the session.
 */
class FriendlyServer extends SMTPServer {
  readonly #listener: ListenerOptions;
  readonly #sessions = new Map<string, SessionState>();
  readonly #patient = patientClients();
  #sweep: NodeJS.Timeout | undefined;
  #unwatch = (): void => {};
  #stopping: Promise<void> | undefined;

  constructor(listener: ListenerOptions) {
    const pems = listener.certificates.main;
    super({
      ...pems,
      SNICallback: (name, callback) => callback(null, listener.certificates.context(name)),
      name: listener.hostname,
      heloResponse: '%s',
      logger: false,
      ...startTls(pems !== undefined),
      // Whoever closes his side behind the dot (Exim does, with QUIT) still waits for the answer to it (RFC 5321 §4.1.1.10).
      allowHalfOpen: true,
      authOptional: true,
      disableReverseLookup: true,
      minVersion: 'TLSv1.2',
      size: messageMaxBytes,
      rejectOversized: true,
      maxRecipients: recipientsMax,
      // Who has to go when there are too many is our own decision: the library would send newcomers away.
      maxClients: 2 * sessionsMax,
      socketTimeout: sessionIdleMs,
      closeTimeout: stopGraceMs,
      hideENHANCEDSTATUSCODES: false,
      hideDSN: false,
    });
    this.#listener = listener;
    this.on('error', (error) => this.#told(error));
  }

  /** Begins to judge sessions by their pace, and to follow the certificates. */
  watch(): void {
    const { certificates, sweepMs = sweepEveryMs } = this.#listener;
    this.#sweep = setInterval(() => this.#endOverdue(), sweepMs).unref();
    this.#unwatch = certificates.watch(() => {
      const pems = certificates.main;
      Object.assign(this.options, startTls(pems !== undefined));
      if (pems) this.updateSecureContext({ ...pems });
    });
  }

  override connect(socket: Socket, socketOptions?: Parameters<SMTPServer['connect']>[1]): void {
    const { before } = this.#listener;
    if (before === undefined) this.#converse(socket, socketOptions);
    else before(socket, () => this.#converse(socket, socketOptions));
  }

  #converse(socket: Socket, socketOptions: Parameters<SMTPServer['connect']>[1]): void {
    super.connect(socket, socketOptions);
    let newest: Connection | undefined;
    for (const connection of this.connections) newest = connection;
    if (newest === undefined) return;
    keepEnhancedCodesSingle(newest);
    this.#answerAfterEnd(newest);
    endWithHandshake(newest);
    if (this.connections.size > sessionsMax) this.#makeRoom(newest);
    greetInTime(newest, this.#patient, () => this.#listener.clock.nowMs());
  }

  override onSecure(
    _socket: Socket,
    session: SMTPServerSession,
    callback: (error?: Error | null) => void,
  ): void {
    for (const connection of this.connections) {
      if (connection.id !== session.id) continue;
      connection._socket.allowHalfOpen = true;
      this.#answerAfterEnd(connection);
    }
    callback();
  }

  /**
   * Once a client has closed its side, the parser finishes when everything that it said is answered; then the connection
   * ends. A message that was not said to its end is lost with its client. smtp-server itself answers only on a socket
   * that is open in both directions, so it is told that this one is.
   */
  #answerAfterEnd(connection: Connection): void {
    const { _socket: socket, _parser: parser } = connection;
    const readyState = { get: (): string => (socket.writable && !socket.destroyed ? 'open' : 'closed') };
    Object.defineProperty(socket, 'readyState', { ...readyState, configurable: true });
    if (parser === false) return;
    parser.once('finish', () => {
      if (this.#sessions.get(connection.id)?.inData) socket.destroy();
      else connection.close();
    });
  }

  #makeRoom(newcomer: Connection): void {
    const seated = [...this.connections].filter((one) => one !== newcomer);
    const sessions = seated.map(({ id, remoteAddress }) => {
      const state = this.#sessions.get(id);
      const progressAtMs = state?.pace.progressAtMs ?? this.#listener.clock.nowMs();
      return { id, network: clientNetwork(remoteAddress), progressAtMs, inData: state?.inData ?? false };
    });
    const goes = whoGoes(sessions, clientNetwork(newcomer.remoteAddress));
    const gone = goes.kind === 'newcomer' ? newcomer : seated.find(({ id }) => id === goes.id);
    if (gone === undefined) return;
    const why = 'too many sessions';
    this.#listener.events.refused({ client: gone.remoteAddress, domain: undefined, code: 421, why });
    gone.send(421, '4.3.2 too many connections, try again in a moment');
  }

  override onConnect(session: SMTPServerSession, callback: (error?: Error | null) => void): void {
    let count = 0;
    for (const { remoteAddress } of this.connections) if (remoteAddress === session.remoteAddress) count += 1;
    if (count > sessionsPerAddressMax) {
      this.#listener.events.refused({
        client: session.remoteAddress,
        domain: undefined,
        code: 421,
        why: 'too many sessions from one address',
      });
      callback(smtpError(reply(421, '4.7.0 too many connections from your address')));
      return;
    }
    const pace: SessionPace = { progressAtMs: this.#listener.clock.nowMs(), data: undefined };
    this.#sessions.set(session.id, { pace, reception: undefined, inData: false });
    callback();
  }

  override onMailFrom(
    address: SMTPServerAddress,
    session: SMTPServerSession,
    callback: (error?: Error | null) => void,
  ): void {
    const state = this.#state(session);
    state.reception?.abandon();
    state.reception = undefined;
    const decision = admitSender(asciiAddress(address.address), new Map(Object.entries(address.args || {})));
    if (decision.kind === 'refused') {
      callback(smtpError(decision.reply));
      return;
    }
    const { from, parameters } = decision;
    state.reception = new Reception(this.#listener.reception, {
      client: clientOf(session),
      from,
      parameters,
    });
    callback();
  }

  override onRcptTo(
    address: SMTPServerAddress,
    session: SMTPServerSession,
    callback: (error?: Error | null) => void,
  ): void {
    const { reception } = this.#state(session);
    const parameters = admitRecipientParameters(new Map(Object.entries(address.args || {})));
    if (parameters.kind === 'refused') {
      callback(smtpError(parameters.reply));
      return;
    }
    const { dsn } = parameters;
    const asked = asciiAddress(address.address);
    void this.#decide(
      async () => (await reception?.rcpt(asked, dsn)) ?? reply(503, '5.5.1 need MAIL'),
      callback,
    );
  }

  override onData(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    callback: (error?: Error | null, message?: string) => void,
  ): void {
    const state = this.#state(session);
    const { reception, pace } = state;
    state.reception = undefined;
    state.inData = true;
    const nowMs = (): number => this.#listener.clock.nowMs();
    pace.data = startData(nowMs());
    // From the dot on the client waits for us and its speed says nothing.
    stream.once('end', () => {
      pace.data = undefined;
      pace.progressAtMs = nowMs();
    });
    const progress = {
      came: (sizeBytes: number): void => {
        if (pace.data) pace.data = pieceCame(pace.data, sizeBytes, nowMs());
      },
      done: (): void => {
        if (pace.data) pace.data = pieceDone(pace.data, nowMs());
      },
    };
    const receive = async (): Promise<Reply> => {
      try {
        return (await reception?.data(stream, progress)) ?? reply(503, '5.5.1 need MAIL and RCPT');
      } catch (error) {
        // A client that went away in the middle is no trouble of ours, and nobody is there to hear the answer.
        if (stream.errored) return reply(451, '4.4.2 connection lost');
        throw error;
      } finally {
        state.inData = false;
        pace.data = undefined;
        pace.progressAtMs = this.#listener.clock.nowMs();
      }
    };
    void this.#decide(receive, callback);
  }

  override onClose(session: SMTPServerSession): void {
    const state = this.#sessions.get(session.id);
    this.#sessions.delete(session.id);
    state?.reception?.abandon();
  }

  /** Stops accepting, says 421 to who is idle, lets messages under way come to their end for a few seconds. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopping ??= (async () => {
      clearInterval(this.#sweep);
      this.#unwatch();
      const closed = new Promise<void>((resolve) => {
        this.close(resolve);
      });
      for (const connection of this.connections)
        if (!this.#sessions.get(connection.id)?.inData) connection.send(421, '4.3.2 shutting down');
      await closed;
      for (const connection of this.connections) connection._socket.destroy();
    })();
    return this.#stopping;
  }

  #state(session: SMTPServerSession): SessionState {
    const known = this.#sessions.get(session.id);
    if (known) {
      known.pace.progressAtMs = this.#listener.clock.nowMs();
      return known;
    }
    const pace: SessionPace = { progressAtMs: this.#listener.clock.nowMs(), data: undefined };
    const fresh: SessionState = { pace, reception: undefined, inData: false };
    this.#sessions.set(session.id, fresh);
    return fresh;
  }

  #endOverdue(): void {
    const nowMs = this.#listener.clock.nowMs();
    for (const connection of this.connections) {
      const state = this.#sessions.get(connection.id);
      const waitsForUs = state?.inData === true && state.pace.data === undefined;
      if (state === undefined || waitsForUs) continue;
      const { overdue: why, next } = judgePace(state.pace, nowMs);
      Object.assign(state.pace, next);
      if (why === undefined) continue;
      this.#listener.events.refused({ client: connection.remoteAddress, domain: undefined, code: 421, why });
      connection.send(421, `4.4.2 ${why}`);
    }
  }

  /** Gives smtp-server the decision as it wants it. What goes wrong in ours is temporary for the sender. */
  async #decide(
    decide: () => Promise<Reply>,
    callback: (error?: Error | null, message?: string) => void,
  ): Promise<void> {
    let answer: Reply;
    try {
      answer = await decide();
    } catch (error) {
      this.#listener.events.trouble({ where: 'SMTP session', error: asError(error) });
      answer = reply(451, '4.3.0 try again later');
    }
    if (answer.code < 300) callback(null, enhancedLines(answer).join(' '));
    else callback(smtpError(answer));
  }

  #told(error: Error): void {
    this.#listener.events.trouble({ where: 'SMTP listener', error });
  }
}
