/**
 * Odd DNS messages without end, the same for the same seed: real queries with octets changed, put in, left out, cut off,
 * counts and lengths that lie, names that point anywhere, pieces of one message in another.
 */
export class PacketMutator {
  #state: number;
  readonly #seeds: readonly Uint8Array[];

  constructor(seeds: readonly Uint8Array[], seed: number) {
    this.#seeds = seeds;
    this.#state = seed >>> 0 || 1;
  }

  /** xorshift32. */
  #below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  next(): Uint8Array {
    let packet = [...(this.#seeds[this.#below(this.#seeds.length)] ?? [])];
    for (let left = 1 + this.#below(6); left > 0; left--) packet = this.#mutated(packet);
    return Uint8Array.from(packet.slice(0, 65_535));
  }

  #mutated(packet: number[]): number[] {
    const at = this.#below(packet.length + 1);
    switch (this.#below(9)) {
      case 0:
        return packet.toSpliced(at, 1, this.#below(256));
      case 1:
        return packet.toSpliced(at, 0, this.#below(256));
      case 2:
        return packet.toSpliced(at, 1 + this.#below(4));
      case 3:
        return packet.slice(0, at);
      case 4:
        // A pointer, to somewhere before, behind or itself.
        return packet.toSpliced(at, 2, 0xc0 | this.#below(2), this.#below(256));
      case 5:
        // One of the four counts.
        return packet.map((octet, i) => (i === 4 + 2 * this.#below(4) + 1 ? this.#below(256) : octet));
      case 6:
        return [...packet, ...(this.#seeds[this.#below(this.#seeds.length)] ?? packet).slice(12)];
      case 7:
        // Many labels, or many pointers, in a row.
        return packet.toSpliced(
          at,
          0,
          ...Array.from({ length: this.#below(600) }, () => this.#octetOfChain()),
        );
      default:
        return packet.toSpliced(at, 0, ...Array.from({ length: this.#below(64) }, () => this.#below(256)));
    }
  }

  #octetOfChain(): number {
    return [1, 0x61, 0xc0, 0x0c, 63][this.#below(5)] ?? 0;
  }
}
