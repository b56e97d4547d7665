import { expect, it } from 'vitest';
import type { HistoryFacts, ServiceFacts } from './facts.ts';
import { historyBar, historyWords } from './history-text.ts';
import { metricsText } from './metrics.ts';
import { renderPage } from './page.ts';
import { buildStatus } from './status.ts';
import { quietFacts } from './testing.ts';
import { statusPlain, statusText } from './text.ts';

const nowMs = Date.UTC(2026, 10, 22, 12, 0, 0);
const service = (more: Partial<ServiceFacts> = {}): ServiceFacts => ({
  owner: 'alice',
  service: 'smtp',
  target: 'mail.alice.example:25',
  state: 'up',
  confirmed: true,
  sinceAtMs: nowMs - 3_600_000,
  upBy: ['bob', 'carol'],
  downBy: [],
  inside: 'up',
  fault: 'none',
  text: 'Your mail server answers.',
  isOwn: true,
  hint: '',
  ...more,
});
const down = service({
  state: 'down',
  upBy: [],
  downBy: ['bob', 'carol'],
  fault: 'way',
  text: 'Your mail server does not answer: the port is blocked.',
});
const statusOf = (services: readonly ServiceFacts[]) =>
  buildStatus(quietFacts({ startedAtMs: nowMs - 86_400_000, services }), nowMs);
const todos = (services: readonly ServiceFacts[]): [string, string][] =>
  statusOf(services)
    .verdict.todo.filter(({ command }) => /^peer (doctor|service)/.test(command))
    .map(({ weight, command }) => [weight, command]);

it('says what friends reach and what they do not, and where the fault lies, as text, lines and page', () => {
  const status = statusOf([service({ target: 'mx2' }), down]);
  const text = statusText(status, { nowMs, shapes: 'ascii' });
  expect(text).toMatch(/smtp +alice +mx2 +\[\+\] up +bob and carol +up\n/);
  expect(text).toMatch(
    /smtp +alice +mail\.alice\.example:25 +\[x\] down 60 min +not bob and carol +answers there: the port is blocked\n/,
  );
  expect(statusPlain(status)).toContain('service\talice\tsmtp\tmail.alice.example:25\tdown\t');
  const page = renderPage(status, { nonce: 'n', refreshMs: 10_000 });
  expect(page).toContain('<h2 id="services">Services</h2>');
  expect(page).toContain('answers there: the port is blocked');
});

it('a service of one’s own that two friends do not reach is a thing to look at, a friend’s a hint, one voice neither', () => {
  expect(todos([down])).toEqual([['attention', 'peer doctor mail']]);
  expect(todos([{ ...down, isOwn: false }])).toEqual([['hint', 'peer doctor mail']]);
  expect(todos([{ ...down, confirmed: false }])).toEqual([]);
  expect(todos([{ ...down, state: 'partial', confirmed: false }])).toEqual([]);
  expect(todos([{ ...down, service: 'dns' }])).toEqual([['attention', 'peer doctor dns']]);
  expect(todos([{ ...down, service: 'web' }])).toEqual([['attention', 'peer service list']]);
  expect(todos([service({ inside: 'down', fault: 'service' })])).toEqual([['attention', 'peer doctor mail']]);
});

const history: HistoryFacts = {
  day: 1,
  week: 0.99949,
  month: 0.5,
  year: undefined,
  days: [...Array<undefined>(88).fill(undefined), 0.5, 1],
};

it('a year is shown at a glance: in words that never round up to all, as a bar, in JSON and on the page', () => {
  const status = statusOf([service({ history }), service({ target: 'mx2', history: undefined })]);
  const [shown, without] = status.services;
  expect(without?.history).toBeNull();
  expect(shown?.history).toMatchObject({ up24h: 1, up7d: 0.9995, up30d: 0.5, up365d: null });
  expect(shown?.history?.days).toHaveLength(90);
  if (!shown?.history) throw new Error('it has a history');
  expect(historyWords({ ...shown.history, up7d: 0.99999 })).toBe(
    '24 h 100 %, 7 d 99.9 %, 30 d 50 %, 365 d -',
  );
  expect(historyBar(shown.history, 'ascii')).toBe(`${'.'.repeat(28)}27`);
  expect(historyBar(shown.history, 'unicode')).toBe(`${'·'.repeat(28)}▃█`);
  const page = renderPage(status, { nonce: 'n', refreshMs: 10_000 });
  expect(page).toMatch(/<svg class="days" [^>]*aria-label="24 h 100 %, 7 d 99.9 %, 30 d 50 %, 365 d -">/);
  expect(page.match(/class="days"/g)).toHaveLength(1);
});

it('what comes from others cannot write markup into the page', () => {
  const page = renderPage(statusOf([service({ service: '<b>', target: '"><script>', upBy: ['<i>'] })]), {
    nonce: 'n',
    refreshMs: 10_000,
  });
  expect(page).not.toMatch(/<script>|<b>|<i>/);
});

it('is measured by what is agreed and by what this box found; nothing is said of what nobody knows', () => {
  const metrics = metricsText({
    status: statusOf([service(), { ...down, target: 'mx2' }, { ...down, target: 'mx3', confirmed: false }]),
    nowMs,
    counters: {
      dnsQueries: [],
      dnsLimited: [],
      dnsTransfers: [],
      zonesReceived: [],
      mailAccepted: [],
      mailDelivered: [],
      mailRaw: [],
      refused: [],
      lineBytes: [],
      residentMemoryBytes: 1,
      probes: [
        { owner: 'bob', service: 'dns', target: 'b at ns', state: 'up', tookMs: 12 },
        { owner: 'bob', service: 'smtp', target: 'mx:25', state: 'unknown', tookMs: undefined },
      ],
    },
  });
  expect(metrics).toContain(
    'copain_service_up{owner="alice",service="smtp",target="mail.alice.example:25"} 1\n',
  );
  expect(metrics).toContain('copain_service_up{owner="alice",service="smtp",target="mx2"} 0\n');
  expect(metrics).not.toContain('target="mx3"');
  expect(metrics).toContain('copain_probe_success{owner="bob",service="dns",target="b at ns"} 1\n');
  expect(metrics).toContain(
    'copain_probe_duration_seconds{owner="bob",service="dns",target="b at ns"} 0.012\n',
  );
  expect(metrics).not.toContain('target="mx:25"');
});
