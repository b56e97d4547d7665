import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mappingRetryMs } from './limits.ts';
import {
  decodeAnswer,
  encodeAddressRequest,
  encodeMapRequest,
  gatewayIn,
  nextMappingMs,
} from './port-mapping.ts';

it('requests are as RFC 6886 has them', () => {
  expect([...encodeAddressRequest()]).toEqual([0, 0]);
  expect([...encodeMapRequest(4853, 4853, 7200)]).toEqual([
    0, 2, 0, 0, 0x12, 0xf5, 0x12, 0xf5, 0, 0, 0x1c, 0x20,
  ]);
});

it('answers are read; whatever else comes is none', () => {
  const address = Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7);
  expect(decodeAnswer(address)).toEqual({ kind: 'address', host: '203.0.113.7' });
  const mapped = Uint8Array.of(0, 130, 0, 0, 0, 0, 0, 9, 0x12, 0xf5, 0x12, 0xf6, 0, 0, 0x0e, 0x10);
  const mapping = { internalPort: 4853, externalPort: 4854, lifeS: 3600 };
  expect(decodeAnswer(mapped)).toEqual({ kind: 'mapped', mapping });
  expect(decodeAnswer(Uint8Array.of(0, 130, 0, 2, 0, 0, 0, 9))).toEqual({ kind: 'refused', code: 2 });
  for (let length = 0; length < 16; length++)
    expect(decodeAnswer(mapped.subarray(0, length))).toBeUndefined();
  expect(decodeAnswer(Uint8Array.of(2, 130, 0, 0, 0, 0, 0, 0))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 32 }), (bytes) => void decodeAnswer(bytes)));
});

it('a mapping is renewed half way, a router that refused is asked later', () => {
  expect(nextMappingMs({ internalPort: 1, externalPort: 1, lifeS: 3600 })).toBe(1_800_000);
  expect(nextMappingMs({ internalPort: 1, externalPort: 1, lifeS: 1 })).toBe(60_000);
  expect(nextMappingMs(undefined)).toBe(mappingRetryMs);
});

it('the default gateway is found among the routes of Linux', () => {
  const routes = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  ].join('\n');
  expect(gatewayIn(routes)).toBe('192.168.1.1');
  expect(gatewayIn(routes.split('\n').slice(0, 2).join('\n'))).toBeUndefined();
  expect(gatewayIn('')).toBeUndefined();
});
