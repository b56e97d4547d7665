/** What has been seen of a message so far. */
export interface MessageScan {
  /** The next bytes of DATA, in any pieces. */
  push(chunk: Uint8Array): void;
  readonly sizeBytes: number;
  /**
   * Has there been a CR without LF or a LF without CR (RFC 5321 §2.3.8 forbids both)? Servers disagree about where such a
   * message ends, which is how one message is made to look like two. A CR as the last byte so far counts at `isClean`.
   */
  readonly bareLineEnd: boolean;
  /** Received lines in the header, which count the hops so far (RFC 5321 §6.3). */
  readonly receivedLines: number;
  /** Call at the end: true where every line ended with CRLF and none was bare. */
  isClean(): boolean;
}

const CR = 13;
const LF = 10;
const received = 'received:';

/** Looks at a message as it streams by, without keeping any of it. */
export function scanMessage(): MessageScan {
  let sizeBytes = 0;
  let bareLineEnd = false;
  let receivedLines = 0;
  let afterCr = false;
  let inHeader = true;
  let column = 0;
  let matched = 0;
  /** Reads on while this is the header; gives where it stopped. */
  const readHeader = (chunk: Uint8Array): number => {
    let at = 0;
    while (inHeader && at < chunk.length) {
      const byte = chunk[at++] ?? 0;
      if (afterCr !== (byte === LF)) bareLineEnd = true;
      if (byte === LF) {
        if (column === 0) inHeader = false;
        column = 0;
        matched = 0;
      } else if (byte !== CR) {
        if (matched === column && matched < received.length) {
          if ((byte | 0x20) === received.charCodeAt(matched)) matched += 1;
          if (matched === received.length) receivedLines += 1;
        }
        column += 1;
      }
      afterCr = byte === CR;
    }
    return at;
  };
  /** The body is most of every message; variables of this call alone make the loop several times faster. */
  const readBody = (chunk: Uint8Array, from: number): void => {
    let bare = false;
    let cr = afterCr;
    let length = column;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === LF) {
        if (!cr) bare = true;
        cr = false;
        length = 0;
      } else {
        if (cr) bare = true;
        cr = byte === CR;
        if (!cr) length += 1;
      }
    }
    if (bare) bareLineEnd = true;
    afterCr = cr;
    column = length;
  };
  return {
    push: (chunk) => {
      sizeBytes += chunk.length;
      readBody(chunk, readHeader(chunk));
    },
    get sizeBytes() {
      return sizeBytes;
    },
    get bareLineEnd() {
      return bareLineEnd;
    },
    get receivedLines() {
      return receivedLines;
    },
    isClean: () => !bareLineEnd && !afterCr && column === 0,
  };
}
