import { toHex } from '@copain/core';
import type { PrimaryEffect, Zone } from '@copain/dns';
import { sha256 } from '@copain/dns/io';
import { type FileVerdict, judgeFile } from '../zone-base.ts';
import type { EventLog } from './event-log.ts';
import { isAhead, type OwnZone } from './own-zone.ts';
import type { Standing } from './standing.ts';
import type { ZonePast } from './zone-past.ts';

/**
 * Is what was read of a zone to be published now? `effects`: what publishing it would do; `asked`: somebody wants it as it
 * is. Notes what is asked for and must wait, durably, so that it is done without asking again.
 */
export async function judgeRead(
  { past, standing, events }: { past: ZonePast; standing: Pick<Standing, 'maySign'>; events: EventLog },
  zone: OwnZone,
  { zone: content, bytes }: { zone: Zone; bytes: Uint8Array },
  { effects, asked }: { effects: readonly PrimaryEffect[]; asked: { force: boolean } | undefined },
): Promise<FileVerdict> {
  const { origin } = zone.config;
  const base = await past.base(origin);
  const head = zone.state.published && toHex(zone.state.published.contentHash);
  const file = {
    hash: toHex(sha256(bytes)),
    differs: effects.some(({ kind }) => kind === 'publish'),
  };
  const verdict = judgeFile(base, file, {
    head,
    maySign: standing.maySign(),
    wanted: asked !== undefined || isAhead(zone, content),
    force: asked?.force === true,
  });
  if (verdict === 'same' && base.content !== head)
    await past.keepBase(origin, { content: head, pushed: undefined });
  if (verdict === 'waiting' && asked !== undefined) {
    await past.keepBase(origin, { ...base, pushed: { file: file.hash, head: head ?? '' } });
  }
  if (verdict === 'behind' && zone.held !== 'behind') {
    const text = `${zone.primary === undefined ? 'The file' : 'What the primary has'} of ${origin} is based on an older version than the newest, and is not published: peer zone diff ${origin}`;
    events.add('zone.behind', text);
  }
  return verdict;
}
