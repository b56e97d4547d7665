import { readFileSync, writeFileSync } from 'node:fs';

/** The clock of /proc/PID/stat on Linux. */
const ticksPerSecond = 100;

/** Resident memory of a process, in MiB; 0 where it is gone. Linux only. */
export function rssMiB(pid: number): number {
  return fieldMiB(pid, 'VmRSS');
}

/** The most that it had since `resetPeak`. */
export function peakMiB(pid: number): number {
  return fieldMiB(pid, 'VmHWM');
}

/** Needs to be root, or who runs it (proc(5), clear_refs). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function fieldMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}

/** Seconds of processor time that a process used so far, in user and system mode, all threads together. Linux only. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
