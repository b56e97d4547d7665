import { visible } from '@copain/core';
import type { Session } from './session.ts';
import { plainDomain } from './zone-commands.ts';

/** What the agent tells of the DNS records of a mail domain. */
interface MailDnsAnswer {
  domain: string;
  askedOf: string;
  records: { name: string; type: string; data: string; note: string; published: boolean | null }[];
  policy: { url: string; text: string; note: string };
  hints: string[];
}

/** `peer mail dns DOMAIN`: the records that fit, as lines of a zone, and which of them are published. */
export async function mailDns(session: Session, name: string): Promise<void> {
  const answer = (await session.ask(
    'mail.dns',
    { domain: plainDomain(name) },
    { silenceMs: 120_000 },
  )) as unknown as MailDnsAnswer;
  const { records, policy, hints } = answer;
  const state = (published: boolean | null): string =>
    published === null ? 'not compared' : published ? 'published' : 'not published so';
  const lines = records.map(
    ({ name: owner, type, data, note, published }) =>
      `${visible(owner, 300)}. ${type} ${visible(data, 300)}  ; ${state(published)}: ${visible(note, 300)}\n`,
  );
  const text = [
    `; compared with ${visible(answer.askedOf, 100)}\n`,
    ...lines,
    `\n; ${visible(policy.url, 300)}: ${visible(policy.note, 300)}\n`,
    policy.text.replaceAll('\r\n', '\n'),
    '\n',
    ...hints.map((hint) => `; ${visible(hint, 400)}\n`),
  ].join('');
  session.answer('mail.dns', { ...answer }, text);
}
