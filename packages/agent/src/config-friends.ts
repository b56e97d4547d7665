import { parseSize } from '@copain/core';
import * as v from 'valibot';
import { boxName, listOf, oneOf, text } from './config-values.ts';

/** What one box may do for a friend. */
export type May = 'dns' | 'mail' | 'backup' | 'relay' | 'witness';

/** One `[[friend]]`: an upper limit on what this box does for him. */
export interface FriendConfig {
  name: string;
  /** undefined: what was offered in the invite. */
  may: May[] | undefined;
  quotaBytes: number | undefined;
}

const mayChoices = ['dns', 'mail', 'backup', 'relay', 'witness'] as const;
export const friend: v.GenericSchema<unknown, FriendConfig> = v.pipe(
  v.strictObject({
    name: text(boxName),
    may: v.optional(listOf(oneOf(...mayChoices), 'rights')),
    quota: v.optional(
      text({ read: parseSize, message: 'is no size: a number with B, kB, MB, GB or TB, e.g. "20GB"' }),
    ),
  }),
  v.transform(({ name, may, quota }): FriendConfig => ({ name, may, quotaBytes: quota })),
);
