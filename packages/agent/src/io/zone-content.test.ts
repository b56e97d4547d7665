import { deflateRawSync } from 'node:zlib';
import type { FrameStream } from '@copain/core';
import { frameStreamPair } from '@copain/core/testing';
import { diffBodies, encodeZone, encodeZoneDelta, loadZone, nameOf, type ZoneVersion } from '@copain/dns';
import { sha256 } from '@copain/dns/io';
import { memoryFiles } from '@copain/store';
import { decodeCanonical, encodeCanonical } from '@copain/trust';
import { expect, it } from 'vitest';
import {
  AlteredContent,
  fetchContent,
  serveContent,
  storeContent,
  UselessDelta,
  type ZoneContent,
} from './zone-content.ts';

const origin = nameOf('alice.example');
const owner = 'ab'.repeat(32);

function version(serial: number, host: number): ZoneContent & { header: ZoneVersion } {
  const many = Array.from({ length: 2000 }, (_, index) => `h${index} A 10.0.${index >> 8}.${index & 255}`);
  const head = `$TTL 300\n@ SOA ns host ${serial} 3600 600 3600000 300\n@ NS ns\nns A 192.0.2.1\n`;
  const text = `${head}www A 192.0.2.${host}\n${many.join('\n')}\n`;
  const { zone } = loadZone({ text, file: 'z', origin });
  if (zone === undefined) throw new Error('no zone');
  const body = encodeZone(zone);
  const header = {
    owner,
    origin,
    serial,
    epoch: 0,
    sequence: serial,
    contentHash: new Uint8Array(sha256(body)),
    previousHash: new Uint8Array(32),
    sizeBytes: body.length,
    expiresAfterMs: 1000,
    atMs: 0,
  };
  return { zone, body, header };
}

const [before, after] = [version(1, 1), version(2, 2)];
const delta = encodeZoneDelta(diffBodies(before.body, after.body));

/** What the asker got, and the frames that the holder sent. */
async function ask(holder: (stream: FrameStream) => Promise<void>, base?: ZoneContent) {
  const [here, there] = frameStreamPair();
  const frames: Uint8Array[] = [];
  const sent = holder({
    ...there,
    send: async (frame) => {
      frames.push(frame);
      await there.send(frame);
    },
  });
  sent.catch(() => undefined);
  const content = await fetchContent(after.header, here, base && { ...base, hash: sha256(base.body) });
  await sent.catch(() => undefined);
  return { content, frames };
}

const files = memoryFiles();
const serving =
  (deltaFor?: Parameters<typeof serveContent>[3]) =>
  async (stream: FrameStream): Promise<void> => {
    await storeContent(files, after.header, after.body);
    await serveContent(files, stream, () => true, deltaFor);
  };
/** A holder who says whatever he likes. */
const saying =
  (first: Parameters<typeof encodeCanonical>[0], ...rest: Uint8Array[]) =>
  async (stream: FrameStream): Promise<void> => {
    await stream.receive();
    await stream.send(encodeCanonical(first));
    for (const frame of rest) await stream.send(frame);
    await stream.end();
  };

it('who has the version before is sent what changed, in a few hundred octets', async () => {
  const asked: unknown[] = [];
  const { content, frames } = await ask(
    serving((step) => {
      asked.push(step);
      return delta;
    }),
    before,
  );
  expect(asked).toEqual([
    { owner, origin: 'alice.example', from: before.header.contentHash, to: after.header.contentHash },
  ]);
  expect(content.body).toEqual(after.body);
  expect(content.zone.serial).toBe(2);
  expect(content.delta).toEqual(diffBodies(before.body, after.body));
  expect(frames.reduce((sum, frame) => sum + frame.length, 0)).toBeLessThan(400);
});

it('boxes of before deltas were there understand one another as ever, in both directions', async () => {
  // A holder who does not know `have` sends all; one who is not told `have` says nothing of deltas.
  const old = await ask(serving(), before);
  expect(old.content).toMatchObject({ body: after.body, delta: undefined });
  const { content, frames } = await ask(serving(() => delta));
  expect(content).toMatchObject({ body: after.body, delta: undefined });
  expect(decodeCanonical(frames[0] ?? new Uint8Array(), 256)).toEqual({
    sizeBytes: deflateRawSync(after.body).length,
  });
});

it('a delta that leads nowhere is known as one: whatever it is, the whole content may be asked for', async () => {
  const send = (bytes: Uint8Array) => ask(saying({ delta: true, sizeBytes: bytes.length }, bytes), before);
  const bomb = deflateRawSync(new Uint8Array(50_000_000));
  expect(bomb.length).toBeLessThan(60_000);
  const third = version(3, 3);
  const wrong = encodeZoneDelta(diffBodies(third.body, version(4, 4).body)) ?? new Uint8Array();
  const other = encodeZoneDelta(diffBodies(before.body, third.body)) ?? new Uint8Array();
  for (const bytes of [bomb, Uint8Array.of(1, 2, 3), deflateRawSync(wrong), deflateRawSync(other)])
    await expect(send(bytes)).rejects.toThrow(UselessDelta);
});

it('a delta that nobody asked for, or that says to be larger than any is, is not read', async () => {
  const frame = deflateRawSync(delta ?? new Uint8Array());
  await expect(ask(saying({ delta: true, sizeBytes: frame.length }, frame))).rejects.toThrow(AlteredContent);
  await expect(ask(saying({ delta: true, sizeBytes: 10_000_000 }), before)).rejects.toThrow(
    'he does not have it',
  );
});
