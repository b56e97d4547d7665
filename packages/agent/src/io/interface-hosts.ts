import { networkInterfaces } from 'node:os';

/** The addresses of this machine's network interfaces, loopback among them. */
export function interfaceHosts(): string[] {
  return Object.values(networkInterfaces()).flatMap((card) => (card ?? []).map(({ address }) => address));
}
