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
  const endLine = (): void => {
    if (column === 0) inHeader = false;
    column = 0;
    matched = 0;
  };
  return {
    push: (chunk) => {
      sizeBytes += chunk.length;
      for (const byte of chunk) {
        if (afterCr !== (byte === LF)) bareLineEnd = true;
        if (byte === LF) endLine();
        else if (byte !== CR) {
          if (inHeader && matched === column && matched < received.length) {
            if ((byte | 0x20) === received.charCodeAt(matched)) matched += 1;
            if (matched === received.length) receivedLines += 1;
          }
          column += 1;
        }
        afterCr = byte === CR;
      }
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
