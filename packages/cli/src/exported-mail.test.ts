import type { MessageInfo } from '@copain/status';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maildirFile, mboxEntry, messagesToExport } from './exported-mail.ts';

const envelope = { from: 's@out.test', recipients: ['a@alice.test', 'b@alice.test'], receivedAtMs: 0 };

it('what is exported are the messages that were named, and an id that means none of them is told', () => {
  const message = (id: string, domain: string) => ({ id, domain }) as MessageInfo;
  const [one, two] = [message('aabbccddeeff', 'alice.test'), message('aabb00112233', 'carol.test')];
  const choose = (ids: string[], domain?: string) => messagesToExport([one, two], { ids, domain });
  expect(choose([])).toEqual({ chosen: [one, two], unknown: [] });
  expect(choose([], 'Alice.test')).toEqual({ chosen: [one], unknown: [] });
  expect(choose(['AABBCC', 'ffff'])).toEqual({ chosen: [one], unknown: ['ffff'] });
  expect(choose(['aabb'])).toEqual({ chosen: [one, two], unknown: [] });
  expect(choose(['aabb00'], 'alice.test')).toEqual({ chosen: [], unknown: ['aabb00'] });
  expect(choose(['aab'])).toEqual({ chosen: [], unknown: ['aab'] });
});

it('an mbox entry has the envelope, and hides what looks like another entry (RFC 4155)', () => {
  const message = 'Subject: x\r\n\r\nFrom here\r\n>From there\r\nfrom\r\n';
  expect(mboxEntry(message, envelope)).toBe(
    'From s@out.test Thu Jan  1 00:00:00 1970\nReturn-Path: <s@out.test>\nEnvelope-To: a@alice.test\n' +
      'Envelope-To: b@alice.test\nSubject: x\n\n>From here\n>>From there\nfrom\n\n',
  );
});

it('whatever the messages, an mbox has one From_ line for each, and unquoting gives the lines back', () => {
  const line = fc.oneof(
    fc.constantFrom('From x', '>From y', '', '.', 'text', '>>From '),
    fc.string({ maxLength: 9 }),
  );
  fc.assert(
    fc.property(fc.array(fc.array(line, { maxLength: 6 }), { maxLength: 4 }), (bodies) => {
      const clean = bodies.map((lines) => lines.map((one) => one.replaceAll(/[\r\n\u2028\u2029]/g, '')));
      const box = clean.map((lines) => mboxEntry(`H: 1\r\n\r\n${lines.join('\r\n')}\r\n`, envelope)).join('');
      const entries = box.split(/^From [^\n]*\n/m).slice(1);
      expect(entries).toHaveLength(bodies.length);
      entries.forEach((entry, i) => {
        const body = entry.slice(entry.indexOf('\n\n') + 2, -2).replaceAll(/^>(>*From )/gm, '$1');
        expect(body).toBe(clean[i]?.join('\n'));
      });
    }),
  );
});

it('an envelope cannot begin a header line of its own', () => {
  const file = maildirFile('H: 1\r\n\r\n', { ...envelope, from: 'a@b\r\nX: y', recipients: ['c\n@d'] });
  expect(file).toBe('Return-Path: <a@bX:y>\nEnvelope-To: c@d\nH: 1\n\n');
});
