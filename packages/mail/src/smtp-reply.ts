import { visible } from '@copain/core';

/** An SMTP reply: the code, and the text of each line with its enhanced code (RFC 3463) where it has one. */
export interface Reply {
  code: number;
  lines: readonly string[];
}

/** A reply of our own, on one line. */
export function reply(code: number, text: string): Reply {
  return { code, lines: [text] };
}

/** `550 5.1.1 no such user`, for logs and lists; safe to show. */
export function replyText({ code, lines }: Reply): string {
  return visible(`${code} ${lines.join(' ')}`, 300);
}

const enhancedCode = /^[245]\.\d{1,3}\.\d{1,3}(?: |$)/;

/**
 * The text lines of a reply, each with exactly one enhanced code: as the owner's MTA gave it, else the general one of its
 * class (`5.0.0`), as RFC 2034 §4 wants one on every line.
 */
export function enhancedLines({ code, lines }: Reply): string[] {
  const general = `${Math.floor(code / 100)}.0.0`;
  const given = lines.find((line) => enhancedCode.test(line));
  const first = given ? (given.split(' ')[0] ?? general) : general;
  return (lines.length > 0 ? lines : ['']).map((line) => {
    const text = visible(line, 500);
    return enhancedCode.test(text) ? text : `${first} ${text}`.trimEnd();
  });
}

/** Does this line begin with an enhanced status code already? */
export function hasEnhancedCode(line: string): boolean {
  return enhancedCode.test(line);
}

/** One line of a reply (RFC 5321 §4.2.1), without CRLF; undefined where it is none. */
export function parseReplyLine(line: string): { code: number; last: boolean; text: string } | undefined {
  const match = /^([2-5]\d\d)([ -]?)(.*)$/s.exec(line);
  if (!match || (match[2] === '' && match[3] !== '')) return undefined;
  return { code: Number(match[1]), last: match[2] !== '-', text: match[3] ?? '' };
}

/**
 * What an answer of the owner's MTA means for the conversation: `passed` on as it is, or `away`: it is shutting down
 * (421) or it and we no longer agree where we are (503), which is never the sender's fault.
 */
export function judgeReply({ code }: Reply): 'passed' | 'away' {
  return code === 421 || code === 503 || code < 200 || (code >= 300 && code < 400) ? 'away' : 'passed';
}
