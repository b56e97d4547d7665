const CR = 13;
const LF = 10;
const DOT = 46;

/** Turns a message into the bytes after DATA (RFC 5321 §4.5.2), piece by piece. */
export interface DotStuffing {
  /** The piece with a dot doubled wherever a line begins with one. */
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
  let last: [number, number] = [CR, LF];
  return {
    push: (chunk) => {
      let dots = 0;
      let at = lineStart;
      for (const byte of chunk) {
        if (at && byte === DOT) dots += 1;
        at = byte === LF;
      }
      const stuffed = new Uint8Array(chunk.length + dots);
      let to = 0;
      for (const byte of chunk) {
        if (lineStart && byte === DOT) stuffed[to++] = DOT;
        stuffed[to++] = byte;
        lineStart = byte === LF;
        last = [last[1], byte];
      }
      return stuffed;
    },
    end: () => {
      const whole = last[0] === CR && last[1] === LF;
      return Uint8Array.from(whole ? [DOT, CR, LF] : [CR, LF, DOT, CR, LF]);
    },
  };
}
