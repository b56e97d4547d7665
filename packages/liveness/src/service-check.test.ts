import fc from 'fast-check';
import { expect, it } from 'vitest';
import { judgeGreeting, judgeHttp, parseCheck } from './service-check.ts';

it('reads the checks that an owner can write', () => {
  expect(parseCheck('https://www.alice.example/health#contains=all is well')).toEqual({
    kind: 'http',
    secure: true,
    host: 'www.alice.example',
    port: 443,
    path: '/health',
    contains: 'all is well',
  });
  expect(parseCheck('http://[2001:db8::7]:8080')).toMatchObject({
    host: '2001:db8::7',
    port: 8080,
    path: '/',
  });
  expect(parseCheck('tcp://XMPP.alice.example:5222')).toEqual({
    kind: 'tcp',
    host: 'xmpp.alice.example',
    port: 5222,
  });
  expect(parseCheck('smtp://mail.alice.example')).toMatchObject({ kind: 'smtp', port: 25, greets: [] });
});

it('refuses what is no check', () => {
  for (const text of [
    'tcp://alice.example',
    'tcp://alice.example:0',
    'tcp://alice.example:65536',
    'tcp://alice.example:25/path',
    'ftp://alice.example',
    'https://user:secret@alice.example/',
    'https://alice.example/a b',
    'https://alice.example/\r\nx: y',
    `https://alice.example/${'a'.repeat(300)}`,
    '',
  ])
    expect(parseCheck(text), text).toBeUndefined();
});

it('reads any text without failing', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 400 }), (text) => {
      const check = parseCheck(`https://${text}`);
      if (check?.kind === 'http') expect(check.path).toMatch(/^\/[!-~]*$/);
    }),
  );
});

it('takes a greeting for its server only where the server names itself', () => {
  const greets = ['mail.alice.example', 'alice.example'];
  expect(judgeGreeting('220 mail.alice.example ESMTP', greets, 5)).toEqual({ kind: 'up', tookMs: 5 });
  expect(judgeGreeting('220-mx1.alice.example hello', greets, 5).kind).toBe('up');
  expect(judgeGreeting('220 notalice.example ESMTP', greets, 5).kind).toBe('unknown');
  expect(judgeGreeting('220 ****************', greets, 5).kind).toBe('unknown');
  expect(judgeGreeting('220 whoever', [], 5).kind).toBe('up');
  expect(judgeGreeting('554 no', greets, 5).kind).toBe('down');
  expect(judgeGreeting('421 too busy', greets, 5).kind).toBe('down');
  expect(judgeGreeting('SSH-2.0-OpenSSH_9.2', greets, 5).kind).toBe('unknown');
});

it('a page is up by its status and the text it is known by; a redirect is an answer', () => {
  expect(judgeHttp({ status: 200, body: 'ok' }, undefined, 1).kind).toBe('up');
  expect(judgeHttp({ status: 301, body: '' }, undefined, 1).kind).toBe('up');
  expect(judgeHttp({ status: 503, body: 'ok' }, undefined, 1).kind).toBe('down');
  expect(judgeHttp({ status: 200, body: 'parked domain' }, 'alice', 1).kind).toBe('down');
});
