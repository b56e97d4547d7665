import { visible } from '@copain/core';
import type { Check } from './doctor-net.ts';
import { isSameKey, type MailBackup, type PublishedMail, policyNames } from './mail-dns.ts';

/** What is published for one domain of ours, and who answered. */
export interface MailDnsFacts {
  domain: string;
  /** `the zone as this box serves it` or `the resolver of this machine`. */
  askedOf: string;
  backups: readonly MailBackup[];
  published: PublishedMail;
}

/** Does what is published send senders to us first and to each backup then, and to none that they must refuse? */
export function mailDnsChecks(facts: MailDnsFacts): Check[] {
  const { domain, askedOf, published } = facts;
  const shown = visible(domain);
  const id = `mail.dns.${shown}`;
  const hint = `peer mail dns ${shown}`;
  const { mx } = published;
  if (mx === undefined)
    return [{ id, ok: null, text: `The MX records of ${shown} could not be asked for (${askedOf}).`, hint }];
  const bad = (part: string, text: string): Check => ({ id: `${id}.${part}`, ok: false, text, hint });
  const checks = [
    ...mxProblems(facts).map((text) => bad('mx', text)),
    ...policyProblems(facts).map((text) => bad('mta-sts', text)),
    ...tlsaProblems(facts).map((text) => bad('tlsa', text)),
  ];
  if (checks.length > 0) return checks;
  const hosts = mx.map(({ exchange, preference }) => `${preference} ${visible(exchange)}`).join(', ');
  const more = published.policy === undefined ? '' : `, MTA-STS ${published.policy.mode}`;
  return [{ id, ok: true, text: `MX of ${shown}: ${hosts}${more} (${askedOf}).`, hint: null }];
}

function mxProblems({ domain, backups, published }: MailDnsFacts): string[] {
  const { mx = [], friendOf } = published;
  const shown = visible(domain);
  if (mx.length === 0)
    return [`${shown} has no MX record, so senders go to its A or AAAA record and to no friend.`];
  const own = mx.filter(({ exchange }) => !friendOf.has(exchange));
  const best = Math.min(...own.map(({ preference }) => preference));
  return [
    ...(own.length === 0 ? [`No MX record of ${shown} is your own server's: all mail goes to friends.`] : []),
    ...backups
      .filter(({ friend, hostname }) => hostname !== undefined && ![...friendOf.values()].includes(friend))
      .map(
        ({ friend, hostname = '' }) =>
          `${visible(friend)} takes mail for ${shown} as ${visible(hostname)}, and no MX record leads to him: senders never try him.`,
      ),
    ...mx
      .filter(({ exchange, preference }) => friendOf.has(exchange) && preference <= best && own.length > 0)
      .map(
        ({ exchange }) =>
          `The MX record to ${visible(friendOf.get(exchange) ?? '')} (${visible(exchange)}) is not after your own server: senders try him first.`,
      ),
    ...mx
      .filter(({ addresses }) => addresses?.length === 0)
      .map(({ exchange }) => `${visible(exchange)}, an MX of ${shown}, has no address.`),
  ];
}

function policyProblems({ domain, published, backups }: MailDnsFacts): string[] {
  const { policy, mx = [], sts, friendOf } = published;
  const shown = visible(domain);
  if (sts === undefined || !sts.some((text) => text.startsWith('v=STSv1'))) return [];
  if (policy === undefined)
    return [
      `_mta-sts.${shown} announces an MTA-STS policy, and this box gets none from https://mta-sts.${shown}.`,
    ];
  if (policy.mode !== 'enforce') return [];
  const left = mx.filter(({ exchange }) => !policyNames(policy, exchange));
  const unfit = mx.filter(({ exchange }) => {
    const tls = backups.find(({ friend }) => friend === friendOf.get(exchange))?.tls;
    return tls !== undefined && (!tls.fitsName || tls.untrusted !== undefined);
  });
  return [
    ...left.map(
      ({ exchange }) =>
        `The MTA-STS policy of ${shown} is enforced and does not name ${visible(exchange)}: senders that heed it skip that server.`,
    ),
    ...unfit.map(
      ({ exchange }) =>
        `The MTA-STS policy of ${shown} is enforced, and ${visible(exchange)} has no certificate for its name from a known authority: senders that heed it skip that server.`,
    ),
  ];
}

/** Records of other forms than 3 1 1 may fit or not; only all of this form without the key that was seen are wrong for sure. */
function tlsaProblems({ published, backups }: MailDnsFacts): string[] {
  return [...published.friendOf].flatMap(([host, friend]) => {
    const tls = backups.find((one) => one.friend === friend)?.tls;
    const all = published.tlsa.get(host) ?? [];
    if (tls === undefined || all.length === 0) return [];
    const isWrong =
      all.every(({ usage, selector, match }) => usage === 3 && selector === 1 && match === 1) &&
      !all.some((one) => isSameKey(one, tls));
    return isWrong
      ? [
          `The TLSA records of _25._tcp.${visible(host)} are not for the key that ${visible(friend)} showed: senders that heed DANE refuse it.`,
        ]
      : [];
  });
}
