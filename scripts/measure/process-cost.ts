import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc, on every Linux that runs Node. */
const ticksPerSecond = 100;

interface Entry {
  parent: number;
  cpuTicks: number;
}

/** Processor seconds that a process and all its descendants used so far, children that have ended included. Linux only. */
export function familyCpuSeconds(pid: number): number {
  return family(pid).reduce((sum, { cpuTicks }) => sum + cpuTicks, 0) / ticksPerSecond;
}

function family(pid: number): Entry[] {
  const all = new Map<number, Entry>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const entry = entryOf(Number(name));
    if (entry) all.set(Number(name), entry);
  }
  const belongs = (one: number): boolean => {
    for (let at = one; at > 1; at = all.get(at)?.parent ?? 0) if (at === pid) return true;
    return false;
  };
  return [...all].filter(([one]) => belongs(one)).map(([, entry]) => entry);
}

/** Undefined for a process that has ended meanwhile. */
function entryOf(pid: number): Entry | undefined {
  try {
    // The name, in brackets, may have blanks in it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    const [parent = '0'] = fields.slice(1);
    const cpuTicks = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
    return { parent: Number(parent), cpuTicks };
  } catch {
    return undefined;
  }
}
