import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from './box.ts';
import { type DnsServer, type DnsServerKind, startDnsServer } from './dns-servers.ts';
import { runWell } from './run.ts';

/** A server of another make on which a zone is edited, and that tells a box of every change. */
export interface HiddenPrimary {
  server: DnsServer;
  /** Adds an address record and raises the serial, in the way of that server. */
  change(name: string, address: string): Promise<void>;
}

export interface HiddenPrimaryOptions {
  kind: DnsServerKind;
  port: number;
  origin: string;
  /** The zone as a master file with this serial. */
  zone: string;
  key: { name: string; secret: string };
  /** The box that is told. */
  box: Address;
  /** More lines of BIND and Knot, for the zone and in front of it. */
  zoneLines?: string;
  policyLines?: string;
}

/** Starts it with the lines that docs/dns-primaries.md gives. */
export async function startHiddenPrimary(options: HiddenPrimaryOptions): Promise<HiddenPrimary> {
  const { kind, port, origin, zone } = options;
  const file = `${origin}.zone`;
  const server = await startDnsServer(kind, { port, text: texts[kind](options), files: { [file]: zone } });
  const path = join(server.folder, kind === 'knot' ? 'storage' : '.', file);
  return { server, change: (name, address) => changes[kind](options, { server, path, name, address }) };
}

const texts: Record<DnsServerKind, (options: HiddenPrimaryOptions) => string> = {
  bind: ({
    origin,
    key,
    box,
    zoneLines = '',
    policyLines = '',
  }) => `key "${key.name}" { algorithm hmac-sha256; secret "${key.secret}"; };
${policyLines}zone "${origin}" {
  type primary;
  file "${origin}.zone";
  allow-transfer { key "${key.name}"; };
  notify explicit;
  also-notify { ${box.host} port ${box.port} key "${key.name}"; };
  allow-update { key "${key.name}"; };
${zoneLines}};
logging { channel all { stderr; severity debug 3; }; category xfer-out { all; }; category notify { all; }; category default { all; }; };
`,
  knot: ({ origin, key, box, zoneLines = '', policyLines = '' }) => `key:
  - id: ${key.name}
    algorithm: hmac-sha256
    secret: ${key.secret}
remote:
  - id: copain
    address: ${box.host}@${box.port}
    key: ${key.name}
acl:
  - id: copain
    key: ${key.name}
    action: [transfer, update]
${policyLines}zone:
  - domain: ${origin}
    file: ${origin}.zone
    zonefile-load: difference
    journal-content: changes
    notify: copain
    acl: copain
${zoneLines}`,
  nsd: ({ origin, key, box }) => `key:
  name: "${key.name}"
  algorithm: hmac-sha256
  secret: "${key.secret}"
zone:
  name: "${origin}"
  zonefile: "${origin}.zone"
  provide-xfr: 127.0.0.0/8 ${key.name}
  notify: ${box.host}@${box.port} ${key.name}
  store-ixfr: yes
  create-ixfr: yes
`,
  powerdns: ({ origin, key, box }) => `#   primary=yes
#   also-notify=${box.host}:${box.port}
#   xfr-cycle-interval=1
pdnsutil load-zone ${origin} ${origin}.zone
pdnsutil set-kind ${origin} primary
pdnsutil import-tsig-key ${key.name} hmac-sha256 ${key.secret}
pdnsutil activate-tsig-key ${origin} ${key.name} primary
`,
};

interface Change {
  server: DnsServer;
  path: string;
  name: string;
  address: string;
}

const changes: Record<DnsServerKind, (options: HiddenPrimaryOptions, change: Change) => Promise<void>> = {
  bind: update,
  knot: update,
  nsd: async (_options, { server, path, name, address }) => {
    const text = readFileSync(path, 'utf8').replace(
      /(SOA \S+ \S+ )(\d+)/,
      (_line, before: string, serial: string) => `${before}${Number(serial) + 1}`,
    );
    writeFileSync(path, `${text}${name} IN A ${address}\n`);
    server.signal('SIGHUP');
  },
  powerdns: async ({ origin }, { server, name, address }) => {
    const pdnsutil = ['pdnsutil', `--config-dir=${server.folder}`];
    await runWell([...pdnsutil, 'add-record', origin, name, 'A', '300', address]);
    await runWell([...pdnsutil, 'increase-serial', origin]);
  },
};

/** RFC 2136, by the real nsupdate. */
async function update({ origin, port, key }: HiddenPrimaryOptions, { name, address }: Change): Promise<void> {
  const script = `server 127.0.0.1 ${port}\nzone ${origin}\nupdate add ${name}.${origin} 300 A ${address}\nsend\n`;
  await runWell(['nsupdate', '-y', `hmac-sha256:${key.name}:${key.secret}`], { stdin: script });
}
