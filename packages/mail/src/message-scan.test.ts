import { concatBytes, toUtf8 } from '@copain/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dotStuffing } from './dot-stuffing.ts';
import { scanMessage } from './message-scan.ts';

function scanned(text: string): ReturnType<typeof scanMessage> {
  const scan = scanMessage();
  for (const piece of text) scan.push(toUtf8(piece));
  return scan;
}

it('finds every bare CR and LF (RFC 5321 §2.3.8), however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('\r', '\n', '\r\n', 'a', '.'), { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const bare = /\r(?!\n)|(?<!\r)\n/.test(text);
      const scan = scanned(text);
      expect(scan.isClean()).toBe(!bare && (text === '' || text.endsWith('\r\n')));
      expect(scan.sizeBytes).toBe(text.length);
    }),
  );
});

it('counts Received lines in the header only, in any case, at the start of a line', () => {
  const header =
    'Received: a\r\nRECEIVED: b\r\n\tReceived: folded\r\nX-Received: c\r\nReceived : d\r\nreceived:e\r\n';
  expect(scanned(`${header}\r\nReceived: body\r\n`).receivedLines).toBe(3);
});

it('a message is what comes out again when its stuffed form is unstuffed, and no line in it is a lone dot', () => {
  const line = fc.stringMatching(/^[.a]{0,4}$/);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.integer({ min: 1, max: 5 }), (lines, size) => {
      const text = lines.map((one) => `${one}\r\n`).join('');
      const bytes = toUtf8(text);
      const stuffing = dotStuffing();
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size)
        pieces.push(stuffing.push(bytes.subarray(at, at + size)));
      const stuffed = String.fromCharCode(...concatBytes(...pieces));
      const wire = stuffed + String.fromCharCode(...stuffing.end());
      expect(wire.indexOf('\r\n.\r\n')).toBe(text === '' ? -1 : wire.length - 5);
      expect(wire.endsWith('.\r\n')).toBe(true);
      expect(stuffed.replaceAll(/(^|\r\n)\./g, '$1')).toBe(text);
    }),
  );
});

it('stuffs after a bare LF too, and ends a last line that has no CRLF', () => {
  const stuffing = dotStuffing();
  expect(stuffing.push(toUtf8('a\n.\r\nb'))).toEqual(toUtf8('a\n..\r\nb'));
  expect(stuffing.end()).toEqual(toUtf8('\r\n.\r\n'));
});
