import { parseHostPort } from '@copain/core';
import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { maxDialbackFrameBytes, maxDialbackPorts } from './limits.ts';

/** What became of one port: somebody answered, nobody did, or it was not tried since it may not be asked for. */
export type PortAnswer = 'yes' | 'no' | 'refused';

/** One question and one answer on a `/copain/dialback/1` stream. */
export type DialbackFrame =
  /** Please dial these TCP ports at the address this connection comes from. */
  | { t: 'ask'; ports: readonly number[] }
  /** `host`: that address. `ports`: `PORT:ANSWER` each. */
  | { t: 'result'; host: string; ports: readonly { port: number; answer: PortAnswer }[] }
  /** Not now: asked too often, or the question came over a relay and so from no address. */
  | { t: 'later'; why: string };

const answers: readonly PortAnswer[] = ['yes', 'no', 'refused'];

export function encodeDialbackFrame(frame: DialbackFrame): Uint8Array {
  const value =
    frame.t === 'result'
      ? { ...frame, ports: frame.ports.map(({ port, answer }) => `${port}:${answer}`) }
      : { ...frame };
  return encodeCanonical(value as unknown as CanonicalValue);
}

/** The frame, or undefined where the bytes are none. */
export function decodeDialbackFrame(bytes: Uint8Array): DialbackFrame | undefined {
  const fields = readFields(decodeCanonical(bytes, maxDialbackFrameBytes));
  const frame = read(fields.text('t', 8), fields);
  return fields.ok ? frame : undefined;
}

function read(t: string, fields: ReturnType<typeof readFields>): DialbackFrame | undefined {
  switch (t) {
    case 'ask': {
      const ports = fields.list('ports', maxDialbackPorts).map(Number);
      if (ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) fields.refuse();
      return { t, ports };
    }
    case 'result': {
      const host = fields.text('host', 64);
      if (parseHostPort(host.includes(':') ? `[${host}]:1` : `${host}:1`) === undefined) fields.refuse();
      const ports = fields.texts('ports', maxDialbackPorts, 16).flatMap((text) => {
        const [port = '', word = ''] = text.split(':');
        const answer = answers.find((one) => one === word);
        if (answer === undefined || !/^\d{1,5}$/.test(port)) {
          fields.refuse();
          return [];
        }
        return [{ port: Number(port), answer }];
      });
      return { t, host, ports };
    }
    case 'later':
      return { t, why: fields.text('why', 200) };
    default:
      fields.refuse();
      return undefined;
  }
}
