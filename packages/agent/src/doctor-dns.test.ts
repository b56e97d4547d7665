import type { ZoneStatus } from '@copain/status';
import { expect, it } from 'vitest';
import { dnsChecks } from './doctor-dns.ts';

const primary: ZoneStatus['primary'] = {
  address: '127.0.0.1:5300',
  serial: 3,
  checkedAt: null,
  nextCheckAt: '2026-01-01T01:00:00Z',
  expiresAt: null,
  expired: false,
  failing: null,
  lastTransfer: null,
};
const zone: ZoneStatus = {
  origin: 'alice.example',
  owner: 'alice',
  role: 'primary',
  serial: 3,
  fileSerial: 3,
  expiresAt: null,
  agedPercent: 0,
  friends: [],
  primary: null,
  file: '/z',
  problems: [],
  held: null,
};
const nowMs = Date.parse('2026-01-01T00:05:00Z');
const verdicts = (zones: readonly ZoneStatus[], listening = [{ host: '192.0.2.1', port: 53 }]) =>
  dnsChecks({ nowMs, listening, zones }).map(({ id, ok }) => [id, ok]);

it('a zone is well where a version is served, and its primary where it answers', () => {
  expect(verdicts([zone, { ...zone, origin: 'b.example', primary }])).toEqual([
    ['dns.listen', true],
    ['dns.zone.alice.example', true],
    ['dns.zone.b.example', true],
    ['dns.zone.b.example.primary', true],
  ]);
});

it('what is wrong with a zone or its primary is told, with what to do', () => {
  const failing = { sinceAt: '2026-01-01T00:00:00Z', text: 'nothing listens there' };
  const problem = { severity: 'error' as const, file: 'z', line: 1, column: 1, text: 'no NS' };
  const zones = [
    { ...zone, serial: null, primary: { ...primary, failing } },
    { ...zone, origin: 'b.example', problems: [problem] },
  ];
  const bad = dnsChecks({ nowMs, listening: [], zones }).filter(({ ok }) => ok === false);
  expect(bad.map(({ text }) => text)).toEqual([
    'alice.example: nothing is served.',
    'alice.example: the primary 127.0.0.1:5300 could not be asked for 5 min: nothing listens there.',
    'b.example: no NS; serial 3 is served.',
  ]);
  expect(bad.every(({ hint }) => hint !== null)).toBe(true);
});

it('a box behind another server, or that answers nothing, is neither good nor bad for it; zones of friends are theirs', () => {
  expect(verdicts([{ ...zone, role: 'secondary', serial: null }], [])).toEqual([['dns.listen', null]]);
  expect(verdicts([], [{ host: '127.0.0.1', port: 53 }])).toEqual([['dns.listen', null]]);
});
