import { expect, it } from 'vitest';
import { patientClientsMax, patientForMs } from './limits.ts';
import { patientClients } from './patient-clients.ts';

it('who waited once is known for a day, and only he', () => {
  const known = patientClients();
  known.add('203.0.113.9', 1000);
  expect(known.has('203.0.113.9', 1000)).toBe(true);
  expect(known.has('203.0.113.9', 1000 + patientForMs - 1)).toBe(true);
  expect(known.has('203.0.113.9', 1000 + patientForMs)).toBe(false);
  expect(known.has('203.0.113.10', 1000)).toBe(false);
  // A clock that was set back knows nothing of what is to come.
  expect(known.has('203.0.113.9', 999)).toBe(false);
});

it('the one who waited longest ago is forgotten when there are too many', () => {
  const known = patientClients();
  for (let i = 0; i < patientClientsMax; i++) known.add(`client ${i}`, i);
  known.add('client 0', patientClientsMax);
  known.add('a newcomer', patientClientsMax);
  const nowMs = patientClientsMax;
  expect(known.has('client 0', nowMs)).toBe(true);
  expect(known.has('client 1', nowMs)).toBe(false);
  expect(known.has('client 2', nowMs)).toBe(true);
  expect(known.has('a newcomer', nowMs)).toBe(true);
});
