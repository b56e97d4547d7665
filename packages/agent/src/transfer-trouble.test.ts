import { expect, it } from 'vitest';
import { badSignatureText, refusedNotifyText, type ToldTroubles, tellTrouble } from './transfer-trouble.ts';

it('tells a trouble once an hour, and another one at once', () => {
  const told = tellTrouble(new Map(), 'a', 0) as ToldTroubles;
  expect(tellTrouble(told, 'a', 3_599_999)).toBeUndefined();
  const both = tellTrouble(told, 'b', 10) as ToldTroubles;
  expect([...both.keys()]).toEqual(['a', 'b']);
  expect(tellTrouble(both, 'a', 3_600_000)?.get('a')).toBe(3_600_000);
});

it('remembers a thousand troubles at most, the newest', () => {
  let told: ToldTroubles = new Map();
  for (let i = 0; i < 1500; i++) told = tellTrouble(told, `t${i}`, i) ?? told;
  expect(told.size).toBe(1000);
  expect(told.has('t1499')).toBe(true);
});

it('says which key, secret or clock is wrong, and what to do', () => {
  const at = { peer: '127.0.0.1', key: 'home', aheadS: 0 };
  expect(badSignatureText({ ...at, error: 'BADKEY' })).toMatch(
    /key "home" that \[dns\] transfer does not have/,
  );
  expect(badSignatureText({ ...at, error: 'BADSIG' })).toMatch(
    /"home", but with another secret .*serve-with/,
  );
  expect(badSignatureText({ ...at, error: 'BADTIME', aheadS: 900 })).toMatch(/900 s ahead of this one's/);
  expect(badSignatureText({ ...at, error: 'BADTIME', aheadS: -900 })).toMatch(/900 s behind this one's/);
});

it('says which zone a server does not want', () => {
  const text = refusedNotifyText({ peer: '127.0.0.1:53', zone: 'alice.example', rcode: 'NOTAUTH' });
  expect(text).toMatch(
    /^127\.0\.0\.1:53 does not want alice\.example \(NOTAUTH to NOTIFY\): peer zone serve-with/,
  );
});
