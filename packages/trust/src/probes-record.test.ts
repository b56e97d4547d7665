import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxProbedServices, maxRecordBytes } from './limits.ts';
import {
  decodeProbesRecord,
  encodeProbesRecord,
  type ServiceStatement,
  statementsThatFit,
} from './probes-record.ts';

const owner = '07'.repeat(32);
const statement = (more: Partial<ServiceStatement> = {}): ServiceStatement => ({
  owner,
  service: 'smtp',
  target: 'mail.alice.example:25',
  state: 'up',
  sinceMs: 1,
  why: '',
  ...more,
});

it('what fits is read, however much there is to say, and what is down is said first', () => {
  fc.assert(
    fc.property(
      fc.nat(400),
      fc.nat(300),
      fc.nat(160),
      fc.constantFrom('w', 'é', '日'),
      (count, targetLength, whyLength, letter) => {
        const services = Array.from({ length: count }, (_, index) =>
          statement({
            target: 't'.repeat(targetLength),
            state: index % 5 === 0 ? 'down' : 'up',
            why: letter.repeat(index % 5 === 0 ? whyLength : 0),
            sinceMs: Number.MAX_SAFE_INTEGER > index ? 1e12 + index : 0,
          }),
        );
        const fit = statementsThatFit(services);
        const bytes = encodeProbesRecord({ sequence: Number.MAX_SAFE_INTEGER, services: fit });
        expect(bytes.length).toBeLessThanOrEqual(maxRecordBytes.probes);
        expect(decodeProbesRecord(bytes)?.services).toEqual(fit);
        if (fit.some(({ state }) => state === 'up'))
          expect(fit.filter(({ state }) => state === 'down').length).toBe(Math.ceil(count / 5));
      },
    ),
    { numRuns: 200 },
  );
});

it('refuses more services than the limit, and names and texts that are none', () => {
  const of = (services: ServiceStatement[]) =>
    decodeProbesRecord(encodeProbesRecord({ sequence: 1, services }));
  expect(of(Array(maxProbedServices).fill(statement({ target: '' })))?.services).toHaveLength(
    maxProbedServices,
  );
  expect(of(Array(maxProbedServices + 1).fill(statement({ target: '' })))).toBeUndefined();
  for (const wrong of [
    { service: '' },
    { service: 'Web' },
    { service: 'a'.repeat(33) },
    { target: 'a\nb' },
    { target: 'x'.repeat(301) },
    { why: 'x'.repeat(161) },
    { sinceMs: -1 },
  ])
    expect(of([statement(wrong)]), JSON.stringify(wrong)).toBeUndefined();
});
