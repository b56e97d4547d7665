import { expect, it } from 'vitest';
import type { StatusFacts } from './facts.ts';
import { takeoverFindings } from './takeover-findings.ts';

const nowMs = Date.UTC(2030, 0);
const dayMs = 86_400_000;
const found = (facts: Partial<Pick<StatusFacts, 'takeovers' | 'signedStandbys'>>) =>
  takeoverFindings({ takeovers: [], ...facts } as unknown as StatusFacts, nowMs).map(
    ({ weight, todo }) => `${weight}: ${todo.text} ${todo.command}`,
  );
const web = { owner: 'alice', service: 'web', name: 'www.alice.example', by: 'bob', sinceAtMs: 0, votes: [] };

it('says of our own services who stands in and what ends it; those of friends are no finding', () => {
  expect(found({ takeovers: [web] })).toEqual([]);
  const how = (one: 'agreed' | 'flapping' | 'pinned' | 'drill') =>
    found({ takeovers: [{ ...web, how: one }] }).join();
  expect(how('agreed')).toMatch(/^attention: bob stands in for web .* peer service pin web up$/);
  expect(how('flapping')).toContain('three times within a day');
  expect(how('pinned')).toMatch(/^hint: .* peer service pin web obey$/);
  expect(how('drill')).toMatch(/^hint: A rehearsal: bob answers for web/);
});

it('asks for new signatures a week before the old ones end', () => {
  const signed = (untilMs: number) =>
    found({ signedStandbys: [{ service: 'web', name: 'www.alice.example', untilMs }] });
  expect(signed(nowMs + 8 * dayMs)).toEqual([]);
  expect(signed(nowMs + 6 * dayMs).join()).toContain('expire in 6 d');
  expect(signed(nowMs - 1).join()).toContain('have expired');
});
