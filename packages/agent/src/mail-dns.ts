import type { SeenTls } from '@copain/mail';
import type { MxHost } from './probe-addresses.ts';

/** A TLSA record (RFC 6698 §2.1); `data` in hexadecimal. */
export interface TlsaRecord {
  usage: number;
  selector: number;
  match: number;
  data: string;
}

/** A friend who takes the mail of a domain of ours, as he was seen last. */
export interface MailBackup {
  friend: string;
  /** What he calls himself, the name for an MX record; undefined where he could not be asked yet. */
  hostname: string | undefined;
  tls: SeenTls | undefined;
}

/** What is published now; undefined where nobody could be asked. */
export interface PublishedMail {
  mx: readonly MxHost[] | undefined;
  /** Whose MX each is, by the host's name: a friend's name, or undefined for our own. */
  friendOf: ReadonlyMap<string, string>;
  /** TXT of `_mta-sts`. */
  sts: readonly string[] | undefined;
  /** The policy file, undefined where there is none or nobody could be asked. */
  policy: StsPolicy | undefined;
  /** TLSA of `_25._tcp.HOST`, by host. */
  tlsa: ReadonlyMap<string, readonly TlsaRecord[] | undefined>;
  /** TXT of the domain that begins with `v=spf1`. */
  spf: readonly string[] | undefined;
}

/** An MTA-STS policy (RFC 8461 §3.2). */
export interface StsPolicy {
  mode: 'enforce' | 'testing' | 'none';
  mx: readonly string[];
}

/** One record that fits: `data` as it stands in a master file. */
interface FittingRecord {
  /** Without the dot at the end. */
  name: string;
  type: 'MX' | 'A' | 'AAAA' | 'TXT' | 'TLSA';
  data: string;
  /** Why, and what it needs besides. */
  note: string;
  /** Is it published so? Null: nobody could be asked, or it cannot be compared. */
  published: boolean | null;
}

/** All that fits for a domain. */
export interface MailDns {
  records: FittingRecord[];
  policy: { url: string; text: string; note: string };
  hints: string[];
}

/** In the order in which senders are to try: our own server first, then the friends, each by his name. */
const ownPreference = 10;
const preferenceStep = 10;

/**
 * The DNS records that fit for the mail of a domain of ours: MX with our own server first, addresses of hosts of ours, MTA-STS
 * (RFC 8461), TLSA for the keys that were seen (RFC 6698, RFC 7672). `policyId`: the id of a policy text, at most 32 letters
 * and digits (RFC 8461 §3.1). What is published in the same sense is taken over: its names, its preferences where they are in order.
 */
export function fittingRecords(options: {
  domain: string;
  backups: readonly MailBackup[];
  published: PublishedMail;
  address: { ipv4: string | undefined; ipv6: string | undefined };
  policyId: (text: string) => string;
}): MailDns {
  const { domain, backups, published, address } = options;
  const own = ownHosts(published, domain);
  const named = backups.flatMap(({ hostname, ...rest }) =>
    hostname === undefined ? [] : [{ ...rest, hostname: hostnameIn(published, rest.friend) ?? hostname }],
  );
  const mx = [
    ...own.map((host) => ({ host, note: 'your own server' })),
    ...named.map(({ friend, hostname }) => ({
      host: hostname,
      note: `${friend} keeps mail while it is away`,
    })),
  ];
  const inOrder = isInOrder(published, own);
  const records: FittingRecord[] = mx.map(({ host, note }, i) => {
    const there = published.mx?.find(({ exchange }) => exchange === host);
    const preference = inOrder && there !== undefined ? there.preference : ownPreference + i * preferenceStep;
    return {
      name: domain,
      type: 'MX',
      data: `${preference} ${host}.`,
      note,
      published: published.mx === undefined ? null : there?.preference === preference,
    };
  });
  for (const host of own.filter((name) => isWithin(name, domain)))
    records.push(...addressRecords(host, address, published));
  const text = policyText(
    named,
    mx.map(({ host }) => host),
    published,
  );
  const id = options.policyId(text);
  const [sts] = published.sts ?? [];
  records.push({
    name: `_mta-sts.${domain}`,
    type: 'TXT',
    data: `"v=STSv1; id=${id}"`,
    note: 'once the policy file below is served; another id with every change of it (RFC 8461)',
    published:
      published.sts === undefined ? null : sts === `v=STSv1; id=${id}` || sts === `v=STSv1; id=${id};`,
  });
  for (const { hostname, tls, friend } of named) {
    if (tls === undefined) continue;
    const all = published.tlsa.get(hostname);
    records.push({
      name: `_25._tcp.${hostname}`,
      type: 'TLSA',
      data: `3 1 1 ${tls.spkiSha256}`,
      note: `the key that ${friend} showed; in the zone of ${hostname}, where that is signed by DNSSEC (RFC 7672)`,
      published: all === undefined ? null : all.some((one) => isSameKey(one, tls)),
    });
  }
  return {
    records,
    policy: {
      url: `https://mta-sts.${domain}/.well-known/mta-sts.txt`,
      text,
      note: `a web server of yours has to serve it, with a certificate for mta-sts.${domain}; copain does not`,
    },
    hints: hints(options, named, own),
  };
}

const isWithin = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`);

/** Is this the key that was seen? Only DANE-EE(3) SPKI(1) SHA2-256(1), the form that RFC 7672 §3.1.1 advises, can be compared. */
export const isSameKey = ({ usage, selector, match, data }: TlsaRecord, { spkiSha256 }: SeenTls): boolean =>
  usage === 3 && selector === 1 && match === 1 && data === spkiSha256;

/** Hosts of MX records that are no friend's; one to be made where there is none. */
function ownHosts({ mx, friendOf }: PublishedMail, domain: string): string[] {
  const own = (mx ?? []).map(({ exchange }) => exchange).filter((host) => !friendOf.has(host));
  return own.length > 0 ? own : [`mx.${domain}`];
}

/** The name by which an MX record calls a friend already. */
const hostnameIn = ({ mx, friendOf }: PublishedMail, friend: string): string | undefined =>
  mx?.find(({ exchange }) => friendOf.get(exchange) === friend)?.exchange;

/** Are our own hosts preferred to all friends'? */
function isInOrder({ mx = [], friendOf }: PublishedMail, own: readonly string[]): boolean {
  const worstOwn = Math.max(
    ...mx.filter(({ exchange }) => own.includes(exchange)).map(({ preference }) => preference),
  );
  const friends = mx.filter(({ exchange }) => friendOf.has(exchange));
  return Number.isFinite(worstOwn) && friends.every(({ preference }) => preference > worstOwn);
}

function addressRecords(
  host: string,
  { ipv4, ipv6 }: { ipv4: string | undefined; ipv6: string | undefined },
  { mx }: PublishedMail,
): FittingRecord[] {
  const there = mx?.find(({ exchange }) => exchange === host)?.addresses;
  const note = 'where friends see this box; peer address tells more, and [[zone]] follow keeps it so';
  return [
    { type: 'A' as const, data: ipv4 },
    { type: 'AAAA' as const, data: ipv6 },
  ].flatMap(({ type, data }) =>
    data === undefined ? [] : [{ name: host, type, data, note, published: there?.includes(data) ?? null }],
  );
}

/** Senders that enforce it skip a host without a certificate for its name: so only where all were seen to have one. */
function policyText(
  backups: readonly { hostname: string; tls: SeenTls | undefined }[],
  hosts: readonly string[],
  { policy }: PublishedMail,
): string {
  const fit = backups.every(({ tls }) => tls?.fitsName && tls.untrusted === undefined);
  const mode = fit && policy?.mode === 'enforce' ? 'enforce' : 'testing';
  const lines = ['version: STSv1', `mode: ${mode}`, ...hosts.map((host) => `mx: ${host}`), 'max_age: 604800'];
  return `${lines.join('\r\n')}\r\n`;
}

function hints(
  { backups, published, domain }: Parameters<typeof fittingRecords>[0],
  named: readonly { friend: string; hostname: string; tls: SeenTls | undefined }[],
  own: readonly string[],
): string[] {
  const unnamed = backups.filter(({ hostname }) => hostname === undefined).map(({ friend }) => friend);
  const all = published.spf?.join(' ') ?? '';
  return [
    ...(unnamed.length === 0
      ? []
      : [
          `${unnamed.join(', ')} could not be asked for the name of his mail server; try again when he is there`,
        ]),
    ...named.flatMap(({ friend, hostname, tls }) => {
      if (tls === undefined)
        return [`${friend} was not seen to offer STARTTLS: mail reaches ${hostname} in clear`];
      if (!tls.fitsName)
        return [`the certificate of ${friend} is not for ${hostname}: senders that check skip him`];
      return tls.untrusted === undefined
        ? []
        : [`the certificate of ${friend} is vouched for by nobody that senders know (${tls.untrusted})`];
    }),
    /\bmx\b/.test(all)
      ? `SPF: friends never send in the name of ${domain}; "mx" lets them: name your own server instead, a:${own[0]}`
      : `SPF needs nothing for friends: they never send in the name of ${domain}`,
  ];
}

/** The policy in a file, or undefined where it is none (RFC 8461 §3.2). */
export function parseStsPolicy(text: string): StsPolicy | undefined {
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const match = /^([a-z_]{1,32}):[ \t]*(\S{1,300})[ \t]*$/.exec(line);
    return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const];
  });
  const mode = pairs.find(([key]) => key === 'mode')?.[1];
  const version = pairs.find(([key]) => key === 'version')?.[1];
  if (version !== 'STSv1' || (mode !== 'enforce' && mode !== 'testing' && mode !== 'none')) return undefined;
  return { mode, mx: pairs.flatMap(([key, value]) => (key === 'mx' ? [value.toLowerCase()] : [])) };
}

/** Does a policy name this host? `*.` stands for exactly one label (RFC 8461 §4.1). */
export function policyNames({ mx }: StsPolicy, host: string): boolean {
  const above = host.slice(host.indexOf('.') + 1);
  return mx.some((pattern) => pattern === host || (pattern.startsWith('*.') && pattern.slice(2) === above));
}
