import type { Clock, Table } from '@copain/core';
import {
  decodeServiceMemory,
  encodeServiceMemory,
  forgettable,
  type ServiceMemory,
  type ServiceNow,
  servicesNow,
  type ZoneOverlay,
  zoneOverlayKey,
  zoneOverlays,
} from '../known-services.ts';
import type { RecordStore } from './record-store.ts';

/** What friends stand in for: the same on every box that knows the same records. */
export interface Takeovers {
  services(): readonly ServiceNow[];
  overlay: (ownerId: string, origin: string) => ZoneOverlay | undefined;
  /** Looks again at what is known; called when a record came, and every second. */
  renew(): void;
  /** Resolves when what is known by now is answered. */
  settled(): Promise<void>;
}

const servicePrefix = 'takeover/';
const stepsPrefix = 'takeover-steps/';

/**
 * Opens what this box remembers of takeovers. From then on each transition is on disk before it is answered, so that a served
 * serial never falls, and what was agreed stays though records are lost.
 */
export async function openTakeovers(options: {
  table: Table;
  clock: Clock;
  records: Pick<RecordStore, 'knowledge'>;
  /** What is to be answered is another from now on. */
  changed(): void;
  /** A service is answered from elsewhere, for all that this box knew. */
  moved(service: ServiceNow): void;
  failed: (error: unknown) => void;
}): Promise<Takeovers> {
  const { table, clock, records } = options;
  const memories = new Map<string, ServiceMemory>();
  for await (const [key, value] of table.entries(servicePrefix)) {
    const memory = decodeServiceMemory(value);
    if (memory !== undefined) memories.set(key.slice(servicePrefix.length), memory);
  }
  const steps = new Map<string, number>();
  for await (const [key, value] of table.entries(stepsPrefix)) {
    const [count] = new Float64Array(value.slice().buffer);
    if (value.length === 8 && count !== undefined && Number.isSafeInteger(count))
      steps.set(key.slice(stepsPrefix.length), count);
  }
  let services: readonly ServiceNow[] = [];
  let overlays: ReadonlyMap<string, ZoneOverlay> = new Map();
  let isOpen = false;

  const look = () => {
    const now = servicesNow(records.knowledge(), memories, clock.nowMs());
    const found = zoneOverlays(records.knowledge(), now);
    const named = new Set(found.keys());
    for (const [key, floor] of steps) {
      const overlay = found.get(key);
      if (overlay === undefined) found.set(key, { steps: floor, names: [] });
      else overlay.steps = Math.max(overlay.steps, floor);
    }
    // One way of answering is one object, by which others know that nothing changed.
    for (const [key, overlay] of found) {
      const known = overlays.get(key);
      if (known !== undefined && isSameOverlay(known, overlay)) found.set(key, known);
    }
    return { now, found, named };
  };

  /** Durable before it is answered. What cannot be written now is tried again with the next second. */
  const apply = async (): Promise<void> => {
    const { now, found, named } = look();
    const changedMemories = now.filter(({ key, memory }) => memories.get(key) !== memory);
    const changedSteps = [...found].filter(([key, overlay]) => (steps.get(key) ?? 0) < overlay.steps);
    const running = new Set(now.map(({ key }) => key));
    const byAge = [...memories].toSorted(([, a], [, b]) => a.sinceMs - b.sinceMs);
    const endedMemories = forgettable(
      byAge.map(([key]) => key),
      running,
    );
    const endedSteps = forgettable(steps.keys(), named);
    const rows = [
      ...changedMemories.map(({ key, memory }) => ({
        key: servicePrefix + key,
        value: encodeServiceMemory(memory),
      })),
      ...changedSteps.map(([key, overlay]) => ({
        key: stepsPrefix + key,
        value: new Uint8Array(Float64Array.of(overlay.steps).buffer),
      })),
      ...endedMemories.map((key) => ({ key: servicePrefix + key, value: undefined })),
      ...endedSteps.map((key) => ({ key: stepsPrefix + key, value: undefined })),
    ];
    if (rows.length > 0) await table.write(rows);
    for (const { key, memory } of changedMemories) memories.set(key, memory);
    for (const [key, overlay] of changedSteps) steps.set(key, overlay.steps);
    for (const key of endedMemories) memories.delete(key);
    for (const key of endedSteps) {
      steps.delete(key);
      found.delete(key);
    }
    const before = new Map(services.map((one) => [one.key, one]));
    const isAnother =
      found.size !== overlays.size || [...found].some(([key, overlay]) => overlays.get(key) !== overlay);
    services = now;
    overlays = found;
    // What is answered from the start is no news.
    if (!isOpen) return;
    if (isAnother) options.changed();
    for (const one of now) {
      const was = before.get(one.key)?.standing.onStandby ?? false;
      if (was !== one.standing.onStandby) options.moved(one);
    }
  };

  let working: Promise<void> | undefined;
  let again = false;
  const renew = async (): Promise<void> => {
    again = true;
    working ??= (async () => {
      while (again) {
        again = false;
        await apply();
      }
    })().finally(() => {
      working = undefined;
    });
    await working;
  };

  await apply();
  isOpen = true;
  return {
    services: () => services,
    overlay: (ownerId, origin) => overlays.get(zoneOverlayKey(ownerId, origin)),
    renew: () => void renew().catch(options.failed),
    settled: renew,
  };
}

function isSameOverlay(a: ZoneOverlay, b: ZoneOverlay): boolean {
  return (
    a.steps === b.steps &&
    a.names.length === b.names.length &&
    a.names.every((name, at) => {
      const other = b.names[at];
      return other?.record === name.record && other.ttlS === name.ttlS && other.sets === name.sets;
    })
  );
}
