import { type HostPort, isName, parseDuration, parseHostPort } from '@copain/core';
import { parseIpv4, parseIpv6 } from '@copain/dns';
import { parseCheck } from '@copain/liveness';
import * as v from 'valibot';
import { boxName, domain, file, listOf, type Meaning, oneOf, text, unlessEmpty } from './config-values.ts';

/** Where a friend stands in: an address, or host and port for an SRV record. */
export interface StandbyConfig {
  /** Petname. */
  friend: string;
  at: { kind: 'ipv4' | 'ipv6'; address: string } | ({ kind: 'srv' } & HostPort);
}

/** One `[[service]]`: what a friend may stand in for while this box's owner cannot give it. */
export interface ServiceConfig {
  name: string;
  /** Lower case, no trailing dot. */
  record: string;
  check: string;
  /** All of one friend. */
  standby: StandbyConfig[];
  /** The standby's records with their signatures, in a master file; for a zone that is signed with DNSSEC. */
  signedFile: string | undefined;
  ttlS: number;
  afterMs: number;
  maxMs: number;
  holdMs: number;
  pin: 'obey' | 'up' | 'down';
}

const second = 1000;
const day = 86_400_000;

const span = (leastMs: number, mostMs: number, allowed: string): Meaning<number> => ({
  read: (written) => {
    const spanMs = parseDuration(written);
    return spanMs !== undefined && spanMs >= leastMs && spanMs <= mostMs ? spanMs : undefined;
  },
  message: `is no time from ${allowed}`,
});

/** `bob=198.51.100.7`, `bob=2001:db8::7`, or for an SRV record `bob=xmpp.bob.example:5222`. */
export function readStandby(written: string): StandbyConfig | undefined {
  const [, friend = '', where = ''] = /^([^=]*)=(.*)$/.exec(written) ?? [];
  if (!isName(friend)) return undefined;
  if (parseIpv4(where)) return { friend, at: { kind: 'ipv4', address: where } };
  if (parseIpv6(where)) return { friend, at: { kind: 'ipv6', address: where.toLowerCase() } };
  const target = parseHostPort(where);
  const host = target && domain.read(target.host);
  // An SRV record leads to a name (RFC 2782), never to an address.
  if (target === undefined || host === undefined || target.port === 0 || parseIpv4(host)) return undefined;
  return { friend, at: { kind: 'srv', host, port: target.port } };
}

const standby: Meaning<StandbyConfig> = {
  read: readStandby,
  message: 'is no standby: "bob=198.51.100.7", or for an SRV record "bob=xmpp.bob.example:5222"',
};
const serviceName: Meaning<string> = boxName;
const check: Meaning<string> = {
  read: (written) => (parseCheck(written) === undefined ? undefined : written),
  message: 'is no check: "https://www.alice.example/", "http://…", "tcp://host:port" or "smtp://host"',
};

/** One text, or a list of them. */
const standbys = v.pipe(
  v.unknown(),
  v.transform((written) => (typeof written === 'string' ? [written] : written)),
  listOf(text(standby), 'standbys'),
  v.minLength(1, 'names nobody'),
  v.maxLength(4, 'has more than 4 entries'),
  v.check(
    (list) =>
      new Set(list.map(({ friend }) => friend)).size <= 1 &&
      (list.every(({ at }) => at.kind === 'srv') || list.every(({ at }) => at.kind !== 'srv')),
    'must be of one friend, and all addresses or all host:port',
  ),
);

export const service: v.GenericSchema<unknown, ServiceConfig> = v.pipe(
  v.strictObject({
    name: text(serviceName),
    record: text(domain),
    check: text(check),
    standby: standbys,
    signed: unlessEmpty(file),
    ttl: v.optional(text(span(0, day, '"0s" to "1d"')), '300s'),
    after: v.optional(text(span(10 * second, 7 * day, '"10s" to "7d"')), '180s'),
    max: v.optional(text(span(60 * second, 366 * day, '"1m" to "366d"')), '30d'),
    hold: v.optional(text(span(5 * second, day, '"5s" to "1d"')), '10m'),
    pin: v.optional(oneOf('obey', 'up', 'down'), 'obey'),
  }),
  v.transform(({ signed: signedFile, ttl, after, max, hold, ...rest }): ServiceConfig => {
    return {
      ...rest,
      signedFile,
      ttlS: Math.round(ttl / second),
      afterMs: after,
      maxMs: max,
      holdMs: hold,
    };
  }),
);
