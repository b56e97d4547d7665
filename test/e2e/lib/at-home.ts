import type { Box } from './box.ts';

/** As on a home server: it listens everywhere, and private addresses are not dialled. */
export async function upAtHome(box: Box): Promise<void> {
  await box.init();
  const config = box.read('peer.toml').replace(`"${box.host}:4853"`, '"0.0.0.0:4853"');
  box.write('peer.toml', config.replace('allow-private = true', 'allow-private = false'));
  await box.up();
}

/** `guest` joins by an invite of `host`, who offers him also to relay. */
export async function joinWithRelay(guest: Box, host: Box): Promise<void> {
  const may = ['--may', 'dns,mail,witness,relay'];
  const { code } = await host.json<{ code: string }>(['invite', guest.name, ...may]);
  await guest.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
}
