import type { HostPort } from '@copain/core';
import * as v from 'valibot';
import { parseRate } from './config-rate.ts';
import {
  boxName,
  file,
  hostAndPort,
  listeners,
  listOf,
  type Meaning,
  remote,
  text,
  unlessEmpty,
} from './config-values.ts';

/** The section `[mesh]`: how friends reach this box. */
export interface MeshConfig {
  listen: HostPort[];
  announce: HostPort[];
  network: string | undefined;
  allowPrivate: boolean;
}

/** The section `[line]`: what this box may use of its uplink. */
export interface LineConfig {
  /** undefined: unlimited. */
  upBytesPerSecond: number | undefined;
  bulkBytesPerSecond: number | undefined;
  /** Something outside the circle that answers TCP; undefined: nothing is asked. */
  check: HostPort | undefined;
}

/** The section `[http]`: the status page. */
export interface HttpConfig {
  listen: HostPort[];
  tokenFile: string | undefined;
}

export const mesh: v.GenericSchema<unknown, MeshConfig> = v.pipe(
  v.strictObject({
    listen: listeners('0.0.0.0:4853'),
    announce: v.optional(listOf(text(remote), hostAndPort), () => []),
    network: unlessEmpty(boxName),
    'allow-private': v.optional(v.boolean('must be true or false'), false),
  }),
  v.transform(({ listen, announce, network, 'allow-private': allowPrivate }): MeshConfig => {
    return { listen, announce, network, allowPrivate };
  }),
);

const rate: Meaning<number> = {
  read: parseRate,
  message: 'is no speed: a number above 0 with bit, kbit, Mbit or Gbit, e.g. "128kbit"',
};
export const line: v.GenericSchema<unknown, LineConfig> = v.pipe(
  v.strictObject({
    up: unlessEmpty(rate),
    bulk: unlessEmpty(rate),
    check: v.optional(unlessEmpty(remote), '9.9.9.9:53'),
  }),
  v.transform(({ up, bulk, check }): LineConfig => {
    return { upBytesPerSecond: up, bulkBytesPerSecond: bulk, check };
  }),
);

export const http: v.GenericSchema<unknown, HttpConfig> = v.pipe(
  v.strictObject({ listen: listeners('127.0.0.1:8853'), 'token-file': unlessEmpty(file) }),
  v.transform(({ listen, 'token-file': tokenFile }): HttpConfig => ({ listen, tokenFile })),
);
