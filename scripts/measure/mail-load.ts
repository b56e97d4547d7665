import type { Address } from '../../test/e2e/lib/box.ts';
import { run } from '../../test/e2e/lib/run.ts';

/** What smtp-source sends: so many messages of this size over so many sessions at once. */
export interface MailLoad {
  messages: number;
  sizeBytes: number;
  sessions: number;
  /** Each session sends one message after the other; else there is a connection for each message. */
  keepSessions: boolean;
}

/**
 * Sends it with Postfix's own smtp-source, all messages different, and gives the seconds that it took. Throws at the first
 * reply that is no acceptance. `namespace`: the network namespace to send from; `limitMs`: how long at most.
 */
export async function sendLoad(
  to: Address,
  recipient: string,
  load: MailLoad,
  namespace?: string,
  limitMs = 300_000,
): Promise<number> {
  const { messages, sizeBytes, sessions, keepSessions } = load;
  const amounts = ['-s', `${Math.min(sessions, messages)}`, '-m', `${messages}`, '-l', `${sizeBytes}`];
  const envelope = ['-f', 'a@out.test', '-t', recipient];
  const kept = keepSessions ? ['-d'] : [];
  const command = ['smtp-source', ...amounts, ...envelope, ...kept, `${to.host}:${to.port}`];
  const ran = await run(command, { limitMs, namespace });
  if (ran.code !== 0) throw new Error(`${command.join(' ')}: exit ${ran.code}\n${ran.stderr}`);
  return ran.tookMs / 1000;
}
