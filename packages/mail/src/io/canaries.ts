import { type Clock, equalBytes, type Random, type Table, toHex, toUtf8 } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { canaryAddress, canaryMessage, canaryToken, canaryTokenBytes } from '../canary.ts';
import { canariesKeptMax } from '../limits.ts';
import { mailDate } from '../trace.ts';
import { sha256 } from './seal.ts';

const prefix = 'canary/';

interface Canary {
  domain: string;
  peer: string;
  sentAtMs: number;
  /** sha256 of the message. */
  hash: Uint8Array;
  arrived: { atMs: number; intact: boolean } | undefined;
}

/** A canary that is about to be sent. */
export interface NewCanary {
  token: string;
  address: string;
  message: string;
}

/**
 * The canaries that this box sent. What is addressed to one of them, and to nobody else, is looked at on arrival and never
 * given to the MTA, also after a restart in between: each is on disk before it is sent.
 */
export class Canaries {
  readonly #table: Table;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #known = new Map<string, Canary>();

  private constructor(table: Table, clock: Clock, random: Random) {
    this.#table = table;
    this.#clock = clock;
    this.#random = random;
  }

  static async open(table: Table, clock: Clock, random: Random): Promise<Canaries> {
    const canaries = new Canaries(table, clock, random);
    const rows: [string, Canary][] = [];
    for await (const [key, value] of table.entries(prefix)) {
      const canary = decodeCanary(value);
      if (canary !== undefined) rows.push([key.slice(prefix.length), canary]);
    }
    // The oldest first, so that it is the first to make way.
    rows.sort(([, a], [, b]) => a.sentAtMs - b.sentAtMs);
    for (const [token, canary] of rows) canaries.#known.set(token, canary);
    return canaries;
  }

  /** A new one for this backup, known from now on. Rejects where the disk refused; then it must not be sent. */
  async create(domain: string, peer: string): Promise<NewCanary> {
    const token = toHex(this.#random.bytes(canaryTokenBytes));
    const sentAtMs = Math.round(this.#clock.nowMs());
    const message = canaryMessage({ token, domain, date: mailDate(sentAtMs) });
    const canary = { domain, peer, sentAtMs, hash: sha256(toUtf8(message)), arrived: undefined };
    const spare = [...this.#known.keys()].slice(0, Math.max(0, this.#known.size + 1 - canariesKeptMax));
    await this.#table.write([
      { key: prefix + token, value: encodeCanary(canary) },
      ...spare.map((old) => ({ key: prefix + old, value: undefined })),
    ]);
    for (const old of spare) this.#known.delete(old);
    this.#known.set(token, canary);
    return { token, address: canaryAddress(token, domain), message };
  }

  /** Is mail to this address, of a domain of ours, a canary of this box? */
  isCanary(address: string): boolean {
    return this.#find(address) !== undefined;
  }

  /** Notes that a message to a canary's address came, whole or changed. Rejects where the disk refused. */
  async arrived(address: string, message: Uint8Array): Promise<void> {
    const [token] = this.#find(address) ?? [];
    if (token !== undefined) await this.came(token, sha256(message));
  }

  /** The same where it came to another box of ours; false where it is no canary of this one. */
  async came(token: string, hash: Uint8Array): Promise<boolean> {
    const canary = this.#known.get(token);
    if (canary === undefined) return false;
    if (canary.arrived !== undefined) return true;
    const intact = equalBytes(hash, canary.hash);
    const after = { ...canary, arrived: { atMs: Math.round(this.#clock.nowMs()), intact } };
    await this.#table.write([{ key: prefix + token, value: encodeCanary(after) }]);
    this.#known.set(token, after);
    return true;
  }

  /** When and how that one came; undefined while it has not. */
  arrival(token: string): Canary['arrived'] {
    return this.#known.get(token)?.arrived;
  }

  /** When this backup was sent one last, 0 where never. */
  lastSentAtMs(domain: string, peer: string): number {
    const sent = [...this.#known.values()].filter((one) => one.domain === domain && one.peer === peer);
    return Math.max(0, ...sent.map(({ sentAtMs }) => sentAtMs));
  }

  #find(address: string): [string, Canary] | undefined {
    const token = canaryToken(address);
    const canary = token === undefined ? undefined : this.#known.get(token);
    return token !== undefined && canary !== undefined && address === canaryAddress(token, canary.domain)
      ? [token, canary]
      : undefined;
  }
}

function encodeCanary({ domain, peer, sentAtMs, hash, arrived }: Canary): Uint8Array {
  return encodeCanonical({
    v: 1,
    domain,
    peer,
    at: sentAtMs,
    hash,
    came: arrived?.atMs ?? 0,
    intact: arrived?.intact ?? false,
  });
}

function decodeCanary(bytes: Uint8Array): Canary | undefined {
  const fields = readFields(decodeCanonical(bytes, 1024));
  fields.integer('v', 1, 1);
  const came = fields.integer('came', 0, Number.MAX_SAFE_INTEGER);
  const intact = fields.flag('intact');
  const canary: Canary = {
    domain: fields.text('domain', 253),
    peer: fields.text('peer', 128),
    sentAtMs: fields.integer('at', 0, Number.MAX_SAFE_INTEGER),
    hash: fields.bytes('hash', 32, 32),
    arrived: came === 0 ? undefined : { atMs: came, intact },
  };
  return fields.ok ? canary : undefined;
}
