import { expect, it } from 'vitest';
import { htmlWords, readableMessage } from './message-text.ts';

it('nothing in a message reaches the terminal as a command, in headers, text and names of attachments alike', () => {
  const evil = 'a\u001b[2Jb\u202ec\u0007d\u009be';
  const shown = readableMessage({
    headers: [['Subject', evil]],
    text: `${evil}\r\nsecond\tline\n`,
    attachments: [{ name: evil, type: evil, sizeBytes: 10 }],
  });
  const safe = 'a\\u{1b}[2Jb\\u{202e}c\\u{7}d\\u{9b}e';
  expect(shown).toBe(`Subject   ${safe}\n\n${safe}\nsecond    line\n\nattached  ${safe} (${safe}, 10 B)\n`);
});

it('a text without end is cut, and says so', () => {
  const shown = readableMessage({ headers: [], text: 'x\n'.repeat(5003), attachments: [] });
  expect(shown.split('\n').filter((line) => line === 'x')).toHaveLength(5000);
  expect(shown).toContain('[3 more lines: --raw]');
});

it('of HTML the words and the links remain', () => {
  const html =
    '<html><head><title>t</title></head><body><p>Your code is&nbsp;<b>42&amp;7</b></p><script>x()</script><a href="https://a.test/?q=1">here</a></body></html>';
  expect(htmlWords(html)).toBe('Your code is 42&7\nhttps://a.test/?q=1 here');
});

it.each(['<head', '<a href="', '<a ', '<', '&nbsp;', '<br', '</script ', '\n'])(
  'a text of nothing but %s is read in passing, however long',
  (piece) => {
    const text = `${piece.repeat(500_000)}x`;
    expect(htmlWords(text).length).toBeLessThanOrEqual(text.length);
    expect(readableMessage({ headers: [], text, attachments: [] })).not.toBe('');
  },
);
