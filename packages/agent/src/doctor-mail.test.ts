import type { ReceiptFact } from '@copain/mail';
import { expect, it } from 'vitest';
import { type MailProof, mailChecks, type ReceiptRow } from './doctor-mail.ts';
import { type ProbeStatusRow, probeFacts } from './doctor-mail-probe.ts';

const nowMs = Date.UTC(2026, 0, 2);
const fact: ReceiptFact = {
  accepted: 12,
  first: 1,
  through: 12,
  waiting: 0,
  waitingSinceMs: undefined,
  missing: [],
  gaps: [],
  unfitAt: undefined,
};
const row = (change: Partial<ReceiptFact> = {}): ReceiptRow => ({
  name: 'bob (attic)',
  friend: 'bob',
  accepted: 12,
  fact: { ...fact, ...change },
  failed: undefined,
  former: false,
});
const nothing: MailProof = { nowMs, domains: [], receipts: [], probes: [], probeFailures: 2, otherBoxes: [] };
const said = (receipts: readonly ReceiptRow[], otherBoxes: readonly string[] = []) =>
  mailChecks({ ...nothing, domains: ['alice.example'], receipts, otherBoxes });

it('all that a friend accepted and that came is well; what he holds now waits', () => {
  expect(said([row()])).toEqual([
    {
      id: 'mail.receipts.bob (attic)',
      ok: true,
      text: 'bob (attic) accepted 12 messages for you: 12 arrived, none is missing.',
      hint: null,
    },
  ]);
  const [waits] = said([row({ waiting: 1, waitingSinceMs: nowMs - 120_000 })]);
  expect(waits).toMatchObject({ ok: true, text: expect.stringContaining('11 arrived, 1 waits at a friend') });
  const [late] = said([row({ waiting: 2, waitingSinceMs: nowMs - 2 * 3_600_000 })]);
  expect(late).toMatchObject({ ok: false, hint: 'peer mail flush' });
});

it('what never arrived is told by its numbers, with the command that shows and mends it', () => {
  const [missing] = said([row({ missing: [4, 9] })]);
  expect(missing).toMatchObject({ ok: false, hint: 'peer mail receipts bob' });
  expect(missing?.text).toBe(
    'bob (attic) accepted 2 messages for you that never arrived here, and no friend holds: numbers 4, 9.',
  );
  const many = Array.from({ length: 30 }, (_, i) => i + 1);
  expect(said([row({ missing: many })])[0]?.text).toContain('6, 7, 8 and 22 more');
  expect(said([row({ missing: [4] })], ['alice (attic)'])[0]?.text).toContain(
    'if they went to alice (attic)',
  );
});

it('what a former friend had accepted and that did not come is told, with how it can still come', () => {
  const former = (change: Partial<ReceiptFact>) => said([{ ...row(change), former: true }]);
  expect(former({})).toEqual([]);
  const [left] = former({ missing: [4], gaps: [{ from: 6, to: 7 }] });
  expect(left).toMatchObject({ ok: false, hint: 'peer mail receipts bob' });
  expect(left?.text).toContain(
    'accepted 3 messages for you of which it is not known here that they came: numbers 4, 6 to 7.',
  );
  expect(left?.text).toContain('peer mail import DIR');
});

it('gaps and a list that does not fit the signature are each a finding', () => {
  const checks = said([
    row({
      gaps: [
        { from: 3, to: 3 },
        { from: 5, to: 7 },
      ],
      unfitAt: 12,
    }),
  ]);
  expect(checks.map(({ ok }) => ok)).toEqual([false, false]);
  expect(checks[0]?.text).toContain('as numbers 3, 5 to 7, so');
  expect(checks[1]?.text).toContain('does not fit what he signed, at number 12');
});

it('what could not be asked is open, neither well nor wrong', () => {
  const unasked = { ...row(), fact: undefined, failed: 'not a question of this protocol' };
  expect(said([unasked])[0]).toMatchObject({
    ok: null,
    text: expect.stringContaining('could not be asked which yet (not a question of this protocol)'),
  });
  expect(said([row({ through: 10 })])[0]).toMatchObject({
    ok: null,
    text: expect.stringContaining('2 are not asked for yet'),
  });
  expect(said([row({ first: 5 })])[0]?.text).toContain('accepted before, up to number 4, was not counted');
  expect(said([])[0]).toMatchObject({ ok: null });
  expect(mailChecks({ ...nothing, receipts: [row()] })[0]?.hint).toContain('peer mail add');
});

const accepted: NonNullable<ProbeStatusRow['probe']> = {
  kind: 'accepted',
  text: '250 2.1.5 Ok',
  address: '192.0.2.2:25',
  atMs: nowMs - 120_000,
  failures: 0,
};
const probed = (change: Partial<ProbeStatusRow> = {}): ProbeStatusRow => ({
  domain: 'alice.example',
  name: 'bob',
  friend: 'bob',
  probe: accepted,
  canary: undefined,
  okAtMs: nowMs - 120_000,
  ...change,
});
const failing = (kind: 'refused' | 'silent', failures: number) =>
  probed({ probe: { ...accepted, kind, failures, text: 'why' } });
const backups = (probes: readonly ProbeStatusRow[], probeFailures = 2) =>
  mailChecks({ ...nothing, domains: ['alice.example'], probes, probeFailures }).filter(({ id }) =>
    id.startsWith('mail.backup'),
  );

it('a backup that takes mail is well; one that does not is told after the second time, or at once to who asks', () => {
  expect(backups([probed()])).toMatchObject([
    { ok: true, text: 'bob as a backup of alice.example takes mail at 192.0.2.2:25, asked 2 min ago.' },
  ]);
  expect(backups([failing('refused', 1)])[0]?.ok).toBeNull();
  expect(backups([failing('refused', 1)], 1)[0]?.ok).toBe(false);
  expect(backups([failing('refused', 2)])[0]).toMatchObject({ ok: false, hint: 'peer friends show bob' });
  expect(backups([failing('silent', 2)])[0]?.ok).toBe(false);
  expect(backups([probed({ probe: undefined })])[0]?.ok).toBeNull();
});

it('a backup that passes it on is well, though the own server takes no mail for postmaster', () => {
  const [passes, own] = backups([probed({ probe: { ...accepted, kind: 'passed', text: '550 5.1.1 no' } })]);
  expect(passes).toMatchObject({ ok: true, text: expect.stringContaining('passes mail on at 192.0.2.2:25') });
  expect(own).toMatchObject({ ok: null, text: expect.stringContaining('postmaster@alice.example') });
  expect(probeFacts(probed({ probe: { ...accepted, kind: 'passed' } })).ok).toBe(true);
});

it('where no backup ever answered, it may be this line: nobody is blamed', () => {
  const never = { ...failing('silent', 9), okAtMs: undefined };
  expect(backups([never, never]).map(({ ok }) => ok)).toEqual([null, null]);
  expect(backups([never])[0]?.text).toContain('your provider blocks connections to port 25');
  expect(backups([never, probed()])[0]?.ok).toBe(false);
});

it('a canary that came back is well, one that did not is told', () => {
  const canary = (one: ProbeStatusRow['canary']) => backups([probed({ canary: one })])[1];
  expect(canary({ kind: 'arrived', atMs: nowMs, tookMs: 1200 })).toMatchObject({ ok: true });
  expect(canary({ kind: 'sent', token: 'x', atMs: nowMs })?.ok).toBeNull();
  expect(canary({ kind: 'failed', atMs: nowMs, text: 'why' })).toMatchObject({
    ok: false,
    text: 'The canary through bob for alice.example did not come back: why.',
  });
});

it('the status document has the same', () => {
  expect(probeFacts(probed())).toMatchObject({ friend: 'bob', ok: true, address: '192.0.2.2:25' });
  expect(probeFacts(failing('refused', 1)).ok).toBeUndefined();
  expect(probeFacts(failing('refused', 2)).ok).toBe(false);
  expect(probeFacts(probed({ canary: { kind: 'arrived', atMs: 1, tookMs: 9 } })).canary).toEqual({
    state: 'arrived',
    atMs: 1,
    tookMs: 9,
  });
});
