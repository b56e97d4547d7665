import { formatHostPort, type HostPort } from '@copain/core';
import { noMessageDsn, noRecipientDsn } from '../dsn.ts';
import type { ClientForm } from '../mail-domain.ts';
import { type Reply, replyText } from '../smtp-reply.ts';
import { clientOfThisBox, MtaError, openMta } from './smtp-client.ts';

/**
 * Hands one short message of this box's own to a mail server, for one recipient. `message`: with CRLF, dots as they are.
 * Resolves once the server has taken it; rejects with MtaError, whose message says what it answered. Once `signal` is
 * aborted the conversation is cut off without a dot, so that the server keeps nothing of it.
 */
export async function sendNote(
  options: {
    address: HostPort;
    /** How that server wants to be told a client, which is this box. */
    form: ClientForm;
    hostname: string;
    from: string;
    to: string;
    message: Uint8Array;
  },
  signal: AbortSignal,
): Promise<void> {
  const { address, form, hostname, from, to, message } = options;
  const client = clientOfThisBox(address, hostname);
  signal.throwIfAborted();
  const mta = await openMta({ address, form, client, hostname });
  const cut = (): void => mta.destroy();
  signal.addEventListener('abort', cut, { once: true });
  const must = (answer: Reply, code: number): void => {
    if (answer.code !== code) throw new MtaError(`${formatHostPort(address)} answers: ${replyText(answer)}`);
  };
  try {
    // It may have been given up while the server let its greeting wait.
    signal.throwIfAborted();
    const parameters = { sizeBytes: message.length, body: '', smtpUtf8: false, dsn: noMessageDsn };
    must(await mta.mail(from, parameters), 250);
    must(await mta.rcpt(to, noRecipientDsn), 250);
    must(await mta.data(), 354);
    await mta.write(message);
    must(await mta.finish(), 250);
  } catch (error) {
    mta.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', cut);
    mta.quit();
  }
}
