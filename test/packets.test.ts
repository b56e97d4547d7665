import { decodeMessage, encodeMessage, Flag, nameOf, nameToText, RecordType } from '@copain/dns';
import { expect, it } from 'vitest';
import { PacketMutator } from '../scripts/measure/mutate-packet.ts';
import {
  oddAnswerer,
  oddTransfers,
  packetSeeds,
  transferHosts,
  transferSeeds,
  transferSeedsMs,
} from '../scripts/measure/packet-seeds.ts';

const asker = { transport: 'udp' as const, address: '192.0.2.1', nowMs: 0 };

it('makes of each of 30,000 mutated packets an answer that can be read, or none (scripts/bench packets: a million)', () => {
  const answerer = oddAnswerer();
  const mutator = new PacketMutator(packetSeeds(), 1);
  const seen = { none: 0, answered: 0 };
  for (let i = 0; i < 30_000; i++) {
    const packet = mutator.next();
    const hex = Buffer.from(packet).toString('hex');
    for (const transport of ['udp', 'tcp'] as const) {
      const answer = answerer.answer(packet, { ...asker, transport });
      seen[answer ? 'answered' : 'none']++;
      if (!answer) continue;
      const read = decodeMessage(answer);
      expect(read && read.flags & Flag.response, hex).toBeTruthy();
      expect(read?.id, hex).toBe(((packet[0] ?? 0) << 8) | (packet[1] ?? 0));
      if (transport === 'udp') expect(answer.length, hex).toBeLessThanOrEqual(1232);
    }
    const message = decodeMessage(packet);
    const again = message && encodeMessage(message);
    if (again) expect(decodeMessage(again), hex).toEqual(message);
  }
  expect(seen.none).toBeGreaterThan(1000);
  expect(seen.answered).toBeGreaterThan(10_000);
});

it('makes of each of 20,000 mutated transfer queries messages that can be read, whole zones for those who may alone', () => {
  const transfers = oddTransfers();
  const mutator = new PacketMutator(transferSeeds(), 2);
  const seen = { none: 0, one: 0, transfers: 0 };
  for (let i = 0; i < 20_000; i++) {
    const packet = mutator.next();
    const hex = Buffer.from(packet).toString('hex');
    for (const address of [transferHosts.keyed, transferHosts.plain])
      for (const transport of ['udp', 'tcp'] as const) {
        const answer = transfers.answer(packet, { transport, address, nowMs: transferSeedsMs });
        const messages = answer instanceof Uint8Array ? [answer] : [];
        if (answer && !(answer instanceof Uint8Array)) {
          expect(transport, hex).toBe('tcp');
          for (let next = answer.next(transferSeedsMs); next; next = answer.next(transferSeedsMs))
            messages.push(next);
          answer.close('done');
        }
        seen[!answer ? 'none' : answer instanceof Uint8Array ? 'one' : 'transfers']++;
        for (const message of messages) {
          const read = decodeMessage(message);
          expect(read && read.flags & Flag.response, hex).toBeTruthy();
          expect(read?.id, hex).toBe(((packet[0] ?? 0) << 8) | (packet[1] ?? 0));
          if (transport === 'udp') expect(message.length, hex).toBeLessThanOrEqual(1232);
        }
        // Who has a key gets a transfer with a TSIG on it, or none.
        if (
          messages.length > 0 &&
          answer &&
          !(answer instanceof Uint8Array) &&
          address === transferHosts.keyed
        )
          expect(decodeMessage(messages[0] as Uint8Array)?.additional.at(-1)?.type, hex).toBe(
            RecordType.TSIG,
          );
      }
  }
  expect(seen.none).toBeGreaterThan(100);
  expect(seen.one).toBeGreaterThan(1000);
  expect(seen.transfers).toBeGreaterThan(100);
});

it('answers for names of any octets: dots, slashes, zero, above 127, 63 long', () => {
  const answerer = oddAnswerer();
  for (const label of ['a\\.b', 'slash/\\.\\.', 'nul\\000', 'high\\255\\128', 'x'.repeat(63)]) {
    const name = nameOf(`${label}.odd.example`);
    const question = { name, type: RecordType.TXT, class: 1 };
    const query = encodeMessage({
      id: 1,
      flags: 0,
      questions: [question],
      answers: [],
      authority: [],
      additional: [],
    });
    const answer = decodeMessage(answerer.answer(query ?? new Uint8Array(), asker) ?? new Uint8Array());
    expect(answer?.questions[0]?.name, label).toEqual(name);
    expect(
      answer?.answers.map(({ owner, type }) => [nameToText(owner), type]),
      label,
    ).toEqual([[nameToText(name), RecordType.TXT]]);
  }
});

it('takes a name of 255 octets, and says FORMERR to one of 256, or to a label of 64', () => {
  const answerer = oddAnswerer();
  const ask = (labels: readonly number[]): number => {
    const name = labels.flatMap((length) => [length, ...Array.from({ length }, () => 0x61)]);
    const query = Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, 1, 0, 1]);
    return (answerer.answer(query, asker)?.[3] ?? 15) & 15;
  };
  expect(ask([63, 63, 63, 61])).toBe(5);
  expect(ask([63, 63, 63, 62])).toBe(1);
  expect(ask([64])).toBe(1);
});
