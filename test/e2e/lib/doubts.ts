import type { Box } from './box.ts';

/** Everything but "up" that one of these boxes said of a friend since `since` (ISO 8601). */
export async function doubts(boxes: readonly Box[], since: string): Promise<string[]> {
  const found: string[] = [];
  for (const box of boxes) {
    const { events } = await box.status();
    const bad = events.filter(({ at, kind }) => at > since && /^friend\.(suspect|down|partial)/.test(kind));
    found.push(...bad.map(({ text }) => `${box.name}: ${text}`));
  }
  return found;
}
