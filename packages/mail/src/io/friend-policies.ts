import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { type Clock, concatBytes, type FrameStream, type Table, toHex, toUtf8 } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { digestBytes, policyAnswerMs, recipientsKnownMax, recipientsRefusedMax } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import {
  decodePolicyRequest,
  encodePolicyAnswer,
  type PolicyAnswer,
  type PolicyHead,
  type PolicyRequest,
  policyVersion,
  readHead,
} from '../policy-frames.ts';
import type { RecipientView } from '../recipient-policy.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';

const prefix = 'policy/';
const rowMaxBytes = 1024 * 1024;

/** What an owner told this friend about one domain. */
interface HeldPolicy extends PolicyHead {
  ownerId: string;
  /** When it came; refusals age from here. */
  heardAtMs: number;
  knownDigests: Uint8Array;
  refusedDigests: Uint8Array;
}

interface IndexedPolicy {
  policy: HeldPolicy;
  /** The policy's key as it goes into a digest fastest: that happens at every RCPT. */
  key: KeyObject;
  known: Set<string>;
  refused: Set<string>;
}

export interface FriendPoliciesOptions {
  table: Table;
  domains: () => readonly MailDomain[];
  clock: Clock;
  events: MailEvents;
}

/** The digest of a recipient under a friendship's key. */
export function recipientDigest(key: KeyObject, domain: string, form: string): Uint8Array {
  const hmac = createHmac('sha256', key).update(toUtf8(`copain/recipient/1\0${domain}\0${form}`));
  return new Uint8Array(hmac.digest().subarray(0, digestBytes));
}

/** How owners want their mail treated at this friend: on disk, and gone with the grant. */
export class FriendPolicies {
  readonly #options: FriendPoliciesOptions;
  readonly #policies = new Map<string, IndexedPolicy>();

  private constructor(options: FriendPoliciesOptions) {
    this.#options = options;
  }

  /** Reads what was told before; a row that cannot be read is told again by its owner. */
  static async open(options: FriendPoliciesOptions): Promise<FriendPolicies> {
    const policies = new FriendPolicies(options);
    for await (const [, value] of options.table.entries(prefix)) {
      const policy = decodeRow(value);
      if (policy) policies.#policies.set(policy.domain, indexed(policy));
    }
    return policies;
  }

  /** The policy for a domain that this box takes for a friend; undefined where its owner said nothing yet. */
  policy(domain: MailDomain): HeldPolicy | undefined {
    const found = this.#policies.get(domain.domain)?.policy;
    return found?.ownerId === domain.ownerId ? found : undefined;
  }

  /** What is known of recipients, by the name that `nameOf` gives them. */
  view(domain: MailDomain): (RecipientView & { nameOf(form: string): string }) | undefined {
    const found = this.#policies.get(domain.domain);
    if (found === undefined || found.policy.ownerId !== domain.ownerId) return undefined;
    const { policy, key, known, refused } = found;
    return {
      any: policy.any,
      unknown: policy.unknown,
      isKnown: (name) => known.has(name),
      refusedAtMs: (name) => (refused.has(name) ? policy.heardAtMs : undefined),
      nameOf: (form) => toHex(recipientDigest(key, policy.domain, form)),
    };
  }

  /** How many recipients are known of a domain here, and since when. */
  count(domain: MailDomain): { known: number; refused: number; heardAtMs: number } | undefined {
    const found = this.#policies.get(domain.domain);
    if (found === undefined || found.policy.ownerId !== domain.ownerId) return undefined;
    return { known: found.known.size, refused: found.refused.size, heardAtMs: found.policy.heardAtMs };
  }

  /** Forgets what was told by owners whose mail this box takes no more. Rejects where the disk refuses. */
  async forgetEnded(): Promise<void> {
    const current = this.#options.domains();
    for (const [domain, { policy }] of this.#policies) {
      const holds = current.some((one) => one.domain === domain && one.ownerId === policy.ownerId);
      if (holds) continue;
      await this.#options.table.write([{ key: prefix + domain, value: undefined }]);
      this.#policies.delete(domain);
    }
  }

  /** Serves one `/copain/policy/1` stream of an owner's box. Never rejects. */
  async handle(stream: FrameStream, ownerId: string): Promise<void> {
    try {
      const hello = await receive(stream);
      if (hello?.t !== 'hello' || hello.version !== policyVersion)
        throw new Error(`this box speaks mail policy version ${policyVersion}`);
      for (let head = await receive(stream); head; head = await receive(stream)) {
        if (head.t !== 'policy') throw new Error(`unexpected ${head.t}`);
        await this.#take(stream, ownerId, head);
      }
      await stream.end();
    } catch (error) {
      this.#options.events.trouble({ where: `mail policy of ${ownerId}`, error: asError(error) });
      stream.abort(asError(error));
    }
  }

  async #take(stream: FrameStream, ownerId: string, head: PolicyHead): Promise<void> {
    const { domains, clock, table, events } = this.#options;
    const mine = domains().find(
      (one) => one.role === 'backup' && one.domain === head.domain && one.ownerId === ownerId,
    );
    if (mine === undefined) {
      await answer(stream, { t: 'not', why: 'this box does not take mail for it' });
      return;
    }
    const before = this.policy(mine);
    if (before && toHex(before.version) === toHex(head.version)) {
      await answer(stream, { t: 'have' });
      return;
    }
    await answer(stream, { t: 'want' });
    const lists = { known: [] as Uint8Array[], refused: [] as Uint8Array[] };
    const size = { known: 0, refused: 0 };
    const max = { known: recipientsKnownMax * digestBytes, refused: recipientsRefusedMax * digestBytes };
    for (;;) {
      const frame = await receive(stream);
      if (frame?.t === 'done') break;
      if (frame?.t !== 'known' && frame?.t !== 'refused') throw new Error('not the digests that were wanted');
      size[frame.t] += frame.digests.length;
      if (size[frame.t] > max[frame.t]) throw new Error('too many recipients');
      lists[frame.t].push(frame.digests);
    }
    const { domain, version, key, any, unknown, copies } = head;
    const policy: HeldPolicy = {
      domain,
      version,
      key,
      any,
      unknown,
      copies,
      ownerId,
      heardAtMs: clock.nowMs(),
      knownDigests: concatBytes(...lists.known),
      refusedDigests: concatBytes(...lists.refused),
    };
    try {
      await table.write([{ key: prefix + domain, value: encodeRow(policy) }]);
    } catch (error) {
      events.trouble({ where: `keeping the mail policy of ${domain}`, error: asError(error) });
      await answer(stream, { t: 'not', why: 'disk trouble' });
      return;
    }
    this.#policies.set(domain, indexed(policy));
    await answer(stream, { t: 'have' });
    events.changed();
  }
}

function indexed(policy: HeldPolicy): IndexedPolicy {
  const names = (digests: Uint8Array): Set<string> => {
    const set = new Set<string>();
    for (let at = 0; at + digestBytes <= digests.length; at += digestBytes)
      set.add(toHex(digests.subarray(at, at + digestBytes)));
    return set;
  };
  const key = createSecretKey(policy.key);
  return { policy, key, known: names(policy.knownDigests), refused: names(policy.refusedDigests) };
}

function encodeRow(policy: HeldPolicy): Uint8Array {
  const { ownerId, heardAtMs, knownDigests, refusedDigests, ...head } = policy;
  return encodeCanonical({
    ...head,
    owner: ownerId,
    at: heardAtMs,
    known: knownDigests,
    refused: refusedDigests,
  });
}

function decodeRow(row: Uint8Array): HeldPolicy | undefined {
  const fields = readFields(decodeCanonical(row, rowMaxBytes));
  const policy: HeldPolicy = {
    ...readHead(fields),
    ownerId: fields.text('owner', 128),
    heardAtMs: fields.integer('at', 0, Number.MAX_SAFE_INTEGER),
    knownDigests: fields.bytes('known', 0, rowMaxBytes),
    refusedDigests: fields.bytes('refused', 0, rowMaxBytes),
  };
  return fields.ok ? policy : undefined;
}

async function receive(stream: FrameStream): Promise<PolicyRequest | undefined> {
  const frame = await withDeadline(stream.receive(), policyAnswerMs, 'owner');
  if (!frame) return undefined;
  const request = decodePolicyRequest(frame);
  if (!request) throw new Error('not a frame of this protocol');
  return request;
}

async function answer(stream: FrameStream, what: PolicyAnswer): Promise<void> {
  await withDeadline(stream.send(encodePolicyAnswer(what)), policyAnswerMs, 'owner');
}
