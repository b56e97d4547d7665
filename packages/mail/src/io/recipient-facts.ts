import type { MailDomain } from '../mail-domain.ts';
import type { FriendPolicies } from './friend-policies.ts';
import type { PolicyPush } from './policy-push.ts';
import type { RecipientBook, RecipientSource } from './recipient-book.ts';

/** What a person wants to know of the recipients of one domain. */
export interface RecipientFacts {
  domain: string;
  role: 'own' | 'backup';
  /** Everything is accepted, known or not. */
  any: boolean;
  unknown: 'accept' | 'defer';
  known: number;
  refused: number;
  /** Role `own` only: in lookup form. */
  addresses: { local: string; source: RecipientSource }[];
  /** Role `own`: friends who take its mail and are heard now, and whether they have the newest list. */
  friends: { ownerId: string; isCurrent: boolean; toldAtMs: number | undefined }[];
  /** Role `backup`: when the owner last told; undefined where he never did, and everything is accepted. */
  heardAtMs: number | undefined;
}

export function recipientFacts(
  domain: MailDomain,
  { book, policies, push }: { book: RecipientBook; policies: FriendPolicies; push: PolicyPush },
): RecipientFacts {
  const { domain: name, role } = domain;
  if (role === 'backup') {
    const policy = policies.policy(domain);
    const count = policies.count(domain);
    const { known = 0, refused = 0, heardAtMs } = count ?? {};
    const any = policy?.any ?? true;
    const unknown = policy?.unknown ?? 'accept';
    return { domain: name, role, any, unknown, known, refused, addresses: [], friends: [], heardAtMs };
  }
  const addresses = book.list(domain).map(({ form, source }) => ({ local: form, source }));
  return {
    domain: name,
    role,
    any: book.isAny(domain),
    unknown: domain.wish?.unknown ?? 'accept',
    known: addresses.length,
    refused: book.refused(domain).size,
    addresses: addresses.toSorted((a, b) => (a.local < b.local ? -1 : 1)),
    friends: [...push.told(name)].map(([ownerId, told]) => ({ ownerId, ...told })),
    heardAtMs: undefined,
  };
}
