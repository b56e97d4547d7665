import fc from 'fast-check';
import { expect, it } from 'vitest';
import { refusedForMs } from './limits.ts';
import { readRecipientFile, recipientForm } from './recipient-form.ts';
import { judgeRecipient, learntFrom, type RecipientView } from './recipient-policy.ts';
import { reply } from './smtp-reply.ts';

it('a recipient is looked up in lower case, without tag and quotes', () => {
  for (const [local, form] of [
    ['Anna', 'anna'],
    ['anna+shop+x', 'anna'],
    ['+odd', '+odd'],
    ['"odd one"', 'odd one'],
    ['ÅSE', 'åse'],
  ] as const)
    expect(recipientForm(local)).toBe(form);
  fc.assert(
    fc.property(
      fc.string(),
      (local) => recipientForm(recipientForm(local)) === recipientForm(local) || local.includes('"'),
    ),
  );
});

it('a file of recipients has one address a line, remarks, other domains, and all of a domain', () => {
  const text = '# ours\nAnna@alice.test\r\nben # the son\n\nx@other.test\na b@alice.test\n@alice.test\n';
  expect(readRecipientFile(text, 'alice.test', 10)).toEqual({
    known: new Set(['anna', 'ben']),
    any: false,
    badLines: [6, 7],
    tooMany: false,
  });
  expect(readRecipientFile('*@alice.test', 'alice.test', 10)).toMatchObject({ any: true });
  expect(readRecipientFile('a\nb\nc', 'alice.test', 2)).toMatchObject({
    known: new Set(['a', 'b']),
    tooMany: true,
  });
});

const view = (change: Partial<RecipientView> = {}): RecipientView => ({
  any: false,
  unknown: 'defer',
  isKnown: (name) => name === 'anna',
  refusedAtMs: (name) => (name === 'nobody' ? 1000 : undefined),
  ...change,
});
const judge = (form: string, change?: Partial<RecipientView>, nowMs = 2000) =>
  judgeRecipient(view(change), { form, name: form, nowMs });

it('known ones, postmaster and abuse are accepted whatever is chosen; others as chosen; refused ones come again', () => {
  for (const form of ['anna', 'postmaster', 'abuse']) expect(judge(form)).toBe('accept');
  expect(judge('other')).toBe('defer');
  expect(judge('other', { unknown: 'accept' })).toBe('accept');
  expect(judge('other', { any: true })).toBe('accept');
  expect(judge('nobody', { any: true, unknown: 'accept' })).toBe('defer');
  expect(judge('nobody', { any: true }, 1000 + refusedForMs)).toBe('accept');
});

it('only a refusal that speaks of the mailbox teaches that there is none', () => {
  expect(learntFrom(reply(250, '2.1.5 Ok'))).toBe('known');
  expect(learntFrom(reply(550, '5.1.1 no such user'))).toBe('refused');
  for (const other of [
    reply(550, '5.7.1 your address is on a list'),
    reply(550, 'no'),
    reply(450, '4.1.1 later'),
    reply(554, '5.1.15 x'),
  ])
    expect(learntFrom(other)).toBeUndefined();
});
