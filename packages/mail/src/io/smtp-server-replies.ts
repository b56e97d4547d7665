import { enhancedLines, hasEnhancedCode, type Reply, replyText } from '../smtp-reply.ts';
import type { Connection } from './smtp-server-session.ts';

/**
 * A text that comes with its enhanced code (as the owner's MTA gave it) must not get a second one. smtp-server adds one
 * to every reply; that this is the method it writes replies with is checked by a test.
 */
export function keepEnhancedCodesSingle(connection: Connection): void {
  const send = connection.send.bind(connection);
  connection.send = (code, data, context) => {
    const first = Array.isArray(data) ? data[0] : data;
    send(code, data, typeof first === 'string' && hasEnhancedCode(first) ? false : context);
  };
}

/** What smtp-server takes for a refusal; a text of several lines goes out as several lines. */
export function smtpError(answer: Reply): Error {
  const lines = enhancedLines(answer);
  const error = new Error(replyText(answer));
  return Object.assign(error, {
    responseCode: answer.code,
    message: lines.length === 1 ? lines[0] : lines,
  });
}
