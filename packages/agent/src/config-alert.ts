import { type HostPort, isLoopback } from '@copain/core';
import * as v from 'valibot';
import { file, type Meaning, remote, text, unlessEmpty } from './config-values.ts';

/** Where alerts go, read from the `to` of an `[[alert]]`. */
export type AlertPlace =
  | { kind: 'mail'; address: string }
  | { kind: 'ntfy'; url: string }
  | { kind: 'webhook'; url: string }
  | { kind: 'matrix'; server: string; room: string }
  | { kind: 'exec'; path: string };

/** One `[[alert]]`: a way to the owner. */
export interface AlertConfig {
  /** As written. */
  to: string;
  /** The same for people and logs, without what may be secret in it. */
  shown: string;
  place: AlertPlace;
  /** A file with the token that the server wants to see (`Authorization: Bearer`). */
  tokenFile: string | undefined;
  /** Of mail: the server that takes it; undefined: that of the first `[[mail]]`, else the one on this machine. */
  via: HostPort | undefined;
  /** Of mail: its sender. */
  from: string | undefined;
}

const webAddress =
  /^(?<scheme>https?):\/\/(?<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?][\x21-\x7e]*)?$/i;
const placeOnHost = /^\w+:\/\/(?<at>(?<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?)\/(?<rest>[^\s/?#]+)$/i;
const mailAddress = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/;

const isHere = (host: string): boolean => host === 'localhost' || isLoopback(host.replace(/^\[|\]$/g, ''));
/** A server on this very machine speaks plain HTTP behind whatever makes it HTTPS for others. */
const schemeFor = (host: string): string => (isHere(host) ? 'http' : 'https');

/** The place that this text means, or undefined where it is none. */
export function readAlertPlace(to: string): { place: AlertPlace; shown: string } | undefined {
  const scheme = to.slice(0, Math.max(0, to.indexOf(':')));
  const host = placeOnHost.exec(to)?.groups;
  switch (scheme) {
    case 'mailto': {
      const address = to.slice('mailto:'.length);
      return mailAddress.test(address) ? { place: { kind: 'mail', address }, shown: to } : undefined;
    }
    case 'ntfy': {
      if (host === undefined || !/^[\w-]{1,64}$/.test(host.rest ?? '')) return undefined;
      const url = `${schemeFor(host.host ?? '')}://${host.at}/${host.rest}`;
      return { place: { kind: 'ntfy', url }, shown: `ntfy://${host.at}/…` };
    }
    case 'matrix': {
      if (host === undefined || !/^![\x21-\x7e]{1,255}$/.test(host.rest ?? '')) return undefined;
      const server = `${schemeFor(host.host ?? '')}://${host.at}`;
      return { place: { kind: 'matrix', server, room: host.rest ?? '' }, shown: to };
    }
    case 'https':
    case 'http': {
      const found = webAddress.exec(to)?.groups;
      if (found === undefined || (scheme === 'http' && !isHere(found.host ?? ''))) return undefined;
      const origin = /^\w+:\/\/[^/?]*/.exec(to)?.[0] ?? '';
      return { place: { kind: 'webhook', url: to }, shown: origin === to ? to : `${origin}/…` };
    }
    case 'exec': {
      const path = to.slice('exec:'.length);
      return /^\/[^\0]+$/.test(path) ? { place: { kind: 'exec', path }, shown: to } : undefined;
    }
    default:
      return undefined;
  }
}

const target: Meaning<{ to: string; place: AlertPlace; shown: string }> = {
  read: (written) => {
    const read = readAlertPlace(written);
    return read && { to: written, ...read };
  },
  message:
    'is no place for alerts: mailto:you@elsewhere.example, ntfy://HOST/TOPIC, https://…, matrix://HOST/!ROOM:SERVER or exec:/path',
};

const sender: Meaning<string> = {
  read: (written) => (mailAddress.test(written) ? written : undefined),
  message: 'is no mail address',
};

export const alert: v.GenericSchema<unknown, AlertConfig> = v.pipe(
  v.strictObject({
    to: text(target),
    'token-file': unlessEmpty(file),
    via: unlessEmpty(remote),
    from: unlessEmpty(sender),
  }),
  v.transform(({ to, 'token-file': tokenFile, via, from }): AlertConfig => ({ ...to, tokenFile, via, from })),
);

/** What is wrong with the keys of one `[[alert]]` together: which key, and why. Values of a wrong kind are passed over. */
export function alertMistakes(written: Record<string, unknown>): { key: string; message: string }[] {
  const place = typeof written.to === 'string' ? readAlertPlace(written.to)?.place : undefined;
  if (place === undefined) return [];
  const isSet = (key: string): boolean => written[key] !== undefined && written[key] !== '';
  const keptFor = (key: string, kinds: readonly AlertPlace['kind'][], what: string) =>
    isSet(key) && !kinds.includes(place.kind) ? [{ key, message: `is for ${what}` }] : [];
  return [
    ...keptFor('via', ['mail'], 'mailto: alone'),
    ...keptFor('from', ['mail'], 'mailto: alone'),
    ...keptFor('token-file', ['ntfy', 'webhook', 'matrix'], 'ntfy://, https:// and matrix:// alone'),
    ...(place.kind === 'matrix' && !isSet('token-file')
      ? [{ key: 'to', message: 'needs token-file = "…": the access token of the account that writes there' }]
      : []),
  ];
}
