import { expect, it } from 'vitest';
import { type Observer, serviceFacts } from './service-facts.ts';

const says = (
  peer: string,
  state: 'up' | 'down',
  target = 'mail.alice.example:25',
  ownerId = peer,
): Observer => ({
  peer,
  ownerId,
  network: peer,
  services: [
    { owner: 'alice', service: 'smtp', target, state, sinceMs: 5, why: state === 'down' ? 'no answer' : '' },
  ],
});

it('puts what all say of one service together, with how it looks on its own box', () => {
  expect(serviceFacts([says('bob', 'down'), says('carol', 'down'), says('alice', 'up', '')])).toMatchObject([
    {
      ownerId: 'alice',
      service: 'smtp',
      target: 'mail.alice.example:25',
      verdict: { state: 'down', confirmed: true, downBy: ['bob', 'carol'] },
      inside: { state: 'up' },
      fault: 'way',
    },
  ]);
  expect(serviceFacts([says('bob', 'down'), says('carol', 'down'), says('alice', 'down', '')])).toMatchObject(
    [{ fault: 'service', inside: { state: 'down', why: 'no answer' } }],
  );
});

it('nobody but an owner’s box says how his services look from inside', () => {
  expect(serviceFacts([says('bob', 'down'), says('mallory', 'up', '')])).toMatchObject([
    { inside: undefined, fault: 'unknown' },
  ]);
});

it('a server that is dead on its own box is shown, also where nobody tries it from outside', () => {
  expect(serviceFacts([says('alice', 'down', '')])).toMatchObject([
    { ownerId: 'alice', service: 'smtp', target: '', verdict: { state: 'unknown' }, fault: 'service' },
  ]);
  expect(serviceFacts([says('alice', 'up', '')])).toEqual([]);
  expect(serviceFacts([says('alice', 'down', ''), says('bob', 'down')])).toHaveLength(1);
});

it('a service that this box cannot judge is shown with the reason, whoever else can', () => {
  const key = 'alice smtp mail.alice.example:25';
  expect(serviceFacts([], new Map([[key, 'reached no other']]))).toMatchObject([
    { target: 'mail.alice.example:25', verdict: { state: 'unknown' }, unknownHere: 'reached no other' },
  ]);
  expect(serviceFacts([says('bob', 'up')], new Map([[key, 'x']]))).toMatchObject([
    { verdict: { state: 'up' }, unknownHere: 'x' },
  ]);
});
