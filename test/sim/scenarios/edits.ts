import type { Random } from '@copain/core';
import type { Circle } from '../circle.ts';

const dayMs = 86_400_000;

/** Owners save their zone files: mostly with a higher serial, sometimes with the same, a lower one, or a mistake. */
export function edits(
  run: Circle,
  { random, untilMs, perDay }: { random: Random; untilMs: number; perDay: number },
): void {
  for (const box of run.boxes) {
    const { owns } = box.person;
    if (owns === undefined) continue;
    let serial = 1 + Math.floor(random.fraction() * 1e6);
    let count = 0;
    const save = (atMs: number): void => {
      const roll = random.fraction();
      const written = roll < 0.7 ? serial + 1 : roll < 0.85 ? serial : Math.max(1, serial - 50);
      if (roll < 0.7) serial += 1;
      count += 1;
      const text =
        `$TTL 300\n@ SOA ns1 hostmaster ${written} 3600 600 3600000 300\n@ NS ns1\n@ MX 10 mail\n` +
        `ns1 A 192.0.2.1\nmail A 192.0.2.${count % 250}\nwww A 192.0.2.${(7 * count) % 250}\n` +
        `note TXT "${count}"\n${random.fraction() < 0.1 && count > 1 ? 'www A 192.0.2.999\n' : ''}`;
      run.agenda.at(atMs, () => box.zones.edit(text));
    };
    save(1000 + 1000 * random.fraction());
    for (let atMs = 0; ; ) {
      atMs += (-Math.log(1 - random.fraction()) * dayMs) / perDay;
      if (atMs >= untilMs) break;
      save(atMs);
    }
  }
}
