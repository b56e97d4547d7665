import { isoTime } from '@copain/core';
import type { MessageInfo } from '@copain/status';

/** One copy of a message, as its holder or this box knows it; `from` undefined where it is sealed to somebody else. */
export interface MailCopy {
  id: string;
  domain: string;
  from: string | undefined;
  recipients: readonly string[];
  sizeBytes: number;
  receivedAtMs: number;
  state: MessageInfo['state'];
  holder: string;
  reply: string | undefined;
  nextTryAtMs: number | undefined;
  /** Name of another holder, as this one says. */
  alsoAt?: string | undefined;
}

/** What is nearest to the mailbox is what a message is said to be. */
const nearest: readonly MessageInfo['state'][] = ['delivered', 'queued', 'quarantined', 'held'];

/**
 * Copies of one message at several holders become one line: the state of the copy that has come furthest, every holder,
 * and whatever names one of them could read. Oldest first.
 */
export function mergeCopies(copies: readonly MailCopy[]): MessageInfo[] {
  const byId = new Map<string, MailCopy[]>();
  for (const copy of copies) byId.set(copy.id, [...(byId.get(copy.id) ?? []), copy]);
  const merged = [...byId.values()].flatMap((group): MessageInfo[] => {
    const place = ({ state }: MailCopy): number => nearest.indexOf(state);
    const [best] = group.toSorted((a, b) => place(a) - place(b));
    if (best === undefined) return [];
    const read = group.find(({ from }) => from !== undefined);
    return [
      {
        id: best.id,
        domain: best.domain,
        from: read?.from ?? '',
        recipients: [...new Set(group.flatMap(({ recipients }) => recipients))],
        sizeBytes: best.sizeBytes,
        receivedAt: isoTime(Math.min(...group.map(({ receivedAtMs }) => receivedAtMs))),
        heldBy: [
          ...new Set(
            group.flatMap(({ holder, alsoAt }) => [holder, ...(alsoAt === undefined ? [] : [alsoAt])]),
          ),
        ],
        state: best.state,
        nextTryAt: best.nextTryAtMs === undefined ? null : isoTime(best.nextTryAtMs),
        lastReply: best.reply ?? null,
      },
    ];
  });
  const inOrder = ({ receivedAt, id }: MessageInfo): string => `${receivedAt} ${id}`;
  return merged.sort((a, b) => (inOrder(a) < inOrder(b) ? -1 : 1));
}
