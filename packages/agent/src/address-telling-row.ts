import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import type { TellingState, ToldTarget } from './address-telling.ts';
import { tellingLimits } from './telling-limits.ts';

/** Who was told what, as a row of the agent's table. */
export function encodeTellingRow({ targets }: TellingState): Uint8Array {
  return encodeCanonical({
    told: [...targets].flatMap(([target, { told }]) =>
      told === undefined ? [] : [{ target, ipv4: told.ipv4, ipv6: told.ipv6, at: Math.round(told.atMs) }],
    ),
  });
}

/** Undefined where the row is damaged: then everybody is told once more, which changes nothing. */
export function decodeTellingRow(bytes: Uint8Array): ReadonlyMap<string, ToldTarget> | undefined {
  const row = readFields(decodeCanonical(bytes, tellingLimits.rowBytes));
  const targets = row.list('told', tellingLimits.updates + 1).map((item): [string, ToldTarget] => {
    const fields = readFields(item);
    const address = (name: 'ipv4' | 'ipv6'): string | undefined =>
      fields.has(name) ? fields.text(name, 45) : undefined;
    const told = {
      ipv4: address('ipv4'),
      ipv6: address('ipv6'),
      atMs: fields.integer('at', 0, 8_640_000_000_000_000),
    };
    const target = fields.text('target', 64);
    if (!fields.ok) row.refuse();
    return [target, { told, telling: undefined, failing: undefined, nextAtMs: 0 }];
  });
  return row.ok ? new Map(targets) : undefined;
}
