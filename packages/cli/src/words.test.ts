import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  changeRights,
  knownRights,
  readListenFailure,
  readListenOption,
  readSince,
  readWaitFor,
} from './index.ts';

it('reads one or more addresses to listen on, or none', () => {
  expect(readListenOption('127.0.0.1:53, [::1]:53')).toEqual({
    kind: 'addresses',
    addresses: ['127.0.0.1:53', '[::1]:53'],
  });
  expect(readListenOption('none')).toEqual({ kind: 'addresses', addresses: [] });
  expect(readListenOption('53')).toMatchObject({ kind: 'bad', why: /"53"/ });
});

it('adds, removes or replaces rights', () => {
  const rights = (current: string[], ...words: string[]) => {
    const changed = changeRights(current, words);
    return changed.kind === 'rights' ? changed.rights : changed.why;
  };
  expect(rights(['dns', 'backup'], '+mail', '-backup')).toEqual(['dns', 'mail']);
  expect(rights(['dns'], 'witness,mail')).toEqual(['mail', 'witness']);
  expect(rights(['dns'], 'none')).toEqual([]);
  expect(rights(['dns'], '+fly')).toMatch(/"fly" is no right/);
  expect(rights(['dns'], '+mail', 'dns')).toMatch(/either/);
  expect(rights(['dns'])).toMatch(/say what/);
});

it('adding and taking away again changes nothing', () => {
  fc.assert(
    fc.property(fc.subarray([...knownRights]), fc.constantFrom(...knownRights), (current, right) => {
      fc.pre(!current.includes(right));
      const more = changeRights(current, [`+${right}`]);
      const back = more.kind === 'rights' ? changeRights(more.rights, [`-${right}`]) : more;
      expect(back).toEqual({ kind: 'rights', rights: knownRights.filter((one) => current.includes(one)) });
    }),
  );
});

it('a time is so long ago, or a date', () => {
  expect(readSince('2h', 10_000_000)).toBe(2_800_000);
  expect(readSince('1970-01-01T00:00:01Z', 5)).toBe(1000);
  expect(readSince('yesterday', 5)).toBeUndefined();
});

it('reads what to wait for, and nothing else', () => {
  for (const good of ['ready', 'friend:bob-2', 'zone:a.test', 'zone:a.test=7', 'mail-empty:a.test'])
    expect(readWaitFor(good)).toBe(good);
  expect(readWaitFor('mail-empty:A.Test.')).toBe('mail-empty:a.test');
  expect(readWaitFor('zone:A.Test.=7')).toBe('zone:a.test=7');
  for (const bad of [
    '',
    'raedy',
    'friend:',
    'friend:Bob',
    'zone:',
    'zone:a=b',
    'mail-empty:',
    'mail-empty:a=1',
  ])
    expect([bad, readWaitFor(bad)]).toEqual([bad, undefined]);
});

it('finds the address that could not be listened on in what libraries say', () => {
  const said =
    'Some addresses failed:\n  /ip4/127.0.0.1/tcp/25: Error: listen EADDRINUSE: address already in use';
  expect(readListenFailure(`${said} 127.0.0.1:25\n    at Server.x (node:net:2328:16)`)).toEqual({
    address: '127.0.0.1:25',
    code: 'EADDRINUSE',
  });
  expect(readListenFailure('listen EACCES: permission denied 0.0.0.0:25')).toMatchObject({ code: 'EACCES' });
  expect(readListenFailure('listen EADDRNOTAVAIL: address not available ::5:25')?.address).toBe('::5:25');
  expect(readListenFailure('connect ECONNREFUSED 127.0.0.1:25')).toBeUndefined();
});
