import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  decodeHopAnswer,
  decodeHopRequest,
  decodeStopAnswer,
  encodeHopAnswer,
  encodeStopRequest,
  relayStatus,
  reserveRequest,
} from './relay-messages.ts';

/** As another implementation's protobuf writes them: HopMessage and StopMessage of the specification. */
const box = Uint8Array.of(0, 36, 8, 1);
const connect = Uint8Array.of(0x08, 1, 0x12, 8, 0x0a, 4, ...box, 0x12, 0);

it('a relay understands who is called, and reservations', () => {
  expect(decodeHopRequest(connect)).toEqual({ kind: 'connect', box });
  expect(decodeHopRequest(reserveRequest)).toEqual({ kind: 'reserve' });
  expect([...reserveRequest]).toEqual([0x08, 0]);
  expect(decodeHopRequest(Uint8Array.of(0x08, 1))).toBeUndefined();
  expect(decodeHopRequest(Uint8Array.of(0x08, 2))).toBeUndefined();
});

it("the status of a relay's answer is read beside what else it says, and nothing out of what is cut off", () => {
  const answer = Uint8Array.of(0x08, 2, 0x1a, 3, 8, 9, 9, 0x28, 100);
  expect(decodeHopAnswer(answer)).toEqual({ status: relayStatus.ok, isLimited: false });
  expect(decodeHopAnswer(Uint8Array.of(...answer, 0x22, 2, 8, 60))).toEqual({
    status: relayStatus.ok,
    isLimited: true,
  });
  expect(decodeHopAnswer(answer.subarray(0, 5))).toBeUndefined();
  expect(decodeHopAnswer(Uint8Array.of(0x28))).toBeUndefined();
  expect(decodeStopAnswer(undefined)).toBeUndefined();
  expect(decodeStopAnswer(Uint8Array.of(0x08, 1, 0x20, 100))).toEqual({ status: 100, isLimited: false });
  expect(decodeStopAnswer(Uint8Array.of(0x08, 1, 0x20, 0xca, 0x01))?.status).toBe(202);
});

it('what is written is what the specification says, byte by byte', () => {
  expect([...encodeStopRequest(box)]).toEqual([0x08, 0, 0x12, 6, 0x0a, 4, ...box]);
  expect([...encodeHopAnswer(relayStatus.noReservation)]).toEqual([0x08, 2, 0x28, 0xcc, 0x01]);
  const granted = encodeHopAnswer(relayStatus.ok, { expiresAtS: 300, addresses: [Uint8Array.of(4, 7)] });
  expect([...granted]).toEqual([0x08, 2, 0x1a, 7, 0x08, 0xac, 0x02, 0x12, 2, 4, 7, 0x28, 100]);
});

it('no bytes make the reader throw, and every status comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      decodeHopRequest(bytes);
      decodeHopAnswer(bytes);
      decodeStopAnswer(bytes);
    }),
  );
  fc.assert(
    fc.property(fc.nat(), fc.nat(2 ** 40), (status, expiresAtS) => {
      const bytes = encodeHopAnswer(status, { expiresAtS, addresses: [] });
      expect(decodeHopAnswer(bytes)).toEqual({ status, isLimited: false });
    }),
  );
});
