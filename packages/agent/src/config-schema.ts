import { type HostPort, isName, parseHostPort, parseSize } from '@copain/core';
import { answersPerSecondDefault, identityBytesMax } from '@copain/dns';
import * as v from 'valibot';
import { configLimits } from './config-limits.ts';
import { parseRate } from './config-rate.ts';
import { closestWord, type TomlPath } from './config-toml.ts';

/** What one box may do for a friend. */
export type May = 'dns' | 'mail' | 'backup' | 'relay' | 'witness';

/** One `[[zone]]`: a zone that this box owns. */
export interface ZoneConfig {
  /** Lower case, no trailing dot. */
  origin: string;
  /** A master file (RFC 1035 §5), or an existing hidden primary to transfer from. Paths as written. */
  source:
    | { kind: 'file'; file: string }
    | { kind: 'primary'; address: HostPort; tsigFile: string | undefined };
  /** Petnames to whom the zone is granted; undefined: every friend who offers `dns`. */
  secondaries: string[] | undefined;
  /** Names, `@` or relative to the origin, whose A and AAAA follow this box's public address. */
  follow: string[];
}

/** One `[[mail]]`: a domain whose mail this box's owner receives. */
export interface MailConfig {
  /** Lower case, no trailing dot. */
  domain: string;
  /** The owner's own mail server. */
  deliver: HostPort;
  /** How that server learns the address of the true client. */
  client: 'proxy-v1' | 'proxy-v2' | 'xclient' | 'none';
  recipients: { kind: 'learn' } | { kind: 'any' } | { kind: 'file'; file: string };
  /** What friends do with unknown recipients while this box is away. */
  unknown: 'accept' | 'defer';
  /** On how many friends' disks a held message lies before it is accepted: 1 or 2. */
  copies: number;
  /** Petnames to whom the domain is granted; undefined: every friend who offers `mail`. */
  backups: string[] | undefined;
}

/** One `[[friend]]`: an upper limit on what this box does for him. */
export interface FriendConfig {
  name: string;
  /** undefined: what was offered in the invite. */
  may: May[] | undefined;
  quotaBytes: number | undefined;
}

/** A checked `peer.toml`: every value in range, defaults filled in, file paths as written (see `besideConfig`). */
export interface Config {
  name: string;
  mesh: { listen: HostPort[]; announce: HostPort[]; network: string | undefined; allowPrivate: boolean };
  dns: {
    listen: HostPort[];
    workers: number;
    /** What this server says of itself where it is asked; undefined: nothing. */
    nsid: string | undefined;
    hostname: string | undefined;
    version: string | undefined;
    /** Answers a second over UDP to one network; 0: no limit. */
    answersPerSecond: number;
    transfer: { address: HostPort; tsigFile: string | undefined }[];
  };
  smtp: {
    listen: HostPort[];
    /** undefined: the host name of the machine. */
    hostname: string | undefined;
    tls: { certFile: string; keyFile: string } | undefined;
    raw: { listen: HostPort; owner: string }[];
  };
  http: { listen: HostPort[]; tokenFile: string | undefined };
  line: {
    /** undefined: unlimited. */
    upBytesPerSecond: number | undefined;
    bulkBytesPerSecond: number | undefined;
    /** Something outside the circle that answers TCP; undefined: nothing is asked. */
    check: HostPort | undefined;
  };
  zones: ZoneConfig[];
  mail: MailConfig[];
  friends: FriendConfig[];
  alerts: { to: string }[];
}

/** One mistake, at a path of the TOML tree, on the key or on its value. */
export interface ConfigFinding {
  path: TomlPath;
  at: 'key' | 'value';
  message: string;
}

const textMessage = 'must be a text in quotes';

/** A text with a meaning: `read` finds it, `message` says what is allowed where there is none. */
interface Meaning<T> {
  read: (text: string) => T | undefined;
  message: string;
}

const boundedText = v.pipe(
  v.string(textMessage),
  v.maxLength(configLimits.textCharacters, `is longer than ${configLimits.textCharacters} characters`),
);

function text<T>({ read, message }: Meaning<T>): v.GenericSchema<unknown, T> {
  return v.pipe(
    boundedText,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `${JSON.stringify(dataset.value.slice(0, 80))} ${message}` });
      return NEVER;
    }),
  );
}

/** Absent stays undefined; so does the empty text, which stands for "none" in the file. */
function unlessEmpty<T>({ read, message }: Meaning<T>): v.GenericSchema<unknown, T | undefined> {
  const orNone = text({
    message,
    read: (written) => {
      if (written === '') return { value: undefined };
      const value = read(written);
      return value === undefined ? undefined : { value };
    },
  });
  return v.optional(
    v.pipe(
      orNone,
      v.transform(({ value }) => value),
    ),
  );
}

function listOf<T>(item: v.GenericSchema<unknown, T>, what: string): v.GenericSchema<unknown, T[]> {
  return v.pipe(
    v.array(item, `must be a list of ${what}, in square brackets`),
    v.maxLength(configLimits.listEntries, `has more than ${configLimits.listEntries} entries`),
  );
}

/** One table; absent is all defaults. */
function table<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T> {
  return v.optional(schema, {}) as v.GenericSchema<unknown, T>;
}

/** Tables with a key `[[…]]` each: absent is none. */
function tablesOf<T>(item: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T[]> {
  return v.optional(listOf(item, 'tables'), () => []) as v.GenericSchema<unknown, T[]>;
}

function oneOf<const T extends string>(...choices: T[]): v.GenericSchema<unknown, T> {
  const allowed = choices.map((choice) => `"${choice}"`).join(', ');
  return v.picklist(choices, `must be one of ${allowed}`);
}

const hostAndPort = '"host:port", e.g. "203.0.113.7:53" or "[2001:db8::1]:53"';
const ipAddress = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9a-f:.]*:[0-9a-f:.]*(%[\w.-]+)?)$/i;

const remote: Meaning<HostPort> = {
  read: (written) => {
    const address = parseHostPort(written);
    return address && address.port > 0 ? address : undefined;
  },
  message: `is no ${hostAndPort}`,
};

const listener: Meaning<HostPort> = {
  read: (written) => {
    const address = parseHostPort(written);
    return address && (ipAddress.test(address.host) || address.host === 'localhost') ? address : undefined;
  },
  message: 'is no address to listen on: an IP address and a port, e.g. "0.0.0.0:53" or "[::]:53"',
};

const transferAddress: Meaning<HostPort> = {
  read: (written) => {
    const address = parseHostPort(written);
    return address && address.port > 0 && ipAddress.test(address.host) ? address : undefined;
  },
  message: 'is no IP address and port, e.g. "127.0.0.1:5301"',
};

const listeners = (...defaults: string[]): v.GenericSchema<unknown, HostPort[]> =>
  v.optional(listOf(text(listener), 'addresses to listen on'), defaults) as v.GenericSchema<
    unknown,
    HostPort[]
  >;

const boxName: Meaning<string> = {
  read: (written) => (isName(written) ? written : undefined),
  message: 'is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end',
};
const names = listOf(text(boxName), 'names');

const domainLabel = /^(?!-)[a-z0-9_/-]{1,63}(?<!-)$/;

/** Lower case and without a trailing dot, or undefined where the text is no domain name (RFC 1035 §2.3.1, RFC 2317). */
export function readDomain(text: string): string | undefined {
  const domain = text.toLowerCase().replace(/\.$/, '');
  return domain.length <= 253 && domain.split('.').every((label) => domainLabel.test(label))
    ? domain
    : undefined;
}

const domain: Meaning<string> = {
  read: readDomain,
  message: 'is no domain name: labels of a-z, 0-9, - and _ with dots between; other alphabets as xn--…',
};
const file: Meaning<string> = {
  read: (written) => (written === '' || written.includes('\0') ? undefined : written),
  message: 'is no file name',
};

const mesh: v.GenericSchema<unknown, Config['mesh']> = v.pipe(
  v.strictObject({
    listen: listeners('0.0.0.0:4853'),
    announce: v.optional(listOf(text(remote), hostAndPort), () => []),
    network: unlessEmpty(boxName),
    'allow-private': v.optional(v.boolean('must be true or false'), false),
  }),
  v.transform(({ listen, announce, network, 'allow-private': allowPrivate }): Config['mesh'] => {
    return { listen, announce, network, allowPrivate };
  }),
);

const transferTo = v.pipe(
  v.strictObject({ address: text(transferAddress), 'tsig-file': unlessEmpty(file) }),
  v.transform(({ address, 'tsig-file': tsigFile }) => ({ address, tsigFile })),
);

const workersMessage = 'must be a whole number from 1 to 64';
const saidOfItself: Meaning<string> = {
  read: (written) =>
    /^[\x20-\x7e]*$/.test(written) && written.length <= identityBytesMax ? written : undefined,
  message: `is no text of at most ${identityBytesMax} ASCII characters`,
};
const rateMessage = 'must be a whole number from 0 (no limit) to 1000000';
const dns: v.GenericSchema<unknown, Config['dns']> = v.pipe(
  v.strictObject({
    listen: listeners('0.0.0.0:53', '[::]:53'),
    workers: v.optional(
      v.pipe(
        v.number(workersMessage),
        v.integer(workersMessage),
        v.minValue(1, workersMessage),
        v.maxValue(64, workersMessage),
      ),
      1,
    ),
    nsid: unlessEmpty(saidOfItself),
    hostname: unlessEmpty(saidOfItself),
    version: unlessEmpty(saidOfItself),
    'rate-limit': v.optional(
      v.pipe(
        v.number(rateMessage),
        v.integer(rateMessage),
        v.minValue(0, rateMessage),
        v.maxValue(1_000_000, rateMessage),
      ),
      answersPerSecondDefault,
    ),
    transfer: tablesOf(transferTo),
  }),
  v.transform(({ 'rate-limit': answersPerSecond, ...rest }): Config['dns'] => ({
    ...rest,
    answersPerSecond,
  })),
);

const smtp: v.GenericSchema<unknown, Config['smtp']> = v.pipe(
  v.strictObject({
    listen: listeners('0.0.0.0:25'),
    hostname: unlessEmpty(domain),
    'tls-cert': unlessEmpty(file),
    'tls-key': unlessEmpty(file),
    raw: tablesOf(v.strictObject({ listen: text(listener), owner: text(boxName) })),
  }),
  v.transform(({ listen, hostname, raw, 'tls-cert': certFile, 'tls-key': keyFile }): Config['smtp'] => {
    const tls = certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined;
    return { listen, hostname, tls, raw };
  }),
);

const http: v.GenericSchema<unknown, Config['http']> = v.pipe(
  v.strictObject({ listen: listeners('127.0.0.1:8853'), 'token-file': unlessEmpty(file) }),
  v.transform(({ listen, 'token-file': tokenFile }): Config['http'] => ({ listen, tokenFile })),
);

const rate: Meaning<number> = {
  read: parseRate,
  message: 'is no speed: a number above 0 with bit, kbit, Mbit or Gbit, e.g. "128kbit"',
};
const line: v.GenericSchema<unknown, Config['line']> = v.pipe(
  v.strictObject({
    up: unlessEmpty(rate),
    bulk: unlessEmpty(rate),
    check: v.optional(unlessEmpty(remote), '9.9.9.9:53'),
  }),
  v.transform(({ up, bulk, check }): Config['line'] => {
    return { upBytesPerSecond: up, bulkBytesPerSecond: bulk, check };
  }),
);

const followedName: Meaning<string> = {
  read: (written) => (written === '@' ? written : readDomain(written)),
  message: 'is no name in the zone: "@" or e.g. "mail"',
};
const zone: v.GenericSchema<unknown, ZoneConfig> = v.pipe(
  v.strictObject({
    origin: text(domain),
    file: v.optional(text(file)),
    primary: v.optional(text(remote)),
    'tsig-file': unlessEmpty(file),
    secondaries: v.optional(names),
    follow: v.optional(listOf(text(followedName), 'names'), () => []),
  }),
  v.transform(({ origin, file: path, primary, secondaries, follow, 'tsig-file': tsigFile }): ZoneConfig => {
    const source: ZoneConfig['source'] =
      primary === undefined
        ? { kind: 'file', file: path ?? '' }
        : { kind: 'primary', address: primary, tsigFile };
    return { origin, source, secondaries, follow };
  }),
);

const copiesMessage = 'must be 1 or 2';
const mail: v.GenericSchema<unknown, MailConfig> = v.pipe(
  v.strictObject({
    domain: text(domain),
    deliver: text(remote),
    client: v.optional(oneOf('proxy-v1', 'proxy-v2', 'xclient', 'none'), 'none'),
    recipients: v.optional(text(file), 'any'),
    unknown: v.optional(oneOf('accept', 'defer'), 'accept'),
    copies: v.optional(v.picklist([1, 2], copiesMessage), 1),
    backups: v.optional(names),
  }),
  v.transform(({ recipients, backups, ...rest }): MailConfig => {
    const kind: MailConfig['recipients'] =
      recipients === 'learn' || recipients === 'any'
        ? { kind: recipients }
        : { kind: 'file', file: recipients };
    return { ...rest, recipients: kind, backups };
  }),
);

const mayChoices = ['dns', 'mail', 'backup', 'relay', 'witness'] as const;
const friend: v.GenericSchema<unknown, FriendConfig> = v.pipe(
  v.strictObject({
    name: text(boxName),
    may: v.optional(listOf(oneOf(...mayChoices), 'rights')),
    quota: v.optional(
      text({ read: parseSize, message: 'is no size: a number with B, kB, MB, GB or TB, e.g. "20GB"' }),
    ),
  }),
  v.transform(({ name, may, quota }): FriendConfig => ({ name, may, quotaBytes: quota })),
);

const alertTarget = /^(mailto:.+@.+|ntfy:\/\/.+|https:\/\/.+|matrix:\/\/.+|exec:\/.+)$/;
const alert = v.strictObject({
  to: text({
    read: (written) => (alertTarget.test(written) ? written : undefined),
    message: 'is no place for alerts: mailto:…, ntfy://…, https://…, matrix://… or exec:/path',
  }),
});

const configSchema: v.GenericSchema<unknown, Config> = v.pipe(
  v.strictObject({
    name: text(boxName),
    mesh: table(mesh),
    dns: table(dns),
    smtp: table(smtp),
    http: table(http),
    line: table(line),
    zone: tablesOf(zone),
    mail: tablesOf(mail),
    friend: tablesOf(friend),
    alert: tablesOf(alert),
  }),
  v.transform(({ zone: zones, friend: friends, alert: alerts, ...rest }): Config => {
    return { ...rest, zones, friends, alerts };
  }),
);

/** Keys that each table may have: what `unknownKeys` shows a person, the same as the schemas above accept. */
const keysOf: Record<string, readonly string[]> = {
  '': ['name', 'mesh', 'dns', 'smtp', 'http', 'line', 'zone', 'mail', 'friend', 'alert'],
  mesh: ['listen', 'announce', 'network', 'allow-private'],
  dns: ['listen', 'workers', 'nsid', 'hostname', 'version', 'rate-limit', 'transfer'],
  'dns.transfer': ['address', 'tsig-file'],
  smtp: ['listen', 'hostname', 'tls-cert', 'tls-key', 'raw'],
  'smtp.raw': ['listen', 'owner'],
  http: ['listen', 'token-file'],
  line: ['up', 'bulk', 'check'],
  zone: ['origin', 'file', 'primary', 'tsig-file', 'secondaries', 'follow'],
  mail: ['domain', 'deliver', 'client', 'recipients', 'unknown', 'copies', 'backups'],
  friend: ['name', 'may', 'quota'],
  alert: ['to'],
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
