import { randomInt } from 'node:crypto';
import type { HostPort } from '@copain/core';
import { primaryConnectMs, transferStallMs, updateMs } from '../limits.ts';
import type { TsigContext } from '../tsig.ts';
import type { TsigKey } from '../tsig-record.ts';
import { type AddressUpdate, askUpdate, readUpdateReply, type UpdateReply } from '../update-message.ts';
import { converse } from './converse.ts';
import { tsigCrypto } from './tsig-crypto.ts';

/**
 * Sends an update to a server over TCP. Undefined once it is done, on disk there as far as that server promises it (RFC 2136
 * §3.5); else why not, for people. Never rejects.
 */
export async function sendUpdate(options: {
  address: HostPort;
  update: AddressUpdate;
  key: TsigKey | undefined;
  signal: AbortSignal;
}): Promise<string | undefined> {
  const { address, update, key, signal } = options;
  const context = (): TsigContext => ({ crypto: tsigCrypto, nowS: Math.floor(Date.now() / 1000) });
  const asked = askUpdate({ id: randomInt(65_536), update, key }, context());
  let found: UpdateReply = { kind: 'unrelated' };
  const limits = { connectMs: primaryConnectMs, stallMs: transferStallMs, transferMs: updateMs };
  const why = await converse({ address, signal, limits }, asked.message, (reply) => {
    found = readUpdateReply(reply, asked, context());
    return found.kind !== 'unrelated';
  });
  const reply = found as UpdateReply;
  if (reply.kind === 'done') return undefined;
  return reply.kind === 'refused' ? reply.why : (why ?? 'it closed the connection without an answer');
}
