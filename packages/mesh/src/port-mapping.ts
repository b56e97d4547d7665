import { mappingLifeS, mappingRetryMs } from './limits.ts';

/**
 * NAT-PMP (RFC 6886): a router is asked to pass a TCP port on to this box. One datagram there and one back, 16 bytes at
 * most, always with the router that is the default gateway.
 */
export interface PortMapping {
  internalPort: number;
  externalPort: number;
  /** What the router grants; it may be less than what was asked for. 0: until it is taken away. */
  lifeS: number;
  /** The router's own address outside, where it told. */
  externalHost?: string;
}

/** In which words a router was asked. */
export type MappingWay = 'NAT-PMP' | 'UPnP';

const [opAddress, opMapTcp] = [0, 2];
const response = 128;

/** RFC 6886 §3.2: which address do you have outside? */
export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(0, opAddress);
}

/** RFC 6886 §3.3. The external port is a wish; life 0 with external port 0 takes the mapping away (§3.4). */
export function encodeMapRequest(internalPort: number, externalPort: number, lifeS: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, opMapTcp);
  view.setUint16(4, internalPort);
  view.setUint16(6, externalPort);
  view.setUint32(8, lifeS);
  return bytes;
}

export type NatPmpAnswer =
  | { kind: 'address'; host: string }
  | { kind: 'mapped'; mapping: PortMapping }
  | { kind: 'refused'; code: number };

/** What a router answers; `refused` with its result code (§3.5). Undefined where the bytes are no such answer. */
export function decodeAnswer(bytes: Uint8Array): NatPmpAnswer | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const op = view.getUint8(1);
  if (view.getUint8(0) !== 0 || (op !== response + opAddress && op !== response + opMapTcp)) return undefined;
  const code = view.getUint16(2);
  if (code !== 0) return { kind: 'refused', code };
  if (op === response + opAddress) {
    return bytes.length < 12 ? undefined : { kind: 'address', host: [...bytes.subarray(8, 12)].join('.') };
  }
  if (bytes.length < 16) return undefined;
  const mapping = {
    internalPort: view.getUint16(8),
    externalPort: view.getUint16(10),
    lifeS: view.getUint32(12),
  };
  // A port of 0 with no life says that the mapping was taken away.
  return mapping.externalPort === 0 && mapping.lifeS !== 0 ? undefined : { kind: 'mapped', mapping };
}

/** When to ask the router next: half way through what it granted (§3.3), or later where it refused or is silent. */
export function nextMappingMs(mapping: PortMapping | undefined): number {
  if (mapping === undefined) return mappingRetryMs;
  // Where it is for ever it may still be lost when the router starts anew.
  const lifeS = mapping.lifeS === 0 ? mappingLifeS : Math.min(mapping.lifeS, mappingLifeS);
  return Math.max(60_000, (lifeS * 1000) / 2);
}

/** The default gateway's IPv4 address in the text of /proc/net/route (Linux): destination and mask 0, up, a gateway. */
export function gatewayIn(routes: string): string | undefined {
  for (const line of routes.split('\n').slice(1)) {
    const [, destination, gateway = '', flags = '', , , , mask] = line.trim().split(/\s+/);
    const isGateway = (Number.parseInt(flags, 16) & 3) === 3;
    if (destination !== '00000000' || mask !== '00000000' || !isGateway) continue;
    if (!/^[\dA-Fa-f]{8}$/.test(gateway)) continue;
    const number = Number.parseInt(gateway, 16);
    return [0, 8, 16, 24].map((shift) => (number >>> shift) & 255).join('.');
  }
  return undefined;
}
