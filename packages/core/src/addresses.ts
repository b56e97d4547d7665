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

/** Is it 127.0.0.0/8, ::1 or the name localhost? */
export function isLoopback(host: string): boolean {
  const address = ipv4Number(host);
  if (address !== undefined) return inBlock(address, '127.0.0.0', 8);
  return host === '::1' || host === 'localhost';
}

/**
 * Is it an address that the internet does not route: loopback, RFC 1918, shared (RFC 6598), link-local, unique local
 * (RFC 4193), unspecified, multicast? Friends' claims to such addresses are not dialled unless allowed. Names are not
 * judged here: false.
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
  const lower = host.toLowerCase();
  if (lower === 'localhost') return true;
  if (!lower.includes(':')) return false;
  return lower === '::' || lower === '::1' || /^(f[cd]|fe[89a-f]|ff)/.test(lower.padStart(4, '0'));
}
