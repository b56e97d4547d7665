/** What a master file was when it was published, or last asked to be: hashes as hexadecimal text. */
export interface ZoneBase {
  /** The content that was published from the file. */
  content: string | undefined;
  /** `peer zone push` asked for this file on top of this head, and could not be answered yet. */
  pushed: { file: string; head: string } | undefined;
}

/** What is to become of a file that was read. Its zone has no mistakes. */
export type FileVerdict =
  /** It says what is published already: it is the head's own file. */
  | 'same'
  | 'publish'
  /** It would replace a version that it is not based on. */
  | 'behind'
  /** It is good, and this box may not sign yet. */
  | 'waiting';

/**
 * A file is published only if what it is based on is the newest version that anybody has: a file put back from an old
 * copy would take back what came after it. `head` is that version's content, `differs` whether the file says anything
 * else, `wanted` whether the person asks for the file as it is now, `force` for signing before friends were heard.
 */
export function judgeFile(
  base: ZoneBase,
  file: { hash: string; differs: boolean },
  circumstances: { head: string | undefined; maySign: boolean; wanted: boolean; force: boolean },
): FileVerdict {
  const { head, maySign, wanted, force } = circumstances;
  if (!file.differs) return 'same';
  const wasPushed =
    base.pushed !== undefined && base.pushed.file === file.hash && base.pushed.head === (head ?? '');
  if (head !== undefined && base.content !== head && !wanted && !wasPushed) return 'behind';
  return maySign || force ? 'publish' : 'waiting';
}

/**
 * A version that is signed before friends were heard leaves so many numbers free: those that this box may have given
 * before it was put back. It then follows them all, instead of being a second version of one number, which friends
 * would refuse for good.
 */
export const forcedLeap = 1000;
