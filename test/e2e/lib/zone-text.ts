/** A small zone with name servers at `ns1` and `ns2` and mail exchangers at the same boxes. */
export function zoneText(options: {
  serial: number;
  ns1: string;
  ns2: string;
  www?: string;
  more?: string[];
}): string {
  const { serial, ns1, ns2, www = '192.0.2.80', more = [] } = options;
  return [
    '$TTL 300',
    `@ IN SOA ns1 hostmaster ${serial} 3600 600 3600000 300`,
    '  IN NS ns1',
    '  IN NS ns2',
    '  IN MX 10 ns1',
    '  IN MX 20 ns2',
    `ns1 IN A ${ns1}`,
    `ns2 IN A ${ns2}`,
    `www IN A ${www}`,
    ...more,
    '',
  ].join('\n');
}
