import type { Address } from './box.ts';
import { run } from './run.ts';

/** What delv trusts: a file with the key of this zone, as `anchorsText` makes it. */
export interface TrustAnchor {
  origin: string;
  anchors: string;
}

/** The text of that file, from a key that signs keys as it stands in a DNSKEY record: `257 3 13 …`. */
export function anchorsText(origin: string, dnskey: string): string {
  const [flags, protocol, algorithm, ...key] = dnskey.split(' ');
  return `trust-anchors { "${origin}." static-key ${flags} ${protocol} ${algorithm} "${key.join('')}"; };\n`;
}

/** All that the real delv says about the answer of this server, validated up from the trust anchor. */
export async function delv(
  { host, port }: Address,
  { origin, anchors }: TrustAnchor,
  name: string,
  type: string,
): Promise<string> {
  const at = [`@${host}`, '-p', String(port), '-a', anchors, `+root=${origin}`];
  const { stdout, stderr } = await run(['delv', ...at, name, type]);
  return stdout + stderr;
}
