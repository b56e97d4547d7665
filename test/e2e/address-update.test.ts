import { appendFileSync, chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { dig } from './lib/dig.ts';
import { type DnsServer, dnsServerPrograms, freePort, startDnsServer } from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { runWell } from './lib/run.ts';
import { openScene } from './lib/scene.ts';

const scene = openScene();
const skip =
  whyNot({ programs: [...dnsServerPrograms.bind, 'dig'] }, 'updating names in a zone of BIND') !== undefined;

interface Told {
  to: string;
  ipv4: string | null;
  current: boolean;
  failing: { text: string } | null;
}

describe.skipIf(skip)('an address that others are told of', () => {
  let alice: Box;
  let bind: DnsServer;
  let keyFile: string;

  const answered = async (name: string, type: 'A' | 'AAAA' | 'TXT'): Promise<string[]> => {
    const { answers } = await dig(bind.address, name, type);
    return answers.map((line) => line.split(' ').slice(4).join(' ')).sort();
  };
  const told = async (): Promise<Told[]> => (await alice.json<{ told: Told[] }>(['address'])).told;

  beforeAll(async () => {
    const block = await freshBlock();
    const key = await runWell(['tsig-keygen', '-a', 'hmac-sha256', 'home']);
    bind = scene.use(
      await startDnsServer('bind', {
        port: await freePort(),
        text: `${key}zone "dyn.example" { type primary; file "dyn.zone"; allow-update { key "home"; }; };\n`,
        files: {
          'dyn.zone': [
            '$TTL 3600',
            '@ IN SOA ns host 1 3600 600 86400 60',
            '@ IN NS ns',
            'ns IN A 192.0.2.53',
            'home IN A 192.0.2.1',
            'home IN A 192.0.2.2',
            'home IN AAAA 2001:db8::1',
            'home IN TXT "stays"',
            '',
          ].join('\n'),
        },
      }),
    );
    alice = scene.box({ name: 'alice', host: block.of(1) });
    await alice.init();
    keyFile = alice.write('dyn.key', key);
    const hook = alice.write(
      'tell',
      `#!/bin/sh\n{ printf '%s ' "$@" "$COPAIN_IPV4"; cat; } >> '${join(alice.home, 'hook.out')}'\n`,
    );
    chmodSync(hook, 0o700);
    const { host, port } = bind.address;
    appendFileSync(
      join(alice.home, 'peer.toml'),
      `[address]\nhook = ["${hook}", "for home"]\n[[address.update]]\nserver = "${host}:${port}"\nzone = "dyn.example"\nnames = ["home", "@"]\ntsig-file = "dyn.key"\nttl = "60s"\n`,
    );
    await alice.up();
  });

  it('replaces what BIND had for the names, in one signed update, and runs the program with both addresses', async () => {
    await alice.well(['address', 'set', '198.51.100.7']);
    await eventually(
      'BIND has it',
      async () => (await answered('home.dyn.example', 'A')).join() === '198.51.100.7',
    );
    expect(await answered('dyn.example', 'A')).toEqual(['198.51.100.7']);
    // What nobody knows stays, and so does whatever is no address.
    expect(await answered('home.dyn.example', 'AAAA')).toEqual(['2001:db8::1']);
    expect(await answered('home.dyn.example', 'TXT')).toEqual(['"stays"']);
    const out = await eventually('the program ran', () => {
      const path = join(alice.home, 'hook.out');
      return existsSync(path) && readFileSync(path, 'utf8');
    });
    expect(out).toMatch(/^for home 198\.51\.100\.7 \{/);
    expect(JSON.parse(out.slice(out.indexOf('{')))).toMatchObject({
      schema: 'peer.address.hook/1',
      box: 'alice',
      ipv4: '198.51.100.7',
      ipv6: null,
      before: { ipv4: null, ipv6: null },
    });
    expect(await told()).toMatchObject([
      { ipv4: '198.51.100.7', current: true, failing: null },
      {
        to: `home.dyn.example, dyn.example at ${bind.address.host}:${bind.address.port}`,
        ipv4: '198.51.100.7',
        current: true,
      },
    ]);
  });

  it('is told once a server that was away, or refused it, takes it; nobody else is told again, also over a restart', async () => {
    await bind.stop();
    await alice.well(['address', 'set', '2001:4860::7']);
    const failing = await eventually(
      'BIND could not be told',
      async () => (await told())[1]?.failing ?? undefined,
    );
    expect(failing.text).toContain('nothing listens there');
    expect(await alice.well(['address'])).toContain('it fails since');
    await alice.stop();
    const right = readFileSync(keyFile, 'utf8');
    alice.write('dyn.key', right.replace(/secret ".*"/, `secret "${Buffer.alloc(32).toString('base64')}"`));
    bind.start();
    await alice.up();
    await eventually('BIND does not take another secret', async () =>
      (await told())[1]?.failing?.text.includes('another secret'),
    );
    alice.write('dyn.key', right);
    await alice.well(['address', 'set', '198.51.100.8']);
    await eventually('BIND has both', async () => {
      const [ipv4, ipv6] = await Promise.all([
        answered('home.dyn.example', 'A'),
        answered('home.dyn.example', 'AAAA'),
      ]);
      return ipv4.join() === '198.51.100.8' && ipv6.join() === '2001:4860::7';
    });
    const runs = readFileSync(join(alice.home, 'hook.out'), 'utf8').match(/^for home .*$/gm) ?? [];
    expect(
      runs
        .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as { ipv4: string; ipv6: string })
        .map(({ ipv4, ipv6 }) => [ipv4, ipv6]),
    ).toEqual([
      ['198.51.100.7', null],
      ['198.51.100.7', '2001:4860::7'],
      ['198.51.100.8', '2001:4860::7'],
    ]);
    expect((await alice.status()).events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['address.untold', 'address.told']),
    );
  });
});
