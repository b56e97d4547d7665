import { parseHostPort } from '@copain/core';
import type { MailDnsFacts } from '../doctor-mail-dns.ts';
import { type MailBackup, parseStsPolicy, type StsPolicy } from '../mail-dns.ts';
import { isHisMx, type MxHost } from '../probe-addresses.ts';
import type { MailLookups } from './mail-lookups.ts';
import type { SeenBackup } from './seen-backups.ts';

/** A box that takes our mail. */
export interface BackupBoxSeen {
  friend: string;
  seen: SeenBackup | undefined;
  /** `host:port` of the mesh where it can be dialled. */
  addresses: readonly string[];
}

/** How long a policy file may be (RFC 8461 §3.3 advises 64 kB), and how long its server may take. */
const policyMaxBytes = 65_536;
const policyWithinMs = 5000;

/** Hosts of MX records that are looked at; more than anybody has. */
const hostsMax = 20;

/** Looks up what is published for the mail of a domain, and whose each MX is. Never rejects. */
export async function mailDnsFacts(
  domain: string,
  boxes: readonly BackupBoxSeen[],
  lookups: MailLookups,
  stopping: AbortSignal,
): Promise<MailDnsFacts> {
  const backups: MailBackup[] = boxes.map(({ friend, seen }) => ({
    friend,
    hostname: seen?.door.hostname.toLowerCase(),
    tls: seen?.tls,
  }));
  const { records, by } = await lookups.mx(domain);
  const askedOf = by === 'zone' ? 'the zone as this box serves it' : 'the resolver of this machine';
  const nothing = { mx: undefined, friendOf: new Map(), sts: undefined, policy: undefined, tlsa: new Map() };
  if (records === undefined) return { domain, askedOf, backups, published: { ...nothing, spf: undefined } };
  const mx: MxHost[] = await Promise.all(
    records.slice(0, hostsMax).map(async (record) => {
      return { ...record, addresses: (await lookups.addresses(record.exchange)).records };
    }),
  );
  const friendOf = new Map<string, string>();
  for (const host of mx)
    for (const { friend, seen, addresses } of boxes) {
      const hosts = addresses.flatMap((text) => parseHostPort(text)?.host ?? []);
      if (seen !== undefined && isHisMx(host, seen.door, hosts)) friendOf.set(host.exchange, friend);
    }
  const [sts, spf, ...keys] = await Promise.all([
    lookups.txt(`_mta-sts.${domain}`),
    lookups.txt(domain),
    ...[...friendOf.keys()].map(
      async (host) => [host, (await lookups.tlsa(`_25._tcp.${host}`)).records] as const,
    ),
  ]);
  const isAnnounced = sts.records?.some((text) => text.startsWith('v=STSv1')) === true;
  return {
    domain,
    askedOf,
    backups,
    published: {
      mx,
      friendOf,
      sts: sts.records,
      policy: isAnnounced ? await fetchPolicy(domain, stopping) : undefined,
      tlsa: new Map(keys),
      spf: spf.records?.filter((text) => /^v=spf1(?: |$)/i.test(text)),
    },
  };
}

/** The policy file as senders get it, without following redirects (RFC 8461 §3.3); undefined where there is none. */
async function fetchPolicy(domain: string, stopping: AbortSignal): Promise<StsPolicy | undefined> {
  try {
    const answer = await fetch(`https://mta-sts.${domain}/.well-known/mta-sts.txt`, {
      redirect: 'error',
      signal: AbortSignal.any([stopping, AbortSignal.timeout(policyWithinMs)]),
    });
    if (answer.status !== 200 || answer.body === null) return undefined;
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const part of answer.body) {
      parts.push(part);
      sizeBytes += part.length;
      if (sizeBytes > policyMaxBytes) return undefined;
    }
    return parseStsPolicy(Buffer.concat(parts).toString('utf8'));
  } catch {
    return undefined;
  }
}
