import { decodeCanonical, encodeCanonical, type FieldReader, readFields } from '@copain/trust';
import { chunkBytes, digestBytes, frameMaxBytes } from './limits.ts';

/** The version both sides speak; the protocol name `/copain/policy/1` carries the same number. */
export const policyVersion = 1;

/** How an owner wants one domain treated while he is away; digests follow only where the friend has not got this version. */
export interface PolicyHead {
  domain: string;
  /** Hash over all of it, digests included. */
  version: Uint8Array;
  /** For the digests; only this friend and the owner have it. */
  key: Uint8Array;
  any: boolean;
  unknown: 'accept' | 'defer';
  copies: number;
}

/** What the owner says: hello, then for each domain its policy, and where the friend wants them, digests and done. */
export type PolicyRequest =
  | { t: 'hello'; version: number }
  | ({ t: 'policy' } & PolicyHead)
  /** Any number of digests, one after the other. */
  | { t: 'known'; digests: Uint8Array }
  | { t: 'refused'; digests: Uint8Array }
  | { t: 'done' };

/** What the friend answers to each policy, and once more after `done`. */
export type PolicyAnswer =
  /** It is kept here, durably. */
  | { t: 'have' }
  | { t: 'want' }
  /** This friend does not take that mail, or cannot keep the policy now. */
  | { t: 'not'; why: string };

export function encodePolicyRequest(request: PolicyRequest): Uint8Array {
  switch (request.t) {
    case 'hello':
      return encodeCanonical({ t: 'hello', v: request.version });
    case 'policy':
      return encodeCanonical({
        t: 'policy',
        domain: request.domain,
        version: request.version,
        key: request.key,
        any: request.any,
        unknown: request.unknown,
        copies: request.copies,
      });
    case 'known':
    case 'refused':
      return encodeCanonical({ t: request.t, d: request.digests });
    case 'done':
      return encodeCanonical({ t: 'done' });
  }
}

/** The request in a frame from an owner, or undefined where it is none. */
export function decodePolicyRequest(frame: Uint8Array): PolicyRequest | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const request = readRequest(fields);
  return fields.ok ? request : undefined;
}

function readRequest(fields: FieldReader): PolicyRequest | undefined {
  const kind = fields.text('t', 8);
  switch (kind) {
    case 'hello':
      return { t: 'hello', version: fields.integer('v', 1, 0xffff) };
    case 'policy':
      return { t: 'policy', ...readHead(fields) };
    case 'known':
    case 'refused': {
      const digests = fields.bytes('d', 0, chunkBytes);
      if (digests.length % digestBytes !== 0) fields.refuse();
      return { t: kind, digests };
    }
    case 'done':
      return { t: 'done' };
    default:
      fields.refuse();
      return undefined;
  }
}

/** The fields of a policy, as in the frame and as a friend keeps them. */
export function readHead(fields: FieldReader): PolicyHead {
  const unknown = fields.text('unknown', 8);
  if (unknown !== 'accept' && unknown !== 'defer') fields.refuse();
  return {
    domain: fields.text('domain', 253),
    version: fields.bytes('version', 32, 32),
    key: fields.bytes('key', 32, 32),
    any: fields.flag('any'),
    unknown: unknown === 'defer' ? 'defer' : 'accept',
    copies: fields.integer('copies', 1, 2),
  };
}

export function encodePolicyAnswer(answer: PolicyAnswer): Uint8Array {
  return encodeCanonical(answer.t === 'not' ? { t: 'not', why: answer.why.slice(0, 200) } : { t: answer.t });
}

/** The answer in a frame from a friend, or undefined where it is none. */
export function decodePolicyAnswer(frame: Uint8Array): PolicyAnswer | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const kind = fields.text('t', 8);
  if (kind === 'not') {
    const why = fields.text('why', 200);
    return fields.ok ? { t: 'not', why } : undefined;
  }
  return fields.ok && (kind === 'have' || kind === 'want') ? { t: kind } : undefined;
}
