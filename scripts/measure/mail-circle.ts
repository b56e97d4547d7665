import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import { join, takesMail } from '../../test/e2e/lib/scene.ts';
import { statusNow } from './box-status.ts';

/** The domain whose mail these measurements are about; alice's. */
export const domain = 'alice.example';

/** Makes a circle in which `box` keeps mail for alice, who is gone again when this resolves. */
export async function awayOwner(box: Box, host: string): Promise<void> {
  await using alice = createBox({ name: 'alice', host });
  for (const one of [alice, box]) {
    await one.init();
    await one.up();
  }
  await join(box, alice);
  await alice.well(['mail', 'add', domain, '--deliver', `${host}:2526`]);
  await takesMail(box, domain);
}

/** Messages that this box holds for alice. */
export async function heldAt(box: Box): Promise<number> {
  return (await statusNow(box)).mail.find((row) => row.domain === domain)?.messages ?? 0;
}
