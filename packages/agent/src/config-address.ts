import { type HostPort, parseDuration } from '@copain/core';
import * as v from 'valibot';
import {
  domain,
  file,
  followedName,
  listOf,
  type Meaning,
  remote,
  tablesOf,
  text,
  unlessEmpty,
} from './config-values.ts';
import { tellingLimits } from './telling-limits.ts';

/** One `[[address.update]]`: names in a zone of somebody else's that lead to this box. */
export interface AddressUpdateConfig {
  server: HostPort;
  /** Lower case, no trailing dot. */
  zone: string;
  /** `@` or relative to the zone. */
  names: string[];
  tsigFile: string | undefined;
  ttlS: number;
}

/** The section `[address]`: who is told when the public address of this box changes. */
export interface AddressConfig {
  /** A program and its arguments; none where empty. */
  hook: string[];
  updates: AddressUpdateConfig[];
}

const ttl: Meaning<number> = {
  read: (written) => {
    const spanMs = parseDuration(written);
    return spanMs !== undefined && spanMs >= 1000 && spanMs <= 86_400_000 ? spanMs : undefined;
  },
  message: 'is no time from 1s to 1d',
};

const update = v.pipe(
  v.strictObject({
    server: text(remote),
    zone: text(domain),
    names: v.pipe(
      listOf(text(followedName), 'names'),
      v.minLength(1, 'names nothing'),
      v.maxLength(tellingLimits.names, `has more than ${tellingLimits.names} entries`),
    ),
    'tsig-file': unlessEmpty(file),
    ttl: v.optional(text(ttl), '300s'),
  }),
  v.transform(
    ({ 'tsig-file': tsigFile, ttl: spanMs, ...rest }): AddressUpdateConfig => ({
      ...rest,
      tsigFile,
      ttlS: Math.floor(spanMs / 1000),
    }),
  ),
);

const word: Meaning<string> = {
  read: (written) => (written.includes('\0') ? undefined : written),
  message: 'is no argument of a program',
};
const hookMessage =
  'begins with the absolute path of a program, e.g. ["/usr/local/bin/tell-provider", "home"]';

export const address: v.GenericSchema<unknown, AddressConfig> = v.pipe(
  v.strictObject({
    hook: v.optional(
      v.pipe(
        listOf(text(word), 'words: a program and its arguments'),
        v.check(([program]) => program === undefined || program.startsWith('/'), hookMessage),
        v.maxLength(tellingLimits.hookWords, `has more than ${tellingLimits.hookWords} entries`),
      ),
      () => [],
    ),
    update: v.pipe(
      tablesOf(update),
      v.maxLength(tellingLimits.updates, `has more than ${tellingLimits.updates} entries`),
    ),
  }),
  v.transform(({ hook, update: updates }): AddressConfig => ({ hook, updates })),
);
