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

it('a service that this box cannot judge is shown with the reason, whoever else can', () => {
  const key = 'alice smtp mail.alice.example:25';
  expect(serviceFacts([], new Map([[key, 'reached no other']]))).toMatchObject([
    { target: 'mail.alice.example:25', verdict: { state: 'unknown' }, unknownHere: 'reached no other' },
  ]);
  expect(serviceFacts([says('bob', 'up')], new Map([[key, 'x']]))).toMatchObject([
    { verdict: { state: 'up' }, unknownHere: 'x' },
  ]);
});
