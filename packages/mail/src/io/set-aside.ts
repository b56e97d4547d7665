import type { Clock, Segments } from '@copain/core';
import type { HeldStore } from './held-store.ts';
import type { Inbox } from './inbox.ts';

/** `readable`: nothing is wrong with it (any more). `unreadable`: not even its bytes can be had now, so it stays. */
export type SetAside = 'set aside' | 'readable' | 'unreadable';

/**
 * Takes a record that fails its checksum out of the mail that is handed over or delivered: its bytes go to `keep` first, which
 * resolves once they are durable. A record that can be read stays where it is. Rejects where the disk refuses, or `keep` does;
 * then nothing has changed.
 */
export async function setAsideRecord(
  { store, id }: { store: 'held' | 'queued'; id: string },
  {
    held,
    inbox,
    stores,
    clock,
    keep,
  }: {
    held: HeldStore;
    inbox: Inbox;
    stores: { held: Segments; queued: Segments };
    clock: Clock;
    keep: (bytes: Uint8Array) => Promise<void>;
  },
): Promise<SetAside> {
  const segments = stores[store];
  const isDamaged = await segments.read(id).then(
    () => false,
    () => true,
  );
  if (!isDamaged) return 'readable';
  const bytes = await segments.readPart(id, 0, Number.MAX_SAFE_INTEGER).catch(() => undefined);
  if (bytes === undefined) return 'unreadable';
  await keep(bytes);
  if (store === 'queued') await inbox.setAside(id);
  else if (held.messages.has(id)) await held.step(id, { kind: 'setAside' }, clock.nowMs());
  else await segments.remove(id);
  return 'set aside';
}
