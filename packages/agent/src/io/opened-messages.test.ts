import { concatBytes } from '@copain/core';
import { expect, it } from 'vitest';
import { openedMessages } from './opened-messages.ts';

it('two messages can be read at once, in parts; the third closes the oldest, and the last part closes its own', () => {
  const opened = openedMessages();
  const bytes = new Uint8Array(600_000).map((_, i) => i % 251);
  const first = opened.add(bytes);
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const part = opened.part(first, offset) ?? new Uint8Array();
    parts.push(part);
    offset += part.length;
    expect(part.length).toBeGreaterThan(0);
  }
  expect(concatBytes(...parts)).toEqual(bytes);
  expect(opened.part(first, 0)).toBeUndefined();
  const [a, b] = [opened.add(bytes), opened.add(bytes)];
  expect(opened.part(a, 0)).toBeDefined();
  opened.add(bytes);
  expect([opened.part(b, 0), opened.part(a, 0)?.length]).toEqual([undefined, 262_144]);
});
