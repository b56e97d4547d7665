import { CommandError, ExitCode, type FrameStream } from '@copain/core';
import { guestDeadlineMs } from '@copain/mesh';
import { type JoinRefusal, joinRefusalText } from '@copain/trust';
import { decodeJoinFrame, type JoinFrame } from '../join-frames.ts';

/** A refusal, as the person who wants to join is told. */
export function refusal(why: JoinRefusal): CommandError {
  return new CommandError(ExitCode.badInput, joinRefusalText[why]);
}

/** The next frame within the guest's deadline; anything else is an error of the conversation. */
export async function nextFrame(stream: FrameStream): Promise<JoinFrame> {
  const timer = setTimeout(() => stream.abort(new Error('no answer in time')), guestDeadlineMs);
  try {
    const bytes = await stream.receive();
    if (bytes === undefined)
      throw new Error(
        'the connection was closed: this circle lets nobody in now, the invite may be long over',
      );
    const frame = decodeJoinFrame(bytes);
    if (frame === undefined) throw new Error('not a frame of the join protocol');
    return frame;
  } finally {
    clearTimeout(timer);
  }
}
