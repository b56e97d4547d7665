import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseConfig } from './config.ts';
import { configLimits } from './config-limits.ts';
import { formatProblems } from './config-problems.ts';

const problemsOf = (text: string): string[] => {
  const parsed = parseConfig(text, { fileName: 'peer.toml' });
  if (parsed.kind === 'ok') throw new Error('expected mistakes');
  return formatProblems(parsed.problems)
    .split('\n')
    .filter((line) => line.startsWith('peer.toml:'));
};

const configOf = (text: string) => {
  const parsed = parseConfig(text, { fileName: 'peer.toml' });
  if (parsed.kind === 'bad') throw new Error(formatProblems(parsed.problems));
  return parsed.config;
};

const everyKey = `name = "alice"
[mesh]
listen   = ["0.0.0.0:4853"]
announce = ["home.example:4853"]
network  = "fibre"
allow-private = true
[dns]
listen = ["0.0.0.0:53", "[::]:53"]
workers = 2
nsid = "bob-1"
hostname = "bob.example"
version = "copain"
rate-limit = 700
transfer = [{ address = "127.0.0.1:5301", tsig-file = "tsig.key" }]
[smtp]
listen = ["0.0.0.0:25"]
hostname = "bob.example"
tls-cert = "cert.pem"
tls-key  = "key.pem"

[[smtp.tls]]
name = "MX2.alice.example"
cert = "mx2.crt"
key  = "mx2.key"
[[smtp.raw]]
listen = "[2001:db8::25]:25"
owner  = "alice"
[http]
listen = ["192.0.2.1:8853"]
token-file = "token"
[line]
up   = "128kbit"
bulk = "96kbit"
check = ""
[address]
hook = ["/usr/local/bin/tell-provider", "home"]
[[address.update]]
server = "192.0.2.53:53"
zone = "Dyn.Example."
names = ["@", "home"]
tsig-file = "dyn.key"
ttl = "60s"
[[zone]]
origin = "Alice.Example."
file   = "zones/alice.example.zone"
secondaries = ["bob", "carol"]
follow = ["@", "mail"]
[[zone]]
origin = "alice.test"
primary = "127.0.0.1:5300"
tsig-file = "tsig.key"
[[mail]]
domain     = "alice.example"
deliver    = "127.0.0.1:2525"
client     = "proxy-v2"
recipients = "learn"
unknown    = "defer"
copies     = 2
backups    = ["bob", "carol"]
[[service]]
name = "web"
record = "www.alice.example"
check = "https://www.alice.example/"
standby = ["bob=198.51.100.7", "bob=2001:DB8::7"]
signed = "web-standby.signed"
ttl = "60s"
after = "20s"
max = "1d"
hold = "1m"
pin = "up"
[[service]]
name = "chat"
record = "_xmpp-client._tcp.alice.example"
check = "tcp://xmpp.alice.example:5222"
standby = "bob=xmpp.bob.example:5222"
[[friend]]
name  = "bob"
may   = ["dns", "mail", "backup", "relay", "witness"]
quota = "20GB"
[[alert]]
to = "ntfy://ntfy.example/alice"
token-file = "ntfy.token"
[[alert]]
to = "mailto:alice@elsewhere.example"
via = "127.0.0.1:25"
from = "box@alice.example"
`;

it('reads every key of the manual, in units a program can use', () => {
  expect(configOf(everyKey)).toEqual({
    name: 'alice',
    mesh: {
      listen: [{ host: '0.0.0.0', port: 4853 }],
      announce: [{ host: 'home.example', port: 4853 }],
      network: 'fibre',
      allowPrivate: true,
    },
    dns: {
      listen: [
        { host: '0.0.0.0', port: 53 },
        { host: '::', port: 53 },
      ],
      workers: 2,
      nsid: 'bob-1',
      hostname: 'bob.example',
      version: 'copain',
      answersPerSecond: 700,
      transfer: [{ address: { host: '127.0.0.1', port: 5301 }, tsigFile: 'tsig.key' }],
    },
    smtp: {
      listen: [{ host: '0.0.0.0', port: 25 }],
      hostname: 'bob.example',
      tls: { certFile: 'cert.pem', keyFile: 'key.pem' },
      tlsNames: [{ name: 'mx2.alice.example', certFile: 'mx2.crt', keyFile: 'mx2.key' }],
      raw: [{ listen: { host: '2001:db8::25', port: 25 }, owner: 'alice' }],
    },
    http: { listen: [{ host: '192.0.2.1', port: 8853 }], tokenFile: 'token' },
    line: { upBytesPerSecond: 16_000, bulkBytesPerSecond: 12_000, check: undefined },
    address: {
      hook: ['/usr/local/bin/tell-provider', 'home'],
      updates: [
        {
          server: { host: '192.0.2.53', port: 53 },
          zone: 'dyn.example',
          names: ['@', 'home'],
          tsigFile: 'dyn.key',
          ttlS: 60,
        },
      ],
    },
    zones: [
      {
        origin: 'alice.example',
        source: { kind: 'file', file: 'zones/alice.example.zone' },
        secondaries: ['bob', 'carol'],
        follow: ['@', 'mail'],
      },
      {
        origin: 'alice.test',
        source: { kind: 'primary', address: { host: '127.0.0.1', port: 5300 }, tsigFile: 'tsig.key' },
        secondaries: undefined,
        follow: [],
      },
    ],
    mail: [
      {
        domain: 'alice.example',
        deliver: { host: '127.0.0.1', port: 2525 },
        client: 'proxy-v2',
        recipients: { kind: 'learn' },
        unknown: 'defer',
        copies: 2,
        backups: ['bob', 'carol'],
      },
    ],
    services: [
      {
        name: 'web',
        record: 'www.alice.example',
        check: 'https://www.alice.example/',
        standby: [
          { friend: 'bob', at: { kind: 'ipv4', address: '198.51.100.7' } },
          { friend: 'bob', at: { kind: 'ipv6', address: '2001:db8::7' } },
        ],
        signedFile: 'web-standby.signed',
        ttlS: 60,
        afterMs: 20_000,
        maxMs: 86_400_000,
        holdMs: 60_000,
        pin: 'up',
      },
      {
        name: 'chat',
        record: '_xmpp-client._tcp.alice.example',
        check: 'tcp://xmpp.alice.example:5222',
        standby: [{ friend: 'bob', at: { kind: 'srv', host: 'xmpp.bob.example', port: 5222 } }],
        signedFile: undefined,
        ttlS: 300,
        afterMs: 180_000,
        maxMs: 30 * 86_400_000,
        holdMs: 600_000,
        pin: 'obey',
      },
    ],
    friends: [{ name: 'bob', may: ['dns', 'mail', 'backup', 'relay', 'witness'], quotaBytes: 20e9 }],
    alerts: [
      {
        to: 'ntfy://ntfy.example/alice',
        shown: 'ntfy://ntfy.example/…',
        place: { kind: 'ntfy', url: 'https://ntfy.example/alice' },
        tokenFile: 'ntfy.token',
        via: undefined,
        from: undefined,
      },
      {
        to: 'mailto:alice@elsewhere.example',
        shown: 'mailto:alice@elsewhere.example',
        place: { kind: 'mail', address: 'alice@elsewhere.example' },
        tokenFile: undefined,
        via: { host: '127.0.0.1', port: 25 },
        from: 'box@alice.example',
      },
    ],
  });
});

it('needs only a name, and fills in the rest', () => {
  expect(configOf('name = "bob"\n')).toEqual({
    name: 'bob',
    mesh: {
      listen: [{ host: '0.0.0.0', port: 4853 }],
      announce: [],
      network: undefined,
      allowPrivate: false,
    },
    dns: {
      listen: [
        { host: '0.0.0.0', port: 53 },
        { host: '::', port: 53 },
      ],
      workers: 1,
      nsid: undefined,
      hostname: undefined,
      version: undefined,
      answersPerSecond: 500,
      transfer: [],
    },
    smtp: {
      listen: [{ host: '0.0.0.0', port: 25 }],
      hostname: undefined,
      tls: undefined,
      tlsNames: [],
      raw: [],
    },
    http: { listen: [{ host: '127.0.0.1', port: 8853 }], tokenFile: undefined },
    line: {
      upBytesPerSecond: undefined,
      bulkBytesPerSecond: undefined,
      check: { host: '9.9.9.9', port: 53 },
    },
    address: { hook: [], updates: [] },
    zones: [],
    mail: [],
    services: [],
    friends: [],
    alerts: [],
  });
  expect(
    configOf('name = "a"\n[[mail]]\ndomain = "a.test"\ndeliver = "127.0.0.1:25"\n').mail[0],
  ).toMatchObject({
    client: 'none',
    recipients: { kind: 'learn' },
    unknown: 'accept',
    copies: 1,
    backups: undefined,
  });
});

it('reports all mistakes at once, in the order of the text, with line and column', () => {
  const problems = problemsOf(`name = "Alice"
[mesh]
listen = ["0.0.0.0:4853", "nowhere"]
lisen = []
[dns]
workers = 0
[http]
listen = ["192.0.2.1:8853"]
[line]
up = "fast"
[[zone]]
origin = "a..b"
[[mail]]
domain = "alice.example"
client = "proxy"
copies = 3
[[friend]]
name = "bob"
quota = "20"
[[friend]]
name = "bob"
may = ["fly"]
[moon]
`);
  expect(problems).toEqual([
    'peer.toml:1:8: name: "Alice" is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end',
    'peer.toml:3:27: mesh.listen[2]: "nowhere" is no address to listen on: an IP address and a port, e.g. "0.0.0.0:53" or "[::]:53"',
    'peer.toml:4:1: mesh.lisen: unknown key, did you mean listen?; allowed here: listen, announce, network, allow-private',
    'peer.toml:6:11: dns.workers: must be a whole number from 1 to 64',
    'peer.toml:8:11: http.listen[1]: is no loopback address, so others could read the page: set http.token-file, or use 127.0.0.1',
    'peer.toml:10:6: line.up: "fast" is no speed: a number above 0 with bit, kbit, Mbit or Gbit, e.g. "128kbit"',
    'peer.toml:11:1: zone[1]: needs file = "…" (a master file) or primary = "host:port"',
    'peer.toml:12:10: zone[1].origin: "a..b" is no domain name: labels of a-z, 0-9, - and _ with dots between; other alphabets as xn--…',
    'peer.toml:13:1: mail[1].deliver: is missing',
    'peer.toml:15:10: mail[1].client: must be one of "proxy-v1", "proxy-v2", "xclient", "none"',
    'peer.toml:16:10: mail[1].copies: must be 1 or 2',
    'peer.toml:19:9: friend[1].quota: "20" is no size: a number with B, kB, MB, GB or TB, e.g. "20GB"',
    'peer.toml:21:8: friend[2].name: is already in friend[1]',
    'peer.toml:22:8: friend[2].may[1]: must be one of "dns", "mail", "backup", "relay", "witness"',
    'peer.toml:23:1: moon: unknown key; allowed here: name, mesh, dns, smtp, http, line, address, zone, mail, service, friend, alert',
  ]);
});

it('shows the line with a caret below the place, tabs and terminal tricks made harmless', () => {
  const parsed = parseConfig('name = "a"\n[mesh]\n\tnetwork = "\\u001b[31m"\n', { fileName: 'peer.toml' });
  if (parsed.kind === 'ok') throw new Error('expected a mistake');
  const [, line = '', caret = ''] = formatProblems(parsed.problems).split('\n');
  expect(line).toBe('   network = "\\u001b[31m"');
  expect(caret.indexOf('^')).toBe(line.indexOf('"'));
});

it('a mistake of syntax has its place too', () => {
  expect(problemsOf('name = "a"\nlisten == 2\n')).toEqual([
    'peer.toml:2:9: this is not TOML: unexpected token',
  ]);
  expect(problemsOf('name = "a"\nname = "b"\n')[0]).toMatch(/^peer\.toml:2:1: .*multiple times/);
});

it('says which values do not go together', () => {
  const all = problemsOf(`name = "a"
[dns]
listen = ["127.0.0.1:53", "127.0.0.1:53"]
[smtp]
tls-key = "k"
[line]
up = "1Mbit"
bulk = "2Mbit"
[[zone]]
origin = "a.test"
file = "z"
primary = "127.0.0.1:5300"
[[zone]]
origin = "A.test."
file = "z"
tsig-file = "t"
`);
  expect(all.map((line) => line.split(': ').slice(0, 2).join(': '))).toEqual([
    'peer.toml:3:27: dns.listen[2]',
    'peer.toml:5:1: smtp.tls-key',
    'peer.toml:8:8: line.bulk',
    'peer.toml:12:1: zone[1].primary',
    'peer.toml:14:10: zone[2].origin',
    'peer.toml:16:1: zone[2].tsig-file',
  ]);
});

it('a certificate for a name says the name, both files, and each name once', () => {
  const tls = (...entries: string[]): string[] =>
    problemsOf(`name = "bob"\n${entries.map((entry) => `[[smtp.tls]]\n${entry}\n`).join('')}`);
  const good = 'name = "mx.alice.example"\ncert = "c"\nkey = "k"';
  expect(tls(good, good.replace('mx', 'MX'))).toEqual([
    'peer.toml:7:8: smtp.tls[2].name: is already in smtp.tls[1]',
  ]);
  expect(tls('name = "mx.alice.example"\ncert = "c"')).toEqual([
    expect.stringMatching(/^peer\.toml:2:1: smtp\.tls\[1\]\.key: is missing/),
  ]);
  expect(tls('name = "not a name"\ncert = ""\nkey = "k"').length).toBe(2);
});

it('an address that belongs to one friend is no other listener’s', () => {
  const raw = (listen: string, more: string): string[] =>
    problemsOf(`name = "bob"\n[smtp]\n${more}\n[[smtp.raw]]\nlisten = "${listen}"\nowner = "alice"\n`);
  const taken = (by: string): string[] => [
    `peer.toml:5:10: smtp.raw[1].listen: is taken by smtp.listen (${by}): name single addresses there`,
  ];
  expect(raw('192.0.2.5:25', 'listen = ["192.0.2.5:25"]')).toEqual(taken('192.0.2.5:25'));
  expect(raw('192.0.2.5:25', '')).toEqual(taken('0.0.0.0:25'));
  expect(raw('192.0.2.5:25', 'listen = ["[::]:25"]')).toEqual(taken('[::]:25'));
  expect(
    raw('192.0.2.5:25', 'listen = ["192.0.2.5:25"]\n[[smtp.raw]]\nlisten = "192.0.2.5:25"\nowner = "carol"'),
  ).toHaveLength(2);
  const fine =
    'name = "bob"\n[smtp]\nlisten = ["192.0.2.4:25"]\n[[smtp.raw]]\nlisten = "192.0.2.5:25"\nowner = "alice"\n';
  expect(configOf(fine).smtp.raw).toEqual([{ listen: { host: '192.0.2.5', port: 25 }, owner: 'alice' }]);
  expect(
    configOf('name = "bob"\n[[smtp.raw]]\nlisten = "[2001:db8::25]:25"\nowner = "alice"\n').smtp.raw,
  ).toHaveLength(1);
});

it('tables where values belong, dates, and names of JavaScript are mistakes like others', () => {
  expect(problemsOf('name = 1979-05-27\n')[0]).toBe('peer.toml:1:8: name: must be a text in quotes');
  expect(problemsOf('name = "a"\nmesh = 1\n')[0]).toBe('peer.toml:2:8: mesh: must be a table');
  expect(problemsOf('name = "a"\n__proto__ = 1\n')[0]).toMatch(/^peer\.toml:2:1: __proto__: unknown key/);
  expect(problemsOf('name = "a"\nzone.origin = "x"\n')[0]).toMatch(/^peer\.toml:2:/);
  expect(problemsOf('')[0]).toBe('peer.toml:1:1: name: is missing');
});

it('the status page needs a token as soon as others can reach it', () => {
  const open = (listen: string, more = '') => `name = "a"\n[http]\nlisten = ["${listen}"]\n${more}`;
  expect(problemsOf(open('0.0.0.0:8853'))).toHaveLength(1);
  expect(problemsOf(open('[::]:8853'))).toHaveLength(1);
  expect(configOf(open('127.0.53.1:8853')).http.tokenFile).toBeUndefined();
  expect(configOf(open('0.0.0.0:8853', 'token-file = "t"')).http.tokenFile).toBe('t');
});

it('files, lists and texts have bounds, and so has the number of mistakes shown', () => {
  expect(problemsOf(`# ${'x'.repeat(configLimits.fileCharacters)}`)[0]).toMatch(/too long/);
  const entries = Array.from({ length: configLimits.listEntries + 1 }, (_, n) => `"h${n}.test:1"`);
  expect(problemsOf(`name = "a"\n[mesh]\nannounce = [${entries.join(',')}]\n`)[0]).toMatch(
    /more than 1000 entries/,
  );
  expect(problemsOf(`name = "a"\n[http]\ntoken-file = "${'x'.repeat(4097)}"\n`)[0]).toMatch(
    /longer than 4096/,
  );
  const unknown = Array.from({ length: configLimits.problems + 5 }, (_, n) => `k${n} = 1`).join('\n');
  expect(problemsOf(unknown)).toHaveLength(configLimits.problems);
});

it('no text makes it throw', () => {
  const words = fc.constantFrom(
    'name',
    '=',
    '"a"',
    '[',
    ']',
    '[[zone]]',
    '\n',
    '[mesh]',
    'listen',
    '1',
    '{',
    '}',
    '.',
    '"',
    '#',
    '\u0000',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ maxLength: 80 }),
        fc.array(words, { maxLength: 20 }).map((w) => w.join(' ')),
      ),
      (text) => {
        expect(['ok', 'bad']).toContain(parseConfig(text, { fileName: 'peer.toml' }).kind);
      },
    ),
  );
});

it('the list of allowed keys that a person is shown is the one that the schema accepts', () => {
  const source = readFileSync(new URL('config-schema.ts', import.meta.url), 'utf8');
  const listed = source.slice(source.indexOf('const keysOf'));
  const shown = [...listed.slice(0, listed.indexOf('};')).matchAll(/'([a-z][a-z-]*)'(?=[,\]])/g)].map(
    ([, key]) => key,
  );
  for (const key of shown) expect(everyKey).toMatch(new RegExp(`\\b${key}\\b`));
  expect(new Set(shown).size).toBeGreaterThan(30);
});

it('a thousand zones with three secondaries each may be configured; what friends would not take is refused in one line', () => {
  const zones = (count: number, more: string, label = 'customer') =>
    Array.from(
      { length: count },
      (_, n) => `[[zone]]\norigin = "${label}-${n}.example"\nfile = "z"\n${more}\n`,
    ).join('');
  const to = 'secondaries = ["bob", "carol", "dave"]';
  expect(parseConfig(`name = "a"\n${zones(1000, to)}`, { fileName: 'peer.toml' }).kind).toBe('ok');
  expect(problemsOf(`name = "a"\n${zones(1001, '')}`)).toEqual([
    expect.stringMatching(/zone: has more than 1000 entries/),
  ]);
  const long = problemsOf(`name = "a"\n${zones(1000, '', 'x'.repeat(50))}`);
  expect(long).toHaveLength(1);
  expect(long[0]).toMatch(/zone\[1000\]: what is entrusted to friends takes \d+ octets, and they read 49152/);
});

it('a service is in a zone of this box, has one friend as its standby, and times within bounds', () => {
  const zone = '[[zone]]\norigin = "alice.example"\nfile = "a.zone"\n';
  const wrong = (service: string): string[] => {
    const base = 'name = "web"\nrecord = "www.alice.example"\ncheck = "https://www.alice.example/"\n';
    const keys = service.split('\n').map((line) => line.split(' ')[0]);
    const kept = base.split('\n').filter((line) => !keys.includes(line.split(' ')[0]));
    const text = `name = "a"\n${zone}[[service]]\n${kept.join('\n')}${service}\n`;
    const parsed = parseConfig(text, { fileName: 'peer.toml' });
    return parsed.kind === 'ok' ? [] : parsed.problems.map(({ key, message }) => `${key}: ${message}`);
  };
  expect(wrong('standby = "bob=192.0.2.1"')).toEqual([]);
  expect(wrong('standby = "bob=192.0.2.1"\nrecord = "www.bob.example"')).toEqual([
    'service[1].record: is in no zone of this box: peer zone add comes first',
  ]);
  expect(wrong('standby = "192.0.2.1"').join()).toContain('is no standby');
  expect(wrong('standby = "bob=192.0.2.1:80"').join()).toContain('is no standby');
  expect(wrong('standby = ["bob=192.0.2.1", "carol=192.0.2.2"]').join()).toContain('must be of one friend');
  expect(wrong('standby = ["bob=192.0.2.1", "bob=x.example:80"]').join()).toContain(
    'all addresses or all host:port',
  );
  expect(wrong('standby = "bob=192.0.2.1"\nafter = "5s"').join()).toContain('"10s" to "7d"');
  expect(wrong('standby = "bob=192.0.2.1"\ncheck = "ftp://x"').join()).toContain('is no check');
});
