import { readFileSync } from 'node:fs';

/** Resident memory of a process, in MiB; 0 where it is gone. Linux only. */
export function rssMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
