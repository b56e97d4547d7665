import { CommandError, ExitCode, visible } from '@copain/core';
import { mailReceiptsText, type ReceiptStatus } from '@copain/status';
import type { Session } from './session.ts';

/**
 * `peer mail receipts [NAME] [--settle]`: what friends signed that they accepted, and what of it arrived. `settle` lets go
 * what is missing of one friend, after asking.
 */
export async function mailReceipts(
  session: Session,
  friend: string | undefined,
  options: { settle?: boolean },
): Promise<void> {
  if (options.settle === true) {
    if (friend === undefined)
      throw new CommandError(ExitCode.usage, 'whose? name the friend: peer mail receipts NAME --settle');
    const who = visible(friend, 64);
    if (!(await session.confirm(`Let go what is missing of ${who}'s receipts, and count on from here?`)))
      throw new CommandError(ExitCode.no, 'nothing was changed');
    const { boxes } = (await session.ask('mail.settle', { friend })) as { boxes: number };
    const text = boxes === 0 ? `nothing is missing of ${who}'s receipts\n` : `what was missing is let go\n`;
    session.answer('mail.receipts.settle', { friend, boxes }, text);
    return;
  }
  const { receipts } = (await session.ask('mail.receipts', friend === undefined ? {} : { friend }, {
    silenceMs: 90_000,
  })) as { receipts: ReceiptStatus[] };
  const text =
    receipts.length === 0
      ? 'no friend accepted mail for you yet\n'
      : mailReceiptsText(receipts, session.textOptions());
  session.answer('mail.receipts', { receipts }, text);
}
