const bitsPerUnit: Record<string, number> = { bit: 1, kbit: 1e3, Mbit: 1e6, Gbit: 1e9 };

/** Bytes per second of `128kbit`, `1.5Mbit`, `2Gbit/s` (decimal units), or undefined where the text is none or zero. */
export function parseRate(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(bit|kbit|Mbit|Gbit)(?:\/s)?$/.exec(text);
  if (!match) return undefined;
  const bytesPerSecond = Math.floor((Number(match[1]) * (bitsPerUnit[match[2] ?? ''] ?? 0)) / 8);
  return bytesPerSecond > 0 ? bytesPerSecond : undefined;
}

/** `16 kbit/s`, `1.5 Mbit/s`: how people name the speed of a line. */
export function formatRate(bytesPerSecond: number): string {
  let value = bytesPerSecond * 8;
  let unit = 'bit/s';
  for (const next of ['kbit/s', 'Mbit/s', 'Gbit/s']) {
    if (value < 1000) break;
    value /= 1000;
    unit = next;
  }
  return `${Math.round(value * 10) / 10} ${unit}`;
}
