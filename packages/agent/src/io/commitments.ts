import { fromUtf8, type Table, type TableChange, toUtf8 } from '@copain/core';
import { type Claims, type Service, services } from '@copain/trust';

/** What this box once agreed to and keeps to: its first offer to each friend, and whose each name is. */
export interface Commitments {
  /** By owner id: what the invite said, or what a box starts with. */
  base: ReadonlyMap<string, readonly Service[]>;
  claims: Claims;
  /** Durable when it resolves. */
  add(news: {
    base: readonly { ownerId: string; may: readonly Service[] }[];
    claims: readonly { key: string; ownerId: string }[];
  }): Promise<void>;
}

const basePrefix = 'offer/';
const claimPrefix = 'claim/';

export async function openCommitments(table: Table): Promise<Commitments> {
  const base = new Map<string, readonly Service[]>();
  for await (const [key, value] of table.entries(basePrefix)) {
    const words = (fromUtf8(value) ?? '').split(' ');
    base.set(
      key.slice(basePrefix.length),
      services.filter((service) => words.includes(service)),
    );
  }
  const claims = new Map<string, string>();
  for await (const [key, value] of table.entries(claimPrefix)) {
    claims.set(key.slice(claimPrefix.length), fromUtf8(value) ?? '');
  }
  return {
    base,
    claims,
    add: async (news) => {
      const changes: TableChange[] = [
        ...news.base.map(({ ownerId, may }) => ({ key: basePrefix + ownerId, value: toUtf8(may.join(' ')) })),
        ...news.claims.map(({ key, ownerId }) => ({ key: claimPrefix + key, value: toUtf8(ownerId) })),
      ];
      if (changes.length > 0) await table.write(changes);
      for (const { ownerId, may } of news.base) base.set(ownerId, may);
      for (const { key, ownerId } of news.claims) claims.set(key, ownerId);
    },
  };
}
