/** Room that a message of announced length gets at first; it grows with what really comes. */
const firstFrameBytes = 1024;

/**
 * Takes a TCP stream apart into messages (RFC 1035 §4.2.2), wherever it is cut (RFC 7766 §8). What is announced and has
 * not come costs no memory, and each octet is copied a few times at most, even if it comes alone.
 */
export class TcpFrames {
  #chunk: Uint8Array = nothing;
  /** The first length octet, where the cut was between the two; else -1. */
  #firstOctet = -1;
  /** Octets of the message that is being collected, or -1 where none is. */
  #wanted = -1;
  #frame: Uint8Array = nothing;
  #filled = 0;

  /** Adds what came; `next` is asked until it gives nothing, or the rest waits. */
  push(chunk: Uint8Array): void {
    if (this.#chunk.length === 0) this.#chunk = chunk;
    else {
      const both = new Uint8Array(this.#chunk.length + chunk.length);
      both.set(this.#chunk);
      both.set(chunk, this.#chunk.length);
      this.#chunk = both;
    }
  }

  /** Is a message, or its length, there in part, or one that was not taken yet? */
  get hasPart(): boolean {
    return this.#chunk.length > 0 || this.#wanted >= 0 || this.#firstOctet >= 0;
  }

  /** The next whole message; undefined where it has not come yet. It may be a view into what was pushed. */
  next(): Uint8Array | undefined {
    if (this.#wanted < 0 && !this.#readLength()) return undefined;
    const missing = this.#wanted - this.#filled;
    const chunk = this.#chunk;
    if (this.#filled === 0 && chunk.length >= missing) return this.#done(chunk.subarray(0, missing), missing);
    const taken = Math.min(missing, chunk.length);
    this.#makeRoom(this.#filled + taken);
    this.#frame.set(chunk.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (taken === missing) return this.#done(this.#frame.subarray(0, this.#wanted), taken);
    this.#chunk = nothing;
    return undefined;
  }

  #done(message: Uint8Array, taken: number): Uint8Array {
    this.#chunk = this.#chunk.subarray(taken);
    this.#wanted = -1;
    this.#frame = nothing;
    this.#filled = 0;
    return message;
  }

  #readLength(): boolean {
    const chunk = this.#chunk;
    if (this.#firstOctet < 0) {
      if (chunk.length === 0) return false;
      if (chunk.length === 1) {
        this.#firstOctet = chunk[0] ?? 0;
        this.#chunk = nothing;
        return false;
      }
      this.#wanted = ((chunk[0] ?? 0) << 8) | (chunk[1] ?? 0);
      this.#chunk = chunk.subarray(2);
      return true;
    }
    if (chunk.length === 0) return false;
    this.#wanted = (this.#firstOctet << 8) | (chunk[0] ?? 0);
    this.#firstOctet = -1;
    this.#chunk = chunk.subarray(1);
    return true;
  }

  #makeRoom(needed: number): void {
    if (needed <= this.#frame.length) return;
    const larger = new Uint8Array(
      Math.min(this.#wanted, Math.max(needed, 2 * this.#frame.length, firstFrameBytes)),
    );
    larger.set(this.#frame.subarray(0, this.#filled));
    this.#frame = larger;
  }
}

const nothing = new Uint8Array();

/**
 * A message with its length in front (RFC 1035 §4.2.2), so that both go in one write (RFC 7766 §8). It has at most 65,535
 * octets.
 */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + message.length);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 255;
  frame.set(message, 2);
  return frame;
}
