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

const comesAndGoes = 'Zones come and go by the catalog; none of this changes when they do.';

function knot(facts: ServeWith): string[] {
  const { primary, key, catalog } = facts;
  const withKey = key ? [`    key: "${key.name}"`] : [];
  return [
    head('#', 'knot', facts),
    '# At the end of /etc/knot/knot.conf, then: knotc reload',
    `# ${comesAndGoes}`,
    ...(key
      ? ['key:', `  - id: "${key.name}"`, `    algorithm: ${key.algorithm}`, `    secret: "${key.secret}"`]
      : []),
    'remote:',
    '  - id: copain',
    `    address: ${primary.host}@${primary.port}`,
    ...withKey,
    'acl:',
    '  - id: copain',
    `    address: ${primary.host}`,
    ...withKey,
    '    action: notify',
    'template:',
    '  - id: copain',
    '    master: copain',
    '    acl: copain',
    'zone:',
    `  - domain: "${catalog}"`,
    '    master: copain',
    '    acl: copain',
    '    catalog-role: interpret',
    '    catalog-template: copain',
  ];
}

function nsd(facts: ServeWith): string[] {
  const { primary, key, catalog, zones } = facts;
  const name = key ? `"${key.name}"` : 'NOKEY';
  return [
    head('#', 'nsd', facts),
    '# At the end of /etc/nsd/nsd.conf, then: nsd-control reconfig',
    ...(key
      ? ['key:', `  name: "${key.name}"`, `  algorithm: ${key.algorithm}`, `  secret: "${key.secret}"`]
      : []),
    'pattern:',
    '  name: "copain"',
    '  zonefile: "%s.copain"',
    `  request-xfr: ${primary.host}@${primary.port} ${name}`,
    `  allow-notify: ${primary.host} ${name}`,
    '# NSD before 4.9 knows no catalogs: one of these for each zone, now and whenever one is added.',
    ...zones.flatMap((zone) => ['zone:', `  name: "${zone}"`, '  include-pattern: "copain"']),
    '# NSD 4.9 and later: this in their place, and zones come and go by the catalog.',
    '# zone:',
    `#   name: "${catalog}"`,
    '#   include-pattern: "copain"',
    '#   catalog: consumer',
    '#   catalog-member-pattern: "copain"',
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
 * PowerDNS hands neither the key of a catalog down to its members, nor has it a switch for IXFR but one for each zone: a
 * trigger in its database sees to both.
 */
function powerdns(facts: ServeWith): string[] {
  const { primary, key, catalog } = facts;
  const settings = [...(key ? [`('AXFR-MASTER-TSIG','${key.name}')`] : []), "('IXFR','1')"].join(',');
  return [
    head('#', 'powerdns', facts),
    '# PowerDNS 4.7 or later with the gsqlite3 backend. 1. In /etc/powerdns/pdns.conf, then restart it:',
    '#   secondary=yes',
    // Two transfers at once lock each other out of an SQLite file, and the loser waits a minute.
    '#   retrieval-threads=1',
    `# 2. Once, as root. ${comesAndGoes}`,
    `sqlite3 /var/lib/powerdns/pdns.sqlite3 "CREATE TRIGGER copain AFTER UPDATE OF catalog ON domains WHEN NEW.catalog = '${catalog}' AND OLD.catalog IS NOT NEW.catalog BEGIN INSERT INTO domainmetadata (domain_id, kind, content) SELECT NEW.id, column1, column2 FROM (VALUES ${settings}); END"`,
    ...(key ? [`pdnsutil import-tsig-key ${key.name} ${key.algorithm} '${key.secret}'`] : []),
    `pdnsutil create-secondary-zone ${catalog} ${formatHostPort(primary)}`,
    `pdnsutil set-kind ${catalog} consumer`,
    ...(key ? [`pdnsutil activate-tsig-key ${catalog} ${key.name} secondary`] : []),
    `pdns_control retrieve ${catalog}`,
  ];
}
