import { join } from 'node:path';
import { ask } from '../../packages/cli/src/io/client.ts';
import type { Box } from '../../test/e2e/lib/box.ts';
import type { StatusJson } from '../../test/e2e/lib/status-json.ts';

/** By the agent's own socket, which no cut line reaches and no start of a command delays. */
export async function statusNow(box: Box): Promise<StatusJson> {
  return (await ask({ socketPath: join(box.home, 'peer.sock'), command: 'status' })) as StatusJson;
}
