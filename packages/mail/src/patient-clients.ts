import { patientClientsMax, patientForMs } from './limits.ts';

/**
 * Addresses whose client once kept silent until it was greeted. Programs that only send spam often do not wait, so a client
 * that nobody knows is made to; one that has shown that it does is greeted at once for a day, as Postfix's postscreen does
 * it. Else a server with much mail for us would lose a tenth of a second with each message.
 */
export interface PatientClients {
  /** `nowMs`: since 1970. */
  has(ip: string, nowMs: number): boolean;
  /** It waited just now. */
  add(ip: string, nowMs: number): void;
}

export function patientClients(): PatientClients {
  /** When each one waited, the oldest first. */
  const waitedAtMs = new Map<string, number>();
  return {
    has: (ip, nowMs) => {
      const agoMs = nowMs - (waitedAtMs.get(ip) ?? Number.NEGATIVE_INFINITY);
      return agoMs >= 0 && agoMs < patientForMs;
    },
    add: (ip, nowMs) => {
      waitedAtMs.delete(ip);
      waitedAtMs.set(ip, nowMs);
      const [oldest] = waitedAtMs.keys();
      if (waitedAtMs.size > patientClientsMax && oldest !== undefined) waitedAtMs.delete(oldest);
    },
  };
}
