import { formatHostPort, parseHostPort } from '@copain/core';

/** The addresses of a `--…-listen` option, as they go into `peer.toml`, or what is wrong with it. */
export type ReadListen = { kind: 'addresses'; addresses: string[] } | { kind: 'bad'; why: string };

/** Reads `A:P`, several with commas between, or `none` for "do not do this". */
export function readListenOption(text: string): ReadListen {
  if (text === 'none' || text === '') return { kind: 'addresses', addresses: [] };
  const addresses: string[] = [];
  for (const part of text.split(',')) {
    const address = parseHostPort(part.trim());
    if (!address)
      return {
        kind: 'bad',
        why: `"${part}" is no address to listen on: write 127.0.0.1:53, [::1]:53 or none`,
      };
    addresses.push(formatHostPort(address));
  }
  return { kind: 'addresses', addresses };
}
