/**
 * What a program did to its files and sockets, call by call, as strace wrote it down: every call has the line on which it
 * began and the one on which it returned, so that a power cut can be put between any two of them.
 */

/** The arguments for strace that make such a log; the program and its arguments follow. */
export function straceArguments(logPath: string): string[] {
  return ['strace', '-f', '-yy', '-xx', '-qq', '--seccomp-bpf', '-s', '10000000', '-e', trace, '-o', logPath];
}

const trace =
  'trace=openat,write,pwrite64,writev,pwritev,fsync,fdatasync,rename,unlink,unlinkat,rmdir,mkdir,ftruncate,truncate';

/** One call that returned without an error, or was under way when the log ends (`endedAt` is Infinity). */
export interface SystemCall {
  name: string;
  /** Every string among the arguments, decoded: paths and what was written, in their order. */
  strings: Buffer[];
  /** What the first descriptor among the arguments is: a path, or `TCP:[from->to]`. */
  on: string;
  /** All that stands between the brackets, and after the last string of it the numbers. */
  text: string;
  numbers: number[];
  beganAt: number;
  endedAt: number;
}

/** Reads a log; calls come in the order in which they began, failed ones are left out. */
export function readSystemCalls(log: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const underWay = new Map<string, SystemCall>();
  const failed = new Set<SystemCall>();
  for (const [at, line] of log.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>.*\) += (-?\d+)/.exec(rest);
    if (resumed) {
      const call = underWay.get(thread);
      underWay.delete(thread);
      if (call) call.endedAt = at;
      if (call && Number(resumed[1]) < 0) failed.add(call);
      continue;
    }
    const [, name, text] = /^(\w+)\((.*)$/.exec(rest) ?? [];
    if (name === undefined || text === undefined) continue;
    const unfinished = text.endsWith('<unfinished ...>');
    const result = /\) += (-?\d+)[^=]*$/.exec(text);
    if (!unfinished && (!result || Number(result[1]) < 0)) continue;
    const given = unfinished ? text.slice(0, -'<unfinished ...>'.length) : text.slice(0, result?.index);
    const call: SystemCall = {
      name,
      strings: [...given.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) => fromHexText(hex)),
      on: descriptor(/^\d+<(\w+:\[[^\]]*\]|[^>]*)>/.exec(given)?.[1] ?? ''),
      text: given,
      numbers: [...given.slice(given.lastIndexOf('"') + 1).matchAll(/(?<=[, ])\d+(?=\s*(?:,|$))/g)].map(
        Number,
      ),
      beganAt: at,
      endedAt: unfinished ? Number.POSITIVE_INFINITY : at,
    };
    calls.push(call);
    if (unfinished) underWay.set(thread, call);
  }
  return calls.filter((call) => !failed.has(call));
}

const fromHexText = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex');

const descriptor = (text: string): string =>
  text.startsWith('\\x') ? fromHexText(text).toString('utf8') : text;
