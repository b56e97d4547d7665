import { type CanonicalValue, type FieldReader, readFields } from '@copain/trust';

/** Who gave us a message: the true client, as the listener saw it. */
export interface ClientInfo {
  ip: string;
  port: number;
  serverIp: string;
  serverPort: number;
  /** What it called itself; '' before HELO. */
  helo: string;
  tls: boolean;
  /** EHLO rather than HELO. */
  esmtp: boolean;
}

export function encodeClient(client: ClientInfo): CanonicalValue {
  return { ...client };
}

/** The field `client` as `encodeClient` wrote it; `record` is no longer ok where something in it is wrong. */
export function readClient(record: FieldReader): ClientInfo {
  const fields = readFields(record.value('client'));
  const client: ClientInfo = {
    ip: fields.text('ip', 45),
    port: fields.integer('port', 0, 65_535),
    serverIp: fields.text('serverIp', 45),
    serverPort: fields.integer('serverPort', 0, 65_535),
    helo: fields.text('helo', 300),
    tls: fields.flag('tls'),
    esmtp: fields.flag('esmtp'),
  };
  if (!fields.ok || !isIp(client.ip) || !isIp(client.serverIp)) record.refuse();
  return client;
}

/** IPv4 dotted or IPv6 hexadecimal, enough to be repeated in a header and in a PROXY line without harm. */
export function isIp(text: string): boolean {
  return ipv4Bytes(text) !== undefined || ipv6Bytes(text) !== undefined;
}

/** The four bytes of a dotted IPv4 address, also of `::ffff:1.2.3.4`; undefined where it is none. */
export function ipv4Bytes(text: string): number[] | undefined {
  const match = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(text);
  const bytes = match?.slice(1).map(Number);
  return bytes?.every((byte) => byte <= 255) ? bytes : undefined;
}

/** The sixteen bytes of an IPv6 address in hexadecimal groups (RFC 4291 §2.2), without zone; undefined where it is none. */
export function ipv6Bytes(text: string): number[] | undefined {
  if (!/^[0-9a-f:]{2,39}$/i.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = groups.flat();
  if (given.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const missing = 8 - given.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const whole =
    halves.length === 1 ? given : [...(groups[0] ?? []), ...Array(missing).fill('0'), ...(groups[1] ?? [])];
  return whole.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
