import { expect, it } from 'vitest';
import type { ServiceFact } from './service-facts.ts';
import { serviceChecks, serviceText } from './service-text.ts';

const names = { ofOwner: (id: string) => id, ofPeer: (peer: string) => peer };
const fact = (more: Partial<ServiceFact> = {}): ServiceFact => ({
  ownerId: 'alice',
  service: 'smtp',
  target: 'mail.alice.example:25',
  verdict: {
    state: 'down',
    confirmed: true,
    sinceMs: 1,
    downBy: ['carol', 'bob'],
    upBy: [],
    why: 'no answer',
  },
  inside: { state: 'up', why: '' },
  fault: 'way',
  unknownHere: '',
  ...more,
});

it('tells a port that is blocked from a server that is dead', () => {
  expect(serviceText(fact(), 'alice', names)).toBe(
    'Your mail server (mail.alice.example:25) does not answer: bob and carol do not reach it (no answer). On its own box it answers: the port is blocked or not forwarded on the way, by a firewall, the router or the provider.',
  );
  const dead = fact({ inside: { state: 'down', why: '127.0.0.1:2525: refused' }, fault: 'service' });
  expect(serviceText(dead, 'bob', names)).toMatch(
    /^The mail server of alice .* On its own box it does not answer either \(127\.0\.0\.1:2525: refused\): it is stopped, or hangs\.$/,
  );
});

it('says who reaches it and who does not, that nobody else could confirm, and why nobody can say', () => {
  const verdict = fact().verdict;
  const one = { ...verdict, confirmed: false, downBy: ['bob'] };
  expect(serviceText(fact({ verdict: one, fault: 'unknown' }), 'alice', names)).toMatch(
    /bob does not reach it .*Nobody else could confirm it\.$/,
  );
  const partial = { ...verdict, state: 'partial' as const, upBy: ['dave'] };
  expect(serviceText(fact({ verdict: partial }), 'alice', names)).toMatch(
    /is reached by dave; bob and carol do not reach it/,
  );
  const unknown = { ...verdict, state: 'unknown' as const, downBy: [] };
  expect(
    serviceText(fact({ verdict: unknown, unknownHere: 'something else answers' }), 'alice', names),
  ).toMatch(/^Nobody can say whether your mail server .*: something else answers\.$/);
});

it('says of a server that is dead on its own box so, also where nobody tries it from outside', () => {
  const { verdict } = fact();
  const dead = fact({
    target: '',
    verdict: { ...verdict, state: 'unknown', downBy: [] },
    inside: { state: 'down', why: '127.0.0.1:2525: refused' },
    fault: 'service',
  });
  expect(serviceText(dead, 'alice', names)).toBe(
    'Your mail server does not answer on its own box (127.0.0.1:2525: refused): it is stopped, or hangs. Nobody can say how it looks from outside.',
  );
  expect(serviceChecks([dead], 'alice', names, ['smtp']).map(({ ok }) => ok)).toEqual([false]);
});

it('the doctor looks at one’s own services alone, and knows what nobody can say', () => {
  const { verdict } = fact();
  const facts = [
    fact(),
    fact({ ownerId: 'bob' }),
    fact({ service: 'dns' }),
    fact({ target: 'mx2', verdict: { ...verdict, state: 'unknown' } }),
    fact({ target: 'mx3', verdict: { ...verdict, state: 'up' }, fault: 'none' }),
  ];
  expect(serviceChecks(facts, 'alice', names, ['smtp']).map(({ ok }) => ok)).toEqual([false, null, true]);
});
