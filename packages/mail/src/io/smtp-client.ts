import { connect, type Socket } from 'node:net';
import { formatHostPort, type HostPort } from '@copain/core';
import type { ClientInfo } from '../client-info.ts';
import { dotStuffing } from '../dot-stuffing.ts';
import { type MessageDsn, mailDsnParameters, type RecipientDsn, rcptDsnParameters } from '../dsn.ts';
import { mtaConnectMs, mtaFinalMs, mtaReplyMs, replyLineMaxBytes, replyLinesMax } from '../limits.ts';
import type { ClientForm } from '../mail-domain.ts';
import { proxyV1Header, proxyV2Header, xclientCommand } from '../proxy-header.ts';
import { parseReplyLine, type Reply, reply } from '../smtp-reply.ts';
import { withDeadline } from './deadline.ts';

/** The MTA does not answer, or not in SMTP. Always temporary: the message waits. */
export class MtaError extends Error {
  override name = 'MtaError';
}

export interface MtaOptions {
  address: HostPort;
  form: ClientForm;
  /** The true client, told to the MTA as `form` says. */
  client: ClientInfo;
  /** Our own name, for EHLO where the MTA is not told the true client. */
  hostname: string;
}

/** Opens a conversation with an MTA up to and including EHLO. Rejects with MtaError where it does not answer with 2xx. */
export async function openMta(options: MtaOptions): Promise<MtaConversation> {
  const conversation = new MtaConversation(options);
  try {
    await withDeadline(conversation.greet(), 2 * mtaConnectMs, formatHostPort(options.address));
    return conversation;
  } catch (error) {
    conversation.destroy();
    throw error instanceof MtaError
      ? error
      : new MtaError(`${formatHostPort(options.address)} does not answer`, { cause: error });
  }
}

/** The client that an MTA at `address` is told of where that is this box itself, called `hostname`. */
export function clientOfThisBox(address: HostPort, hostname: string): ClientInfo {
  const here = '127.0.0.1';
  return {
    ip: here,
    port: 25,
    serverIp: here,
    serverPort: address.port,
    helo: hostname,
    tls: false,
    esmtp: true,
  };
}

/** One connection to an MTA, step by step; one transaction, then it is closed. */
export class MtaConversation {
  readonly #options: MtaOptions;
  readonly #socket: Socket;
  readonly #replies: Reply[] = [];
  #waiter: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;
  #failed: Error | undefined;
  #quitting = false;
  #pending = '';
  #lines: string[] = [];
  #extensions = new Map<string, string>();
  #stuffing = dotStuffing();

  constructor(options: MtaOptions) {
    this.#options = options;
    this.#socket = connect({ ...options.address, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#read(text));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new MtaError('connection closed')));
  }

  /** Proxy header, greeting, EHLO (or HELO), XCLIENT. Called once, by `openMta`. */
  async greet(): Promise<void> {
    const { form, client } = this.#options;
    if (form === 'proxy-v1') this.#socket.write(proxyV1Header(client));
    if (form === 'proxy-v2') this.#socket.write(proxyV2Header(client));
    this.#expect(await this.#next(mtaReplyMs), 220);
    await this.#hello();
    const attributes = this.#extensions.get('XCLIENT');
    if (form === 'xclient') {
      const command = attributes === undefined ? undefined : xclientCommand(client, attributes.split(' '));
      if (command === undefined) throw new MtaError('the MTA does not offer XCLIENT to us');
      this.#expect(await this.#command(command), 220);
      await this.#hello();
    }
  }

  async #hello(): Promise<void> {
    const { form, client, hostname } = this.#options;
    const theirs = /^[A-Za-z0-9._:[\]-]{1,255}$/.test(client.helo) ? client.helo : `[${client.ip}]`;
    const name = form === 'none' ? hostname : theirs;
    const ehlo = await this.#command(`EHLO ${name}`);
    this.#extensions = new Map();
    if (ehlo.code === 250) {
      for (const line of ehlo.lines.slice(1)) {
        const [keyword = '', ...rest] = line.trim().split(' ');
        this.#extensions.set(keyword.toUpperCase(), rest.join(' ').toUpperCase());
      }
    } else this.#expect(await this.#command(`HELO ${name}`), 250);
  }

  /**
   * MAIL, with those parameters that the MTA offers. Needing SMTPUTF8 where it is not offered is the refusal that RFC 6531
   * §3.5 asks for; 8-bit content goes out as it is, since every MTA of today takes it.
   */
  async mail(
    from: string,
    parameters: { sizeBytes: number; body: string; smtpUtf8: boolean; dsn: MessageDsn },
  ): Promise<Reply> {
    let command = `MAIL FROM:<${from}>`;
    if (parameters.smtpUtf8) {
      if (!this.#extensions.has('SMTPUTF8'))
        return reply(550, '5.6.7 the recipient cannot take SMTPUTF8 mail');
      command += ' SMTPUTF8';
    }
    if (parameters.body !== '' && this.#extensions.has('8BITMIME')) command += ` BODY=${parameters.body}`;
    if (parameters.sizeBytes > 0 && this.#extensions.has('SIZE')) command += ` SIZE=${parameters.sizeBytes}`;
    if (this.#extensions.has('DSN')) command += mailDsnParameters(parameters.dsn);
    return await this.#command(command);
  }

  /** RCPT (RFC 3461 §5.2); an MTA that does not offer DSN is not told which reports the sender wants, and sends what it sends. */
  rcpt(to: string, dsn: RecipientDsn): Promise<Reply> {
    const parameters = this.#extensions.has('DSN') ? rcptDsnParameters(dsn) : '';
    return this.#command(`RCPT TO:<${to}>${parameters}`);
  }

  /** 354, or the MTA's refusal. */
  data(): Promise<Reply> {
    return this.#command('DATA');
  }

  /** Message bytes; resolves when the MTA has room for more. */
  async write(chunk: Uint8Array): Promise<void> {
    await this.#send(this.#stuffing.push(chunk));
  }

  /** The final dot, and the answer to it. */
  async finish(): Promise<Reply> {
    await this.#send(this.#stuffing.end());
    return await this.#next(mtaFinalMs);
  }

  /** Polite end after a finished transaction; does not wait. */
  quit(): void {
    if (this.#failed || this.#quitting) return;
    this.#quitting = true;
    this.#socket.end('QUIT\r\n');
    // The MTA's 221 and its end of the connection are read and thrown away; a silent one is cut off, and none keeps the
    // process from ending.
    this.#socket.setTimeout(mtaConnectMs, () => this.#socket.destroy());
    this.#socket.unref();
  }

  /** Gives up at once, without a dot, so that the MTA keeps nothing of a message under way. Nothing after `quit`. */
  destroy(): void {
    if (this.#quitting) return;
    this.#fail(new MtaError('given up'));
    this.#socket.destroy();
  }

  async #command(line: string): Promise<Reply> {
    await this.#send(Buffer.from(`${line}\r\n`, 'utf8'));
    return await this.#next(mtaReplyMs);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    if (this.#failed) throw this.#failed;
    if (this.#socket.write(bytes)) return;
    let drained = (): void => {};
    const room = new Promise<void>((resolve) => {
      drained = resolve;
    });
    this.#socket.once('drain', drained).once('close', drained);
    try {
      await withDeadline(room, mtaReplyMs, 'MTA takes no bytes');
    } finally {
      this.#socket.off('drain', drained).off('close', drained);
    }
    if (this.#failed) throw this.#failed;
  }

  #next(limitMs: number): Promise<Reply> {
    const ready = this.#replies.shift();
    if (ready) return Promise.resolve(ready);
    if (this.#failed) return Promise.reject(this.#failed);
    const answer = new Promise<Reply>((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
    return withDeadline(answer, limitMs, 'MTA').catch((error: unknown) => {
      this.destroy();
      throw error;
    });
  }

  #expect(answer: Reply, code: number): void {
    if (answer.code !== code) throw new MtaError(`expected ${code}, got ${answer.code}`);
  }

  #read(text: string): void {
    this.#pending += text;
    for (;;) {
      const end = this.#pending.indexOf('\n');
      if (end < 0) break;
      const line = this.#pending.slice(0, end).replace(/\r$/, '');
      this.#pending = this.#pending.slice(end + 1);
      this.#line(line);
    }
    if (this.#pending.length > replyLineMaxBytes) this.#fail(new MtaError('reply line too long'));
  }

  #line(line: string): void {
    const parsed = parseReplyLine(line);
    if (!parsed || this.#lines.length >= replyLinesMax) {
      this.#fail(new MtaError('not an SMTP reply'));
      return;
    }
    this.#lines.push(Buffer.from(parsed.text, 'latin1').toString('utf8'));
    if (!parsed.last) return;
    const answer: Reply = { code: parsed.code, lines: this.#lines };
    this.#lines = [];
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) waiter.resolve(answer);
    else this.#replies.push(answer);
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = error instanceof MtaError ? error : new MtaError('connection lost', { cause: error });
    this.#waiter?.reject(this.#failed);
    this.#waiter = undefined;
    this.#socket.destroy();
  }
}
