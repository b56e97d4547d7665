import { toUtf8 } from '@copain/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admitRecipient, admitRecipientParameters, admitSender, isSender } from './admission.ts';
import { noMessageDsn, rcptDsnParameters } from './dsn.ts';
import { recipientsMax } from './limits.ts';
import type { MailDomain } from './mail-domain.ts';

const domain = (name: string, ownerId: string, role: MailDomain['role'] = 'backup'): MailDomain => ({
  domain: name,
  ownerId,
  ownerName: ownerId,
  role,
  sealTo: [],
  maxBytes: 1,
});
const domains = [
  domain('alice.test', 'alice'),
  domain('alice2.test', 'alice'),
  domain('bob.test', 'bob', 'own'),
];
const nothing = { ownerId: undefined, recipients: [], smtpUtf8: false };

describe('a recipient', () => {
  it('of a listed domain is accepted, the domain in lower case, the local part as it was given', () => {
    for (const [given, kept] of [
      ['User@ALICE.Test', 'User@alice.test'],
      ['a+tag@alice2.test', 'a+tag@alice2.test'],
      ['a@alice.test.', 'a@alice.test'],
      ['"odd.one"@bob.test', '"odd.one"@bob.test'],
    ] as const)
      expect(admitRecipient(given, domains, nothing)).toMatchObject({ kind: 'accepted', address: kept });
  });

  it('whatever it is, is accepted only for a listed domain and without anything that routes or breaks a line', () => {
    const piece = fc.constantFrom(
      'a',
      '.',
      '%',
      '!',
      '@',
      '"',
      '\r',
      '\n',
      '\0',
      ' ',
      '<',
      '>',
      'alice.test',
      'é',
      '\\',
      '..',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, smtpUtf8) => {
        const decision = admitRecipient(pieces.join(''), domains, { ...nothing, smtpUtf8 });
        if (decision.kind === 'refused') {
          expect(decision.reply.code).toBeGreaterThanOrEqual(400);
          return;
        }
        const at = decision.address.lastIndexOf('@');
        expect(decision.address.slice(at + 1)).toBe('alice.test');
        const local = decision.address.slice(0, at);
        expect(local).not.toMatch(/[%!@\s<>\\]/);
        expect([...toUtf8(local)].every((byte) => byte > 0x20 && byte !== 0x7f)).toBe(true);
      }),
    );
  });

  it('postmaster without a domain is taken (RFC 5321 §4.5.1): by the owner of the transaction, else by us', () => {
    expect(admitRecipient('PostMaster', domains, { ...nothing, ownerId: 'alice' })).toMatchObject({
      address: 'postmaster@alice.test',
    });
    expect(admitRecipient('postmaster', domains, nothing)).toMatchObject({ address: 'postmaster@bob.test' });
    expect(admitRecipient('postmaster', [], nothing)).toMatchObject({ kind: 'refused' });
  });

  it('of another owner waits for a transaction of its own (RFC 5321 §4.5.3.1.10), another domain of this owner does not', () => {
    const soFar = { ...nothing, ownerId: 'alice', recipients: ['a@alice.test'] };
    expect(admitRecipient('b@bob.test', domains, soFar)).toMatchObject({ reply: { code: 452 } });
    expect(admitRecipient('b@alice2.test', domains, soFar)).toMatchObject({ kind: 'accepted' });
  });

  it('beyond the limit gets 452, a repeated one does not count', () => {
    const recipients = Array.from({ length: recipientsMax }, (_, i) => `r${i}@alice.test`);
    const soFar = { ...nothing, ownerId: 'alice', recipients };
    expect(admitRecipient('more@alice.test', domains, soFar)).toMatchObject({ reply: { code: 452 } });
    expect(admitRecipient('r5@alice.test', domains, soFar)).toMatchObject({ kind: 'accepted' });
  });

  it('with letters beyond ASCII needs SMTPUTF8 (RFC 6531)', () => {
    expect(admitRecipient('é@alice.test', domains, nothing)).toMatchObject({ reply: { code: 553 } });
    expect(admitRecipient('é@alice.test', domains, { ...nothing, smtpUtf8: true })).toMatchObject({
      kind: 'accepted',
    });
  });
});

describe('what a recipient is given with', () => {
  it('is which reports the sender wants, in the form of RFC 3461 §4, and nothing else', () => {
    const given = (name: string, value: string | true) => admitRecipientParameters(new Map([[name, value]]));
    expect(admitRecipientParameters(new Map())).toEqual({ kind: 'accepted', dsn: { notify: '', orcpt: '' } });
    expect(given('NOTIFY', 'success,Delay')).toMatchObject({ dsn: { notify: 'SUCCESS,DELAY' } });
    expect(given('NOTIFY', 'NEVER')).toMatchObject({ dsn: { notify: 'NEVER' } });
    for (const [decoded, passedOn] of [
      ['rfc822;a+b=c d@e.test', 'rfc822;a+2Bb+3Dc+20d@e.test'],
      ['utf-8;é@c.test', 'utf-8;é@c.test'],
      ['rfc822;é@c.test', 'rfc822;+E9@c.test'],
    ] as const)
      expect(given('ORCPT', decoded)).toMatchObject({ dsn: { orcpt: passedOn } });
    for (const value of ['NEVER,SUCCESS', 'ALWAYS', 'SUCCESS,', 'SUCCESS,SUCCESS,DELAY,DELAY', true] as const)
      expect(given('NOTIFY', value)).toMatchObject({ reply: { code: 501 } });
    for (const value of [
      'a@b.test',
      'rfc822;',
      'rfc 822;a',
      ';a',
      `rfc822;${'x'.repeat(500)}`,
      true,
    ] as const)
      expect(given('ORCPT', value)).toMatchObject({ reply: { code: 501 } });
    for (const name of ['X', 'RET', 'BY', '__proto__'])
      expect(given(name, 'FULL')).toMatchObject({ reply: { code: 555 } });
  });

  it('whatever it is, cannot end the command or bring in another parameter', () => {
    const piece = fc.constantFrom(
      'rfc822;',
      'NEVER',
      'SUCCESS',
      ',',
      ' ',
      '\r\n',
      '+',
      '=',
      '+2B',
      'é',
      '<',
      '\0',
      ';',
      'a',
    );
    fc.assert(
      fc.property(fc.constantFrom('NOTIFY', 'ORCPT'), fc.array(piece, { maxLength: 6 }), (name, pieces) => {
        const decision = admitRecipientParameters(new Map([[name, pieces.join('')]]));
        if (decision.kind === 'accepted')
          expect(rcptDsnParameters(decision.dsn)).toMatch(/^(?: [A-Z]+=[^\s=\0]+)?$/);
      }),
    );
  });
});

describe('a sender', () => {
  it('may be empty, since that is who bounces (RFC 5321 §4.5.5)', () => {
    expect(admitSender('', new Map())).toEqual({
      kind: 'accepted',
      from: '',
      parameters: { smtpUtf8: false, dsn: noMessageDsn },
    });
  });

  it('keeps the parameters we understand and is refused for those we do not (RFC 5321 §4.1.1.11)', () => {
    const known = new Map<string, string | true>([
      ['SIZE', '12'],
      ['BODY', '8bitmime'],
      ['SMTPUTF8', true],
      ['RET', 'hdrs'],
      ['ENVID', 'QQ314+159'],
    ]);
    expect(admitSender('a@b.test', known)).toMatchObject({
      parameters: {
        sizeBytes: 12,
        body: '8BITMIME',
        smtpUtf8: true,
        dsn: { ret: 'HDRS', envid: 'QQ314+2B159' },
      },
    });
    for (const bad of [
      ['AUTH', '<>'],
      ['BODY', 'BINARYMIME'],
      ['SIZE', 'x'],
      ['SMTPUTF8', 'x'],
      ['HOLDFOR', '9'],
    ] as const)
      expect(admitSender('a@b.test', new Map([bad]))).toMatchObject({ reply: { code: 555 } });
  });

  it('that asks for delivery reports in another form than RFC 3461 §4 is told so', () => {
    for (const bad of [
      ['RET', 'ALL'],
      ['RET', true],
      ['ENVID', true],
      ['ENVID', 'x'.repeat(101)],
    ] as const)
      expect(admitSender('a@b.test', new Map<string, string | true>([bad]))).toMatchObject({
        reply: { code: 501 },
      });
  });

  it('larger than the limit is 552 before a byte is sent (RFC 1870)', () => {
    expect(admitSender('a@b.test', new Map([['SIZE', '50000001']]))).toMatchObject({ reply: { code: 552 } });
  });

  it('cannot carry anything that ends a command', () => {
    for (const bad of [
      'a',
      '@b',
      'a@',
      'a b@c',
      'a@b\r\nRCPT TO:<x@y>',
      'a>@b',
      'a@b\0',
      `${'a'.repeat(255)}@b`,
    ])
      expect([bad, isSender(bad)]).toEqual([bad, false]);
    expect(isSender('"x y"@b'.replace(' ', '_'))).toBe(true);
  });
});
