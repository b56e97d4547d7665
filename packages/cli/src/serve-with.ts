import { formatHostPort, type HostPort } from '@copain/core';

/** What the configuration of a server has to say so that it takes zones from this box. */
export interface ServeWith {
  peer: HostPort;
  primary: HostPort;
  key?: { name: string; algorithm: string; secret: string } | null | undefined;
  catalog: string;
  zones: readonly string[];
}

/** The servers that `peer zone serve-with` knows. */
export const dnsServers = ['knot', 'nsd', 'bind', 'powerdns'] as const;
export type DnsServerKind = (typeof dnsServers)[number];

/** The lines that such a server needs, with comments in its own syntax that say where they belong. */
export function serveWithText(kind: DnsServerKind, facts: ServeWith): string {
  const lines = { knot, nsd, bind, powerdns }[kind](facts);
  return `${lines.join('\n')}\n`;
}

function head(comment: string, kind: DnsServerKind, { peer }: ServeWith): string {
  return `${comment} For the server at ${formatHostPort(peer)}; made by: peer zone serve-with ${kind}`;
}

/** What these lines call themselves: with the name of the box, since a server may take zones from two boxes. */
function ownName({ catalog }: ServeWith): string {
  return `copain-${catalog.split('.')[1] ?? 'box'}`;
}

const comesAndGoes = 'Zones come and go by the catalog; none of this changes when they do.';

function knot(facts: ServeWith): string[] {
  const { primary, key, catalog } = facts;
  const name = ownName(facts);
  const withKey = key ? [`    key: "${key.name}"`] : [];
  return [
    head('#', 'knot', facts),
    '# At the end of /etc/knot/knot.conf, then: knotc reload',
    `# ${comesAndGoes}`,
    ...(key
      ? ['key:', `  - id: "${key.name}"`, `    algorithm: ${key.algorithm}`, `    secret: "${key.secret}"`]
      : []),
    'remote:',
    `  - id: ${name}`,
    `    address: ${primary.host}@${primary.port}`,
    ...withKey,
    'acl:',
    `  - id: ${name}`,
    `    address: ${primary.host}`,
    ...withKey,
    '    action: notify',
    'template:',
    `  - id: ${name}`,
    `    master: ${name}`,
    `    acl: ${name}`,
    'zone:',
    `  - domain: "${catalog}"`,
    `    master: ${name}`,
    `    acl: ${name}`,
    '    catalog-role: interpret',
    `    catalog-template: ${name}`,
  ];
}

function nsd(facts: ServeWith): string[] {
  const { primary, key, catalog, zones } = facts;
  const name = ownName(facts);
  const withKey = key ? `"${key.name}"` : 'NOKEY';
  return [
    head('#', 'nsd', facts),
    '# At the end of /etc/nsd/nsd.conf, then: nsd-control reconfig',
    ...(key
      ? ['key:', `  name: "${key.name}"`, `  algorithm: ${key.algorithm}`, `  secret: "${key.secret}"`]
      : []),
    'pattern:',
    `  name: "${name}"`,
    `  zonefile: "%s.${name}"`,
    `  request-xfr: ${primary.host}@${primary.port} ${withKey}`,
    `  allow-notify: ${primary.host} ${withKey}`,
    '# NSD before 4.9 knows no catalogs: one of these for each zone, now and whenever one is added.',
    ...zones.flatMap((zone) => ['zone:', `  name: "${zone}"`, `  include-pattern: "${name}"`]),
    '# NSD 4.9 and later: this in their place, and zones come and go by the catalog.',
    '# zone:',
    `#   name: "${catalog}"`,
    `#   include-pattern: "${name}"`,
    '#   catalog: consumer',
    `#   catalog-member-pattern: "${name}"`,
  ];
}

function bind(facts: ServeWith): string[] {
  const { primary, key, catalog } = facts;
  const from = `${primary.host} port ${primary.port}${key ? ` key "${key.name}"` : ''};`;
  return [
    head('//', 'bind', facts),
    `// ${comesAndGoes} Then: rndc reconfig`,
    '// 1. In /etc/bind/named.conf.local:',
    ...(key ? [`key "${key.name}" { algorithm ${key.algorithm}; secret "${key.secret}"; };`] : []),
    `zone "${catalog}" {`,
    '  type secondary;',
    `  file "${catalog}.db";`,
    `  primaries { ${from} };`,
    '  allow-query { localhost; };',
    '};',
    '// 2. Inside options { … } of /etc/bind/named.conf.options:',
    `//   catalog-zones { zone "${catalog}" default-primaries { ${from} }; };`,
  ];
}

/**
 * PowerDNS does not hand the key of a catalog down to its members: a trigger in its database does. It is not told to use
 * IXFR: with DNSSEC on, 4.7 does not answer names that came by it.
 */
function powerdns(facts: ServeWith): string[] {
  const { primary, key, catalog } = facts;
  return [
    head('#', 'powerdns', facts),
    '# PowerDNS 4.7 or later with the gsqlite3 backend. 1. In /etc/powerdns/pdns.conf, then restart it:',
    '#   secondary=yes',
    // Without it signatures are taken in, and left out of every answer.
    '#   gsqlite3-dnssec=yes',
    // Two transfers at once lock each other out of an SQLite file, and the loser waits a minute.
    '#   retrieval-threads=1',
    `# 2. Once, as root. ${comesAndGoes}`,
    ...(key ? [trigger(facts, key)] : []),
    ...(key ? [`pdnsutil import-tsig-key ${key.name} ${key.algorithm} '${key.secret}'`] : []),
    `pdnsutil create-secondary-zone ${catalog} ${formatHostPort(primary)}`,
    `pdnsutil set-kind ${catalog} consumer`,
    ...(key ? [`pdnsutil activate-tsig-key ${catalog} ${key.name} secondary`] : []),
    `pdns_control retrieve ${catalog}`,
  ];
}

function trigger(facts: ServeWith, key: { name: string }): string {
  const { catalog } = facts;
  const name = ownName(facts).replaceAll('-', '_');
  const isNewMember = `NEW.catalog = '${catalog}' AND OLD.catalog IS NOT NEW.catalog`;
  const insert = `INSERT INTO domainmetadata (domain_id, kind, content) VALUES (NEW.id, 'AXFR-MASTER-TSIG', '${key.name}');`;
  return `sqlite3 /var/lib/powerdns/pdns.sqlite3 "CREATE TRIGGER ${name} AFTER UPDATE OF catalog ON domains WHEN ${isNewMember} BEGIN ${insert} END"`;
}
