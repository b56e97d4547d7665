import type { HostPort } from '@copain/core';
import * as v from 'valibot';
import {
  boxName,
  domain,
  file,
  listener,
  listeners,
  names,
  oneOf,
  remote,
  tablesOf,
  text,
  unlessEmpty,
} from './config-values.ts';

/** The section `[smtp]`: where other people's mail servers talk to this box. */
export interface SmtpConfig {
  listen: HostPort[];
  /** undefined: the host name of the machine. */
  hostname: string | undefined;
  tls: { certFile: string; keyFile: string } | undefined;
  /** Certificates for clients that ask for one of these names, which belong to friends. */
  tlsNames: { name: string; certFile: string; keyFile: string }[];
  raw: { listen: HostPort; owner: string }[];
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

export const smtp: v.GenericSchema<unknown, SmtpConfig> = v.pipe(
  v.strictObject({
    listen: listeners('0.0.0.0:25'),
    hostname: unlessEmpty(domain),
    'tls-cert': unlessEmpty(file),
    'tls-key': unlessEmpty(file),
    tls: tablesOf(v.strictObject({ name: text(domain), cert: text(file), key: text(file) })),
    raw: tablesOf(v.strictObject({ listen: text(listener), owner: text(boxName) })),
  }),
  v.transform(
    ({ listen, hostname, raw, tls: named, 'tls-cert': certFile, 'tls-key': keyFile }): SmtpConfig => {
      const tls = certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined;
      const tlsNames = named.map(({ name, cert, key }) => ({ name, certFile: cert, keyFile: key }));
      return { listen, hostname, tls, tlsNames, raw };
    },
  ),
);

const copiesMessage = 'must be 1 or 2';
export const mail: v.GenericSchema<unknown, MailConfig> = v.pipe(
  v.strictObject({
    domain: text(domain),
    deliver: text(remote),
    client: v.optional(oneOf('proxy-v1', 'proxy-v2', 'xclient', 'none'), 'none'),
    recipients: v.optional(text(file), 'learn'),
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
