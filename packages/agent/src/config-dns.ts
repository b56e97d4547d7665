import { type HostPort, parseHostPort } from '@copain/core';
import { answersPerSecondDefault, identityBytesMax } from '@copain/dns';
import * as v from 'valibot';
import {
  domain,
  file,
  followedName,
  ipAddress,
  listeners,
  listOf,
  type Meaning,
  names,
  remote,
  tablesOf,
  text,
  unlessEmpty,
} from './config-values.ts';

/** The section `[dns]`: how this box answers. */
export interface DnsConfig {
  listen: HostPort[];
  workers: number;
  /** What this server says of itself where it is asked; undefined: nothing. */
  nsid: string | undefined;
  hostname: string | undefined;
  version: string | undefined;
  /** Answers a second over UDP to one network; 0: no limit. */
  answersPerSecond: number;
  transfer: { address: HostPort; tsigFile: string | undefined }[];
}

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

const transferAddress: Meaning<HostPort> = {
  read: (written) => {
    const address = parseHostPort(written);
    return address && address.port > 0 && ipAddress.test(address.host) ? address : undefined;
  },
  message: 'is no IP address and port, e.g. "127.0.0.1:5301"',
};

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
export const dns: v.GenericSchema<unknown, DnsConfig> = v.pipe(
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
  v.transform(
    ({ 'rate-limit': answersPerSecond, ...rest }): DnsConfig => ({
      ...rest,
      answersPerSecond,
    }),
  ),
);

export const zone: v.GenericSchema<unknown, ZoneConfig> = v.pipe(
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
