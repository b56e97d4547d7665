import { createHash, type X509Certificate } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { formatHostPort, type HostPort, toUtf8, visible } from '@copain/core';
import { dotStuffing } from '../dot-stuffing.ts';
import { probeConnectMs, probeReplyMs, replyLineMaxBytes, replyLinesMax } from '../limits.ts';
import type { ProbeOutcome, SeenTls } from '../probe.ts';
import { parseReplyLine, type Reply, replyText } from '../smtp-reply.ts';
import { asError, withDeadline } from './deadline.ts';

export interface SmtpProbe {
  address: HostPort;
  /** The name by which senders know this server, for SNI; undefined where it is known by its address alone. */
  serverName: string | undefined;
  /** For EHLO. */
  hostname: string;
  to: string;
  /** Who has to greet; somebody else is asked nothing. */
  greeter?: string | undefined;
  /** What is sent after DATA; undefined to stop after RCPT. Lines end in CRLF. */
  message?: string;
}

/**
 * Asks a server as a stranger's mail server would: greeting, EHLO, STARTTLS where it is offered, MAIL from nobody, RCPT, and
 * DATA where there is a message. Never rejects, and ends at once when
 * the signal is aborted; a certificate is looked at and never a reason to stop.
 */
export async function probeSmtp(
  probe: SmtpProbe,
  signal: AbortSignal,
): Promise<{ outcome: ProbeOutcome; tls: SeenTls | undefined }> {
  const address = formatHostPort(probe.address);
  const talk = new ProbeTalk(probe.address);
  const stop = (): void => talk.stop();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const outcomeOf = (kind: ProbeOutcome['kind'], text: string): ProbeOutcome => ({
    kind,
    text: visible(text, 200),
    address,
  });
  let tls: SeenTls | undefined;
  try {
    const refusal = (said: Reply): ProbeOutcome | undefined =>
      said.code >= 200 && said.code < 400 ? undefined : outcomeOf('refused', replyText(said));
    const greeting = await talk.open();
    if (greeting.code !== 220) return { outcome: outcomeOf('refused', replyText(greeting)), tls };
    const { greeter } = probe;
    if (greeter !== undefined && greeting.lines[0]?.split(' ')[0]?.toLowerCase() !== greeter.toLowerCase())
      return { outcome: outcomeOf('refused', `not ${greeter} answered, but ${replyText(greeting)}`), tls };
    let hello = await talk.command(`EHLO ${probe.hostname}`);
    if (hello.lines.some((line) => /^STARTTLS\b/i.test(line))) {
      tls = await talk.startTls(probe.serverName);
      hello = await talk.command(`EHLO ${probe.hostname}`);
    }
    const steps = ['MAIL FROM:<>', `RCPT TO:<${probe.to}>`, ...(probe.message === undefined ? [] : ['DATA'])];
    let said = hello;
    for (const step of steps) {
      const refused = refusal(said);
      if (refused) return { outcome: refused, tls };
      said = await talk.command(step);
    }
    if (probe.message !== undefined && said.code === 354) said = await talk.data(probe.message);
    const refused = refusal(said);
    return { outcome: refused ?? outcomeOf('accepted', replyText(said)), tls };
  } catch (error) {
    const { message } = asError(error);
    return { outcome: outcomeOf(talk.hasGreeted ? 'refused' : 'silent', message), tls };
  } finally {
    signal.removeEventListener('abort', stop);
    talk.close();
  }
}

class ProbeTalk {
  /** Did it answer in SMTP at all? */
  hasGreeted = false;
  readonly #address: HostPort;
  readonly #raw: Socket;
  #socket: Socket | TLSSocket;
  #text = '';
  #lines: string[] = [];
  #replies: Reply[] = [];
  #wake: () => void = () => {};
  #failed: Error | undefined;

  constructor(address: HostPort) {
    this.#address = address;
    this.#raw = connect(address);
    this.#socket = this.#raw;
    this.#listen(this.#socket);
  }

  async open(): Promise<Reply> {
    const connected = new Promise<void>((resolve, reject) => {
      this.#raw.once('connect', resolve).once('error', reject);
    });
    await withDeadline(connected, probeConnectMs, formatHostPort(this.#address));
    const greeting = await this.#next();
    this.hasGreeted = true;
    return greeting;
  }

  async command(line: string): Promise<Reply> {
    this.#socket.write(`${line}\r\n`);
    return await this.#next();
  }

  async data(message: string): Promise<Reply> {
    const stuffing = dotStuffing();
    this.#socket.write(stuffing.push(toUtf8(message)));
    this.#socket.write(stuffing.end());
    return await this.#next();
  }

  /** Rejects where the handshake fails: a sender would not get further either. */
  async startTls(serverName: string | undefined): Promise<SeenTls | undefined> {
    const ready = await this.command('STARTTLS');
    if (ready.code !== 220) throw new Error(`STARTTLS: ${replyText(ready)}`);
    this.#raw.removeAllListeners('data');
    // What a server sent in clear before the handshake counts for nothing after it (RFC 3207 §4.2).
    this.#text = '';
    this.#replies = [];
    const secure = connectTls({
      socket: this.#raw,
      rejectUnauthorized: false,
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
    this.#socket = secure;
    this.#listen(secure);
    const done = new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve).once('error', reject);
    });
    await withDeadline(done, probeConnectMs, 'TLS');
    const certificate = secure.getPeerX509Certificate();
    if (certificate === undefined) return undefined;
    const why = secure.authorizationError;
    return {
      spkiSha256: spkiSha256(certificate),
      fitsName: serverName !== undefined && certificate.checkHost(serverName) !== undefined,
      untrusted: secure.authorized ? undefined : visible(String(why ?? 'not vouched for'), 100),
      validToMs: Date.parse(certificate.validTo),
    };
  }

  stop(): void {
    this.#raw.destroy(new Error('this box stops'));
  }

  close(): void {
    if (this.#failed === undefined) this.#socket.end('QUIT\r\n');
    this.#socket.setTimeout(1000, () => this.#raw.destroy());
    this.#raw.unref();
  }

  #listen(socket: Socket): void {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('connection closed')));
  }

  async #next(): Promise<Reply> {
    const deadline = performance.now() + probeReplyMs;
    for (;;) {
      const said = this.#replies.shift();
      if (said) return said;
      if (this.#failed) throw this.#failed;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await withDeadline(woken, Math.max(1, deadline - performance.now()), 'answer');
    }
  }

  #read(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const parsed = parseReplyLine(this.#text.slice(0, end).replace(/\r$/, ''));
      this.#text = this.#text.slice(end + 1);
      if (!parsed || this.#lines.length >= replyLinesMax) {
        this.#fail(new Error('not an SMTP reply'));
        return;
      }
      this.#lines.push(parsed.text);
      if (!parsed.last) continue;
      this.#replies.push({ code: parsed.code, lines: this.#lines });
      this.#lines = [];
      this.#wake();
    }
    if (this.#text.length > replyLineMaxBytes) this.#fail(new Error('not an SMTP reply'));
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    this.#wake();
    this.#raw.destroy();
  }
}

/** The digest of TLSA 3 1 1 (RFC 6698 §2.1.4). */
function spkiSha256({ publicKey }: X509Certificate): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
