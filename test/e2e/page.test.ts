import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { contentWidthPx, domOf } from './lib/browser.ts';
import { eventually } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, type Trio, threeFriends } from './lib/scene.ts';
import type { StatusJson } from './lib/status-json.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
let trio: Trio;
let base: string;

const get = (path: string, init: RequestInit = {}) => fetch(`${base}${path}`, init);

beforeAll(async () => {
  trio = await threeFriends(scene);
  base = `http://${trio.alice.http.host}:${trio.alice.http.port}`;
  const zone = trio.alice.write('a.zone', zoneText({ serial: 7, ns1: trio.bob.host, ns2: trio.carol.host }));
  await trio.alice.well(['zone', 'add', 'alice.example', '--file', zone]);
  await trio.alice.well(['mail', 'add', 'alice.example', '--deliver', `${trio.address(9)}:2500`]);
  await eventually('the zone is at bob and carol', async () => {
    const [one] = (await trio.alice.status()).zones;
    return one?.friends.length === 2 && one.friends.every(({ serial }) => serial === 7);
  });
});

/** Only what stays the same between two looks: no counters, no instants of "last heard". */
function lasting(status: StatusJson): unknown {
  return {
    name: status.name,
    id: status.id,
    verdict: status.verdict,
    friends: status.friends.map(({ name, state, confirmed, sinceAt, may }) => ({
      name,
      state,
      confirmed,
      sinceAt,
      may,
    })),
    zones: status.zones.map(({ origin, owner, role, serial }) => ({ origin, owner, role, serial })),
    mail: status.mail.map(({ domain, owner, role }) => ({ domain, owner, role })),
  };
}

describe('the status server', () => {
  it('answers /healthz with ok once ready', async () => {
    const response = await get('/healthz');
    expect([response.status, (await response.text()).trim()]).toEqual([200, 'ok']);
  });

  it('answers /status.json with the same facts as peer status --json', async () => {
    const response = await get('/status.json');
    expect(response.headers.get('content-type')).toContain('application/json');
    const text = await response.text();
    expect(text).toMatch(/^\{\s*"schema":\s*"peer\.status\/1"/);
    expect(lasting(JSON.parse(text) as StatusJson)).toEqual(lasting(await trio.alice.status()));
  });

  it('answers /metrics in Prometheus’ text form', async () => {
    const text = await (await get('/metrics')).text();
    expect(text).toMatch(/^copain_friend_up\{friend="bob"\} 1$/m);
    expect(text).toMatch(/^copain_zone_serial\{origin="alice\.example"\} 7$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
      expect(line).toMatch(/^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-+0-9.eNaInf]+$/);
    }
  });

  it('changes nothing and says nothing to foreign names: only GET, only its own address', async () => {
    expect((await get('/', { method: 'POST' })).status).toBe(405);
    expect((await get('/no-such-page')).status).toBe(404);
  });

  it('has a page of less than 10 kB compressed, with a policy that forbids scripts', async () => {
    const response = await get('/');
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/);
    expect(gzipSync(await response.bytes()).length).toBeLessThan(10_000);
  });
});

const skip = whyNot({ programs: ['chromium'] }, 'the page in Chromium') !== undefined;

/** The text a reader sees, in order. */
function textOf(html: string): string {
  return html
    .replaceAll(/<(style|script|title)[^>]*>[\s\S]*?<\/\1>/g, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ');
}

describe.skipIf(skip)('the page in Chromium', () => {
  it('says the verdict first, then friends, zone and mail', async () => {
    const html = await domOf(`${base}/`);
    const text = textOf(html);
    const { verdict } = await trio.alice.status();
    const verdictAt = text.indexOf(verdict.text);
    expect(verdictAt).toBeGreaterThanOrEqual(0);
    for (const fact of ['bob', 'carol', 'alice.example']) {
      const behind = text.indexOf(fact, verdictAt + verdict.text.length);
      expect([fact, behind > verdictAt]).toEqual([fact, true]);
    }
    // Names alone stand among the events too; the facts stand in the tables.
    const rows = (html.match(/<tr[\s\S]*?<\/tr>/g) ?? []).map(textOf);
    for (const fact of [
      /\bbob\b.*\bup\b/,
      /\bcarol\b.*\bup\b/,
      /alice\.example.*\b7\b/,
      /alice\.example.*\blive\b/,
    ]) {
      expect(rows).toContainEqual(expect.stringMatching(fact));
    }
    expect(html).toMatch(/<html[^>]* lang="en"/);
    expect(html.match(/<h1[\s>]/g)).toHaveLength(1);
    expect(html).toMatch(/<main[\s>]/);
    expect(html).toMatch(/<meta[^>]*name="viewport"/);
    expect(html).not.toMatch(/<script[\s>]/);
  });

  it('needs no sideways scrolling on a phone of 390 px', async () => {
    const html = await (await get('/')).text();
    expect(await contentWidthPx(html, { widthPx: 390, base: `${base}/` })).toBeLessThanOrEqual(390);
  });

  it('shows within seconds that a friend is gone, and that he is back', async () => {
    await trio.bob.stop();
    const row = await eventually('the page no longer calls bob up', async () => {
      const rows = (await (await get('/')).text()).match(/<tr[\s\S]*?<\/tr>|<li[\s\S]*?<\/li>/g) ?? [];
      const bob = rows.map(textOf).find((text) => /\bbob\b/.test(text));
      return bob !== undefined && !/\bup\b/.test(bob) && bob;
    });
    expect(row).toMatch(/suspect|down|silent|not heard|gone|checking/i);
    await trio.bob.up();
    await allTogether([trio.alice, trio.bob, trio.carol]);
  });
});
