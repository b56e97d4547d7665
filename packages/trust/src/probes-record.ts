import { encodeCanonical } from './canonical.ts';
import { maxProbedServices, maxRecordBytes } from './limits.ts';
import { idBytes, maxAtMs, maxSequence, readList, readOwnerId, readRecord } from './record-fields.ts';

/**
 * One service as the signer's box sees it. `target` says what was tried (a host and port, a URL), and is empty where the
 * signer speaks of a service of his own owner, as it looks from inside.
 */
export interface ServiceStatement {
  owner: string;
  /** `smtp`, `backup-mx`, `dns`, or the name that its owner gave it: a-z, 0-9 and -. */
  service: string;
  /** At most 300 printable ASCII characters. */
  target: string;
  state: 'up' | 'down';
  /** Since when, by the signer's clock. */
  sinceMs: number;
  /** Of one that is down: what went wrong, at most 160 characters; else empty. */
  why: string;
}

/** All services of others, and of his own owner from inside, of which the signer can say something. */
export interface ProbesRecord {
  sequence: number;
  services: ServiceStatement[];
}

const listed = ({ owner, service, target, state, sinceMs, why }: ServiceStatement) => ({
  owner: idBytes(owner),
  name: service,
  target,
  down: state === 'down',
  since: sinceMs,
  why: why === '' ? undefined : why,
});

/** As many of these, from the first, as one record has room for; those that are down come first. */
export function statementsThatFit(services: readonly ServiceStatement[]): ServiceStatement[] {
  const isUp = ({ state }: ServiceStatement): number => (state === 'up' ? 1 : 0);
  let room = maxRecordBytes.probes - 256;
  const fit: ServiceStatement[] = [];
  for (const one of services.toSorted((a, b) => isUp(a) - isUp(b))) {
    room -= encodeCanonical(listed(one)).length;
    if (room < 0 || fit.length === maxProbedServices) break;
    fit.push(one);
  }
  return fit;
}

/** The payload. More than `statementsThatFit` gives makes one that nobody takes. */
export function encodeProbesRecord({ sequence, services }: ProbesRecord): Uint8Array {
  return encodeCanonical({ v: 1, type: 'probes', sequence, services: services.map(listed) });
}

export function decodeProbesRecord(payload: Uint8Array): ProbesRecord | undefined {
  return readRecord(payload, 'probes', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    services: readList(fields, 'services', maxProbedServices, (item) => {
      const service = item.text('name', 32);
      const target = item.text('target', 300);
      const why = item.has('why') ? item.text('why', 160) : '';
      if (!/^[a-z0-9-]+$/.test(service) || !/^[ -~]*$/.test(target)) item.refuse();
      return {
        owner: readOwnerId(item, 'owner'),
        service,
        target,
        state: item.flag('down') ? ('down' as const) : ('up' as const),
        sinceMs: item.integer('since', 0, maxAtMs),
        why,
      };
    }),
  }));
}
