import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mailDate, receivedHeader } from './trace.ts';

const client = {
  ip: '203.0.113.9',
  port: 1,
  serverIp: '192.0.2.1',
  serverPort: 25,
  helo: 'mail.out.test',
  tls: true,
  esmtp: true,
};

it('writes the date of RFC 5322 §3.3 in UTC', () => {
  expect(mailDate(Date.UTC(2026, 10, 22, 22, 30, 5))).toBe('Sun, 22 Nov 2026 22:30:05 +0000');
  expect(mailDate(Date.UTC(2024, 1, 29))).toBe('Thu, 29 Feb 2024 00:00:00 +0000');
  expect(mailDate(0)).toBe('Thu, 1 Jan 1970 00:00:00 +0000');
});

it('writes one folded Received header (RFC 5321 §4.4), naming a recipient only when it is the only one', () => {
  const options = { client, by: 'mx.bob.test', recipient: 'a@alice.test', atMs: 0 };
  expect(receivedHeader(options)).toBe(
    'Received: from mail.out.test ([203.0.113.9])\r\n\tby mx.bob.test (copain) with ESMTPS\r\n\tfor <a@alice.test>;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n',
  );
  expect(receivedHeader({ ...options, recipient: undefined })).not.toContain('for <');
  expect(receivedHeader({ ...options, client: { ...client, ip: '2001:db8::1', esmtp: false } })).toMatch(
    /\(\[IPv6:2001:db8::1\]\)\r\n\tby mx\.bob\.test \(copain\) with SMTP\r\n/,
  );
});

it('nothing from outside can end the header, add one or open a comment', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ maxLength: 60 }),
      (helo, recipient) => {
        const header = receivedHeader({ client: { ...client, helo }, by: helo, recipient, atMs: 0 });
        expect(header).toMatch(
          /^Received: from [\w.:[\]-]+ \(\[203\.0\.113\.9\]\)(\r\n\t[\x20-\x7e]+)+\r\n$/,
        );
        expect(header.match(/\(/g)).toHaveLength(2);
      },
    ),
  );
});
