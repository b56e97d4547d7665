import { type Box, createBox } from '../../test/e2e/lib/box.ts';
import type { Network } from '../../test/e2e/lib/network.ts';
import { allTogether, join } from '../../test/e2e/lib/scene.ts';

/** One box for each name, in its namespace of the network, all of one circle and all up. */
export async function startNamespacedCircle(
  network: Network,
  names: readonly string[],
  running: AsyncDisposableStack,
): Promise<Box[]> {
  const boxes = names.map((name) =>
    running.use(createBox({ name, host: network.host(name), namespace: network.namespace(name) })),
  );
  const [first, ...guests] = boxes as [Box, ...Box[]];
  await first.init();
  await first.up();
  for (const guest of guests) {
    await guest.init();
    await guest.up();
    await join(guest, first);
  }
  await allTogether(boxes, 60_000);
  return boxes;
}
