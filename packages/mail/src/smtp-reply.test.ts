import { expect, it } from 'vitest';
import { enhancedLines, judgeReply, parseReplyLine, reply, replyText } from './smtp-reply.ts';

it('reads the lines of a reply (RFC 5321 §4.2.1)', () => {
  expect(parseReplyLine('250-SIZE 10')).toEqual({ code: 250, last: false, text: 'SIZE 10' });
  expect(parseReplyLine('250 ok')).toEqual({ code: 250, last: true, text: 'ok' });
  expect(parseReplyLine('354')).toEqual({ code: 354, last: true, text: '' });
  for (const bad of ['', '25 ok', '250ok', '650 x', 'HTTP/1.1 400 Bad'])
    expect(parseReplyLine(bad)).toBeUndefined();
});

it('gives every line one enhanced code, as it came or the general one of its class (RFC 2034 §4)', () => {
  expect(enhancedLines(reply(550, '5.1.1 no'))).toEqual(['5.1.1 no']);
  expect(enhancedLines(reply(450, 'later'))).toEqual(['4.0.0 later']);
  expect(enhancedLines({ code: 550, lines: ['5.7.1 one', 'two'] })).toEqual(['5.7.1 one', '5.7.1 two']);
  expect(enhancedLines({ code: 250, lines: [] })).toEqual(['2.0.0']);
  expect(enhancedLines(reply(550, 'a\r\n250 ok'))).toEqual(['5.0.0 a\\u{d}\\u{a}250 ok']);
});

it('knows when a reply says that the MTA is not at it', () => {
  for (const code of [421, 503, 354, 150]) expect(judgeReply(reply(code, 'x'))).toBe('away');
  for (const code of [250, 450, 451, 452, 550, 554]) expect(judgeReply(reply(code, 'x'))).toBe('passed');
  expect(replyText(reply(550, '\u001b[31mred'))).toBe('550 \\u{1b}[31mred');
});
