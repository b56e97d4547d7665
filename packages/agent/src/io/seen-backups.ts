import { type MailDoor, probeTargetsMax, type SeenTls } from '@copain/mail';

/** What was seen of a backup when it was asked last. */
export interface SeenBackup {
  door: MailDoor;
  /** The name by which it was asked, undefined where no MX record leads there. */
  serverName: string | undefined;
  tls: SeenTls | undefined;
}

/** What was seen of backups: of as many as are asked at once, those asked last. Friends, boxes and domains come and go. */
export function seenBackups(max: number = probeTargetsMax): {
  note(backup: { domain: string; peer: string }, seen: SeenBackup): void;
  of(domain: string, peer: string): SeenBackup | undefined;
} {
  const all = new Map<string, SeenBackup>();
  const keyOf = (domain: string, peer: string): string => `${domain} ${peer}`;
  return {
    note: ({ domain, peer }, seen) => {
      const key = keyOf(domain, peer);
      all.delete(key);
      all.set(key, seen);
      for (const old of [...all.keys()].slice(0, Math.max(0, all.size - max))) all.delete(old);
    },
    of: (domain, peer) => all.get(keyOf(domain, peer)),
  };
}
