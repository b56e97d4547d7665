import { readFileSync } from 'node:fs';

/** The clock of /proc/PID/stat on Linux. */
const ticksPerSecond = 100;

/** Resident memory of a process, in MiB; 0 where it is gone. Linux only. */
export function rssMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** Seconds of processor time that a process used so far, in user and system mode, all threads together. Linux only. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
