/**
 * The messages of circuit relay v2 (libp2p specs, relay/circuit-v2.md), which are protobuf: of the hop protocol between a
 * box and its relay, and of the stop protocol between a relay and the box that is called.
 */

/** The status of an answer; others exist and count as a no. */
export const relayStatus = {
  ok: 100,
  limitReached: 201,
  denied: 202,
  connectionFailed: 203,
  noReservation: 204,
  malformed: 400,
} as const;

/** What is asked of a relay. `box`: the PeerId of the box to be called, as a multihash. */
export type HopRequest = { kind: 'reserve' } | { kind: 'connect'; box: Uint8Array };

export type RelayAnswer = { status: number; isLimited: boolean };

/** HopMessage.type is 0 RESERVE, 1 CONNECT, 2 STATUS; StopMessage.type is 0 CONNECT, 1 STATUS. */
const hop = { type: 1, peer: 2, reservation: 3, limit: 4, status: 5 } as const;
const stop = { type: 1, peer: 2, limit: 3, status: 4 } as const;
const peerId = 1;
const reservation = { expires: 1, addresses: 2 } as const;

type Field = readonly [field: number, value: number | Uint8Array];

/** Asks a relay to take calls for us. */
export const reserveRequest: Uint8Array = encodeFields([[hop.type, 0]]);

/** What a relay is asked, or undefined where the bytes ask nothing. */
export function decodeHopRequest(bytes: Uint8Array | undefined): HopRequest | undefined {
  const fields = decodeFields(bytes);
  const type = fields.get(hop.type);
  if (type === 0) return { kind: 'reserve' };
  const peer = fields.get(hop.peer);
  const box = peer instanceof Uint8Array ? decodeFields(peer).get(peerId) : undefined;
  return type === 1 && box instanceof Uint8Array ? { kind: 'connect', box } : undefined;
}

/** A relay's answer. `granted`: what it granted, until when (seconds since 1970), and where it can be reached. */
export function encodeHopAnswer(
  status: number,
  granted?: { expiresAtS: number; addresses: readonly Uint8Array[] },
): Uint8Array {
  const told: Field[] =
    granted === undefined
      ? []
      : [
          [
            hop.reservation,
            encodeFields([
              [reservation.expires, granted.expiresAtS],
              ...granted.addresses.map((address): Field => [reservation.addresses, address]),
            ]),
          ],
        ];
  return encodeFields([[hop.type, 2], ...told, [hop.status, status]]);
}

/** What a relay answered to a request; undefined where the bytes are no answer. */
export function decodeHopAnswer(bytes: Uint8Array | undefined): RelayAnswer | undefined {
  return decodeAnswer(decodeFields(bytes), hop);
}

/** Tells a box that another one calls it. `box`: the PeerId of the caller, as a multihash. */
export function encodeStopRequest(box: Uint8Array): Uint8Array {
  return encodeFields([
    [stop.type, 0],
    [stop.peer, encodeFields([[peerId, box]])],
  ]);
}

/** Does the box that is called take the call? undefined where the bytes are no answer. */
export function decodeStopAnswer(bytes: Uint8Array | undefined): RelayAnswer | undefined {
  return decodeAnswer(decodeFields(bytes), stop);
}

function decodeAnswer(
  fields: Map<number, number | Uint8Array>,
  names: { status: number; limit: number },
): RelayAnswer | undefined {
  const status = fields.get(names.status);
  return typeof status === 'number' ? { status, isLimited: fields.has(names.limit) } : undefined;
}

/** The top-level fields of a protobuf message, the last of each; none where the bytes are no such message. */
function decodeFields(bytes: Uint8Array | undefined): Map<number, number | Uint8Array> {
  const fields = new Map<number, number | Uint8Array>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = bytes?.[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (bytes !== undefined && at < bytes.length) {
    const key = varint();
    const isNumber = key % 8 === 0;
    const value = varint();
    if (Number.isNaN(value) || !(isNumber || key % 8 === 2)) return new Map();
    if (!isNumber && at + value > bytes.length) return new Map();
    fields.set(Math.floor(key / 8), isNumber ? value : bytes.slice(at, at + value));
    if (!isNumber) at += value;
  }
  return fields;
}

function encodeFields(fields: readonly Field[]): Uint8Array {
  const out: number[] = [];
  const varint = (value: number): void => {
    let left = value;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) out.push((left % 0x80) + 0x80);
    out.push(left);
  };
  for (const [field, value] of fields) {
    const isNumber = typeof value === 'number';
    varint(field * 8 + (isNumber ? 0 : 2));
    varint(isNumber ? value : value.length);
    if (!isNumber) for (const byte of value) out.push(byte);
  }
  return Uint8Array.from(out);
}
