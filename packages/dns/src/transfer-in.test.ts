import { describe, expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import type { ResourceRecord } from './master-file.ts';
import { encodeMessage, Flag, type Message } from './message.ts';
import { nameOf } from './name.ts';
import { askPrimary, type PrimaryQuestion } from './primary-question.ts';
import { RecordType } from './record-types.ts';
import { zoneOf } from './testing.ts';
import { TransferIn, type TransferProgress } from './transfer-in.ts';
import { TransferMessages } from './transfer-stream.ts';
import { TsigSigner } from './tsig.ts';
import { type TsigKey, tsigRecordBytes } from './tsig-record.ts';
import type { Zone } from './zone.ts';
import { changeBetween, soaOf } from './zone-changes.ts';
import { encodeZone } from './zone-encoding.ts';
import { oneChange, wholeZone } from './zone-journal.ts';
import { replayChanges } from './zone-replay.ts';

const origin = nameOf('alice.example');
const nowS = 1_800_000_000;
const context = { crypto: tsigCrypto, nowS };
const key: TsigKey = { name: nameOf('home'), algorithm: 'hmac-sha256', secret: new Uint8Array(32).fill(7) };

const old = zoneOf(1, 'a A 192.0.2.2', 'b A 192.0.2.3');
const middle = zoneOf(2, 'a A 192.0.2.2', 'c A 192.0.2.4');
const next = zoneOf(3, 'a A 192.0.2.9', 'c A 192.0.2.4', 'd TXT "new"');
const since: PrimaryQuestion = { type: 'IXFR', since: soaOf(old) };

interface Form {
  question?: PrimaryQuestion;
  /** Records of each message; without it as many as fit. */
  perMessage?: number;
  sign?: TsigKey | undefined;
  askWith?: TsigKey | undefined;
  /** The last message comes unsigned. */
  endsUnsigned?: boolean;
  limits?: { bytes: number; records: number };
}

/** Asks, has these records sent as the answer, and gives what came of it. */
function transfer(records: readonly ResourceRecord[], form: Form = {}): TransferProgress {
  const { question = { type: 'AXFR' }, perMessage, askWith } = form;
  const sign = 'sign' in form ? form.sign : askWith;
  const asked = askPrimary({ id: 77, origin, question, key: askWith }, context);
  const incoming = new TransferIn(asked, tsigCrypto, form.limits);
  const signer =
    sign && new TsigSigner({ key: sign, crypto: tsigCrypto, queryMac: asked.mac ?? new Uint8Array() });
  const signatureBytes = sign ? tsigRecordBytes(sign) : 0;
  const wire = { name: origin, type: RecordType[question.type], class: 1 };
  let progress: TransferProgress = { kind: 'more' };
  const size = perMessage ?? records.length;
  for (let at = 0; at < records.length; at += size) {
    const isBare = form.endsUnsigned === true && at + size >= records.length;
    const signing = isBare ? { signer: undefined, signatureBytes: 0 } : { signer, signatureBytes };
    const query = { id: 77, question: wire, hasEdns: false, ...signing };
    const messages = new TransferMessages(query, records.slice(at, at + size));
    for (let one = messages.next(nowS * 1000); one; one = messages.next(nowS * 1000)) {
      if (progress.kind !== 'more') throw new Error('messages behind the end');
      progress = incoming.take(one, nowS);
    }
  }
  return progress;
}

const whole = (zone: Zone): ResourceRecord[] => [...wholeZone(zone, soaOf(zone))];
/** Both steps, as a server sends them that does not join them (RFC 1995 §4). */
const bothSteps = (): ResourceRecord[] => {
  const steps = [changeBetween(old, middle), changeBetween(middle, next)];
  const inner = steps.flatMap(({ fromSoa, removed, toSoa, added }) => [fromSoa, ...removed, toSoa, ...added]);
  return [soaOf(next), ...inner, soaOf(next)];
};
const why = (progress: TransferProgress): string => ('why' in progress ? progress.why : progress.kind);

describe('a transfer that comes in', () => {
  it.each([undefined, 1, 2])(
    'is the whole zone, its SOA once, in messages of %s records (RFC 5936 §2.2)',
    (perMessage) => {
      const progress = transfer(whole(next), { ...(perMessage !== undefined && { perMessage }) });
      if (progress.kind !== 'whole') throw new Error(why(progress));
      expect(progress.records).toHaveLength(whole(next).length - 1);
      expect(progress.records[0]?.type).toBe(RecordType.SOA);
    },
  );

  it.each([undefined, 1])(
    'is what changed, in one step or several, and leads to the same zone (RFC 1995 §4)',
    (perMessage) => {
      for (const records of [[...oneChange(changeBetween(old, next))], bothSteps()]) {
        const progress = transfer(records, {
          question: since,
          ...(perMessage !== undefined && { perMessage }),
        });
        if (progress.kind !== 'changes') throw new Error(why(progress));
        const replayed = replayChanges(old, progress.steps);
        if (replayed.kind !== 'zone') throw new Error(replayed.why);
        expect(encodeZone(replayed.zone)).toEqual(encodeZone(next));
      }
    },
  );

  it('is taken as the whole zone where the answer to IXFR is one (RFC 1995 §4)', () => {
    expect(transfer(whole(next), { question: since, perMessage: 1 }).kind).toBe('whole');
  });

  it('is one SOA where nothing is newer (RFC 1995 §2), and waits for more behind a newer one', () => {
    expect(transfer([soaOf(old)], { question: since }).kind).toBe('current');
    expect(transfer([soaOf(next)], { question: since }).kind).toBe('more');
  });

  it('does not end before its end', () => {
    for (const records of [whole(next).slice(0, -1), bothSteps().slice(0, -1)]) {
      expect(transfer(records, { question: since }).kind).toBe('more');
    }
  });

  const outside = {
    owner: nameOf('mail.other.example'),
    type: 1,
    ttl: 60,
    rdata: Uint8Array.of(192, 0, 2, 9),
  };
  const below = { ...soaOf(next), owner: nameOf('sub.alice.example') };
  it.each<[string, ResourceRecord[], RegExp]>([
    ['a record outside the zone', [soaOf(next), outside], /mail\.other\.example.* lies outside/],
    ['an SOA below the top', [soaOf(next), below], /below the top/],
    ['no SOA at its beginning', whole(next).slice(1), /does not begin with the SOA/],
    ['another SOA in the middle', [soaOf(next), ...whole(next).slice(1, 3), soaOf(old)], /more than one SOA/],
    ['records behind its end', [...whole(next), ...whole(next).slice(1, 2)], /behind the end/],
  ])('is refused with %s', (_what, records, text) => {
    expect(why(transfer(records))).toMatch(text);
  });

  it('is refused where its steps do not go on from one another, or from what is here', () => {
    const [first, , ...rest] = bothSteps();
    expect(why(transfer([first as ResourceRecord, soaOf(middle), ...rest], { question: since }))).toMatch(
      /does not begin with the version that is here/,
    );
    const apart = [changeBetween(old, middle), changeBetween(old, next)];
    const inner = apart.flatMap(({ fromSoa, removed, toSoa, added }) => [
      fromSoa,
      ...removed,
      toSoa,
      ...added,
    ]);
    expect(why(transfer([soaOf(next), ...inner, soaOf(next)], { question: since }))).toMatch(
      /does not go on/,
    );
  });

  it('is refused above the limits on octets and records', () => {
    expect(why(transfer(whole(next), { limits: { bytes: 100, records: 99 } }))).toMatch(
      /larger than 100 octets/,
    );
    expect(why(transfer(whole(next), { limits: { bytes: 9999, records: 3 } }))).toMatch(
      /more than 3 records/,
    );
  });

  it('is refused with the rcode in words, with what belongs to another question, and with what no zone has', () => {
    const asked = askPrimary({ id: 77, origin, question: { type: 'AXFR' }, key: undefined }, context);
    const good = { id: 77, flags: Flag.response, questions: [], authority: [], additional: [] };
    const first = { ...soaOf(next), class: 1 };
    const data = { owner: origin, type: 1, ttl: 60, class: 1, rdata: Uint8Array.of(192, 0, 2, 1) };
    const messages: [Message, RegExp][] = [
      [{ ...good, flags: Flag.response | 5, answers: [] }, /REFUSED/],
      [{ ...good, id: 78, answers: [first] }, /does not belong/],
      [{ ...good, flags: 0, answers: [first] }, /does not belong/],
      [{ ...good, answers: [first, { ...data, class: 3 }] }, /another class/],
      [{ ...good, answers: [first, { ...data, type: RecordType.ANY }] }, /a type that no zone has/],
      [{ ...good, answers: [] }, /empty/],
    ];
    for (const [message, text] of messages) {
      const bytes = encodeMessage(message) as Uint8Array;
      expect(why(new TransferIn(asked, tsigCrypto).take(bytes, nowS))).toMatch(text);
    }
  });
});

describe('a signed transfer', () => {
  it('counts where every message fits the one before it (RFC 8945 §5.3.1)', () => {
    expect(transfer(whole(next), { askWith: key }).kind).toBe('whole');
  });

  it('is refused where its last message is not signed, so that nobody adds an end to it (RFC 8945 §5.3.1)', () => {
    const inTwo = { askWith: key, perMessage: Math.ceil(whole(next).length / 2) };
    expect(transfer(whole(next), inTwo).kind).toBe('whole');
    expect(why(transfer(whole(next), { ...inTwo, endsUnsigned: true }))).toMatch(
      /end of the transfer is not signed/,
    );
  });

  it('is refused unsigned, signed with another secret, and signed with another key', () => {
    const other = { ...key, secret: new Uint8Array(32).fill(8) };
    expect(why(transfer(whole(next), { askWith: key, sign: undefined }))).toMatch(/not signed/);
    expect(why(transfer(whole(next), { askWith: key, sign: other }))).toMatch(/secret the same/);
    expect(why(transfer(whole(next), { askWith: key, sign: { ...key, name: nameOf('away') } }))).toMatch(
      /another key/,
    );
  });
});
