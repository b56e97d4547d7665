/** A host (IPv4, IPv6 without brackets, or a DNS name) and a TCP or UDP port. */
export interface HostPort {
  host: string;
  port: number;
}

/**
 * Reads `127.0.0.1:53`, `[::1]:53`, `mail.example:25`. Undefined where there is no port from 0 to 65535 or no host.
 * Port 0 means "any free port" and is for listeners only.
 */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  if (host === '' || port > 65_535) return undefined;
  return { host, port };
}

/** `host:port`, with brackets round an IPv6 address. */
export function formatHostPort(address: HostPort): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The four bytes of an IPv4 address as one number, or undefined where the text is none. Also reads `::ffff:1.2.3.4`. */
function ipv4Number(host: string): number | undefined {
  const match = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(host);
  if (!match) return undefined;
  const bytes = match.slice(1).map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function inBlock(address: number, block: string, prefixLength: number): boolean {
  const base = ipv4Number(block) ?? 0;
  const size = 2 ** (32 - prefixLength);
  return Math.floor(address / size) === Math.floor(base / size);
}

/**
 * The family of an address that the internet routes, written as such (no zone index, no name); undefined for everything
 * else.
 */
export function publicFamily(host: string): 'ipv4' | 'ipv6' | undefined {
  if (isPrivate(host) || host.includes('%')) return undefined;
  if (host.includes(':')) return ipv6Groups(host) === undefined ? undefined : 'ipv6';
  return ipv4Number(host) === undefined ? undefined : 'ipv4';
}

/** Is it 127.0.0.0/8, ::1 or the name localhost? */
export function isLoopback(host: string): boolean {
  const address = ipv4Number(host);
  if (address !== undefined) return inBlock(address, '127.0.0.0', 8);
  return host === '::1' || host === 'localhost';
}

/**
 * The eight groups of an IPv6 address as numbers, a final dotted IPv4 address included; a zone index is left out.
 * Undefined where the text is no such address.
 */
export function ipv6Groups(host: string): number[] | undefined {
  let text = host.split('%')[0]?.toLowerCase() ?? '';
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const last = ipv4Number(dotted[2] ?? '');
    if (last === undefined) return undefined;
    text = `${dotted[1]}${Math.floor(last / 65_536).toString(16)}:${(last % 65_536).toString(16)}`;
  }
  const halves = text.split('::');
  if (!text.includes(':') || halves.length > 2) return undefined;
  const [before = [], after = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  if ([...before, ...after].some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return undefined;
  const missing = 8 - before.length - after.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...before, ...Array<string>(missing).fill('0'), ...after].map((group) =>
    Number.parseInt(group, 16),
  );
}

/** The IPv4 address inside an IPv6 address that stands for one: mapped, compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056). */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const at = (index: number): number => groups[index] ?? 0;
  const dotted = (high: number, low: number): string =>
    [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const leadsWith = (...start: number[]): boolean => start.every((value, index) => at(index) === value);
  if (leadsWith(0x2002)) return dotted(at(1), at(2));
  const mapped = leadsWith(0, 0, 0, 0, 0, 0xffff) || leadsWith(0, 0, 0, 0, 0, 0);
  return mapped || leadsWith(0x64, 0xff9b, 0, 0, 0, 0) ? dotted(at(6), at(7)) : undefined;
}

/**
 * Is it an address that the internet does not route: loopback, RFC 1918, shared (RFC 6598), link-local, unique local
 * (RFC 4193), unspecified, multicast, or an IPv6 spelling of one of these? Friends' claims to such addresses are not
 * dialled unless allowed. Names are not judged here: false.
 */
export function isPrivate(host: string): boolean {
  const address = ipv4Number(host);
  if (address !== undefined) {
    return (
      inBlock(address, '0.0.0.0', 8) ||
      inBlock(address, '10.0.0.0', 8) ||
      inBlock(address, '100.64.0.0', 10) ||
      inBlock(address, '127.0.0.0', 8) ||
      inBlock(address, '169.254.0.0', 16) ||
      inBlock(address, '172.16.0.0', 12) ||
      inBlock(address, '192.168.0.0', 16) ||
      inBlock(address, '224.0.0.0', 3)
    );
  }
  if (host.toLowerCase() === 'localhost') return true;
  const groups = ipv6Groups(host);
  if (groups === undefined) return false;
  const embedded = embeddedIpv4(groups);
  if (embedded !== undefined) return isPrivate(embedded);
  const first = groups[0] ?? 0;
  return (first & 0xfe00) === 0xfc00 || (first & 0xff80) === 0xfe80 || (first & 0xff00) === 0xff00;
}
