const CR = 13;
const LF = 10;
const DOT = 46;

/** Turns a message into the bytes after DATA (RFC 5321 §4.5.2), piece by piece. */
export interface DotStuffing {
  /** The piece with a dot doubled wherever a line begins with one; where none does, the very piece. */
  push(chunk: Uint8Array): Uint8Array;
  /** What ends the message: CRLF where its last line had none, then the lone dot. */
  end(): Uint8Array;
}

/**
 * A line begins at the start and after every LF, bare or not, so that nothing in a message can be taken for its end by a
 * server that is less strict than we are.
 */
export function dotStuffing(): DotStuffing {
  let lineStart = true;
  let last: readonly [number, number] = [CR, LF];
  const count = (chunk: Uint8Array): number => {
    let dots = 0;
    let at = lineStart;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (at && byte === DOT) dots += 1;
      at = byte === LF;
    }
    return dots;
  };
  const stuff = (chunk: Uint8Array, dots: number): Uint8Array => {
    const stuffed = new Uint8Array(chunk.length + dots);
    let to = 0;
    let at = lineStart;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (at && byte === DOT) stuffed[to++] = DOT;
      stuffed[to++] = byte;
      at = byte === LF;
    }
    return stuffed;
  };
  return {
    push: (chunk) => {
      if (chunk.length === 0) return chunk;
      const dots = count(chunk);
      const stuffed = dots === 0 ? chunk : stuff(chunk, dots);
      const end = chunk.at(-1) ?? LF;
      last = [chunk.at(-2) ?? last[1], end];
      lineStart = end === LF;
      return stuffed;
    },
    end: () => {
      const whole = last[0] === CR && last[1] === LF;
      return Uint8Array.from(whole ? [DOT, CR, LF] : [CR, LF, DOT, CR, LF]);
    },
  };
}
