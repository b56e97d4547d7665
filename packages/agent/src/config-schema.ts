import * as v from 'valibot';
import { type AddressConfig, address } from './config-address.ts';
import { type AlertConfig, alert } from './config-alert.ts';
import { type DnsConfig, dns, type ZoneConfig, zone } from './config-dns.ts';
import { type FriendConfig, friend } from './config-friends.ts';
import { type MailConfig, mail, type SmtpConfig, smtp } from './config-mail.ts';
import { type HttpConfig, http, type LineConfig, line, type MeshConfig, mesh } from './config-mesh.ts';
import { type ServiceConfig, service } from './config-service.ts';
import { closestWord, type TomlPath } from './config-toml.ts';
import { boxName, table, tablesOf, text } from './config-values.ts';

/** A checked `peer.toml`: every value in range, defaults filled in, file paths as written (see `besideConfig`). */
export interface Config {
  name: string;
  mesh: MeshConfig;
  dns: DnsConfig;
  smtp: SmtpConfig;
  http: HttpConfig;
  line: LineConfig;
  address: AddressConfig;
  zones: ZoneConfig[];
  mail: MailConfig[];
  services: ServiceConfig[];
  friends: FriendConfig[];
  alerts: AlertConfig[];
}

/** One mistake, at a path of the TOML tree, on the key or on its value. */
export interface ConfigFinding {
  path: TomlPath;
  at: 'key' | 'value';
  message: string;
}

const configSchema: v.GenericSchema<unknown, Config> = v.pipe(
  v.strictObject({
    name: text(boxName),
    mesh: table(mesh),
    dns: table(dns),
    smtp: table(smtp),
    http: table(http),
    line: table(line),
    address: table(address),
    zone: tablesOf(zone),
    mail: tablesOf(mail),
    service: tablesOf(service),
    friend: tablesOf(friend),
    alert: tablesOf(alert),
  }),
  v.transform(({ zone: zones, friend: friends, alert: alerts, service: services, ...rest }): Config => {
    return { ...rest, zones, friends, alerts, services };
  }),
);

/** Keys that each table may have: what `unknownKeys` shows a person, the same as the schemas above accept. */
const keysOf: Record<string, readonly string[]> = {
  '': [
    'name',
    'mesh',
    'dns',
    'smtp',
    'http',
    'line',
    'address',
    'zone',
    'mail',
    'service',
    'friend',
    'alert',
  ],
  mesh: ['listen', 'announce', 'network', 'allow-private'],
  dns: ['listen', 'workers', 'nsid', 'hostname', 'version', 'rate-limit', 'transfer'],
  'dns.transfer': ['address', 'tsig-file'],
  smtp: ['listen', 'hostname', 'tls-cert', 'tls-key', 'tls', 'raw'],
  'smtp.tls': ['name', 'cert', 'key'],
  'smtp.raw': ['listen', 'owner'],
  http: ['listen', 'token-file'],
  line: ['up', 'bulk', 'check'],
  address: ['hook', 'update'],
  'address.update': ['server', 'zone', 'names', 'tsig-file', 'ttl'],
  zone: ['origin', 'file', 'primary', 'tsig-file', 'secondaries', 'follow'],
  mail: ['domain', 'deliver', 'client', 'recipients', 'unknown', 'copies', 'backups'],
  service: ['name', 'record', 'check', 'standby', 'signed', 'ttl', 'after', 'max', 'hold', 'pin'],
  friend: ['name', 'may', 'quota'],
  alert: ['to', 'token-file', 'via', 'from'],
};

/** Keys that no table of this kind has, at any depth: valibot stops at the first one of each table. */
function unknownKeys(value: unknown, path: TomlPath = []): ConfigFinding[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => unknownKeys(item, [...path, index]));
  const allowed = keysOf[path.filter((part) => typeof part === 'string').join('.')];
  if (typeof value !== 'object' || value === null || !allowed) return [];
  return Object.entries(value).flatMap(([key, inner]): ConfigFinding[] => {
    const here = [...path, key];
    if (allowed.includes(key)) return unknownKeys(inner, here);
    const near = closestWord(key, allowed);
    const message = `unknown key${near === undefined ? '' : `, did you mean ${near}?`}; allowed here: ${allowed.join(', ')}`;
    return [{ path: here, at: 'key', message }];
  });
}

/** Every value alone: its kind, its range, unknown and missing keys. Rules between values are in `config-across.ts`. */
export function checkShape(
  value: unknown,
): { kind: 'ok'; config: Config } | { kind: 'bad'; findings: ConfigFinding[] } {
  const result = v.safeParse(configSchema, value);
  if (result.success) return { kind: 'ok', config: result.output };
  return {
    kind: 'bad',
    findings: [
      ...unknownKeys(value),
      ...result.issues.flatMap((issue): ConfigFinding[] => {
        const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
        if (issue.type !== 'strict_object') return [{ path, at: 'value', message: issue.message }];
        if (issue.expected === 'never') return [];
        if (issue.received === 'undefined') return [{ path, at: 'key', message: 'is missing' }];
        return [{ path, at: 'value', message: 'must be a table' }];
      }),
    ],
  };
}
