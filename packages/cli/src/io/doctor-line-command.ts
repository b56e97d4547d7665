import { CommandError, ExitCode, formatSize, parseDuration, visible } from '@copain/core';
import type { Session } from './session.ts';

/** What the agent found: see `LineMeasure` there. */
interface LineMeasure {
  friend: string;
  bytes: number;
  tookMs: number;
  bytesPerSecond: number;
  ownConnection: boolean;
  limitedBy: string;
  roundTripMs: { before: number; duringMedian: number; duringMax: number; samples: number };
}

const limitText: Readonly<Record<string, string>> = {
  up: '[line] up of this box',
  bulk: '[line] bulk of this box',
  friend: 'the friend, who takes no more at once',
  'round-trip': 'the round trip: more under way at once would be needed',
  path: 'the path: our uplink, the downlink there, or a relay between',
};

function measureText(line: LineMeasure): string {
  const { before, duringMedian, duringMax } = line.roundTripMs;
  const seconds = (line.tookMs / 1000).toFixed(1);
  return [
    `To ${visible(line.friend)}, ${line.ownConnection ? 'on a connection of its own' : 'on the one connection there is'}:`,
    `  carried       ${formatSize(line.bytesPerSecond)}/s (${formatSize(line.bytes)} in ${seconds} s)`,
    `  limited by    ${limitText[line.limitedBy] ?? visible(line.limitedBy)}`,
    `  a few bytes   ${before} ms there and back before; ${duringMedian} ms meanwhile, ${duringMax} ms at most`,
    '',
  ].join('\n');
}

/** `peer doctor line NAME [--for 10s]`: fills the line to a friend for that long and says what it carried. */
export async function doctorLine(session: Session, name: string, options: { for: string }): Promise<void> {
  const forMs = parseDuration(options.for);
  if (forMs === undefined)
    throw new CommandError(ExitCode.usage, `--for: "${visible(options.for)}" is no time span: 10s, 30s`);
  const { line } = (await session.ask(
    'doctor.line',
    { name, forMs },
    // A line that fills takes its time to empty.
    { onProgress: (text) => session.say(visible(text, 200)), silenceMs: forMs + 60_000 },
  )) as { line: LineMeasure };
  session.answer('doctor.line', { ...line }, measureText(line));
}
