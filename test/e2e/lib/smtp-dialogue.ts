import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Address } from './box.ts';

/** Sends one message as any mail server in the world would, and says what the other side answered at the end. */
export async function send(to: Address, recipient: string, subject: string): Promise<string> {
  return await sendData(
    to,
    recipient,
    `Subject: ${subject}\r\nFrom: friend@sender.example\r\nTo: ${recipient}\r\n\r\nHello.\r\n`,
  );
}

/** The same with these very bytes (one for each character) after DATA and before the dot, whatever they are. */
export async function sendData(to: Address, recipient: string, data: string): Promise<string> {
  const socket = connect({ ...to });
  // A server that is killed ends the conversation; what was not answered says so.
  socket.on('error', () => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) return 'connection closed';
      if (/^\d{3}(?: |$)/.test(value)) return value;
    }
  };
  const ask = async (line: string): Promise<string> => {
    socket.write(`${line}\r\n`, 'latin1');
    return await answer();
  };
  try {
    await answer();
    await ask('EHLO sender.example');
    await ask('MAIL FROM:<friend@sender.example>');
    const admitted = await ask(`RCPT TO:<${recipient}>`);
    if (!admitted.startsWith('250')) return admitted;
    await ask('DATA');
    return await ask(`${data}.`);
  } finally {
    socket.end('QUIT\r\n');
  }
}
