import { describe, expect, it } from 'vitest';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { run } from './lib/run.ts';
import { temporaryFolder } from './lib/temporary-folder.ts';

const skip = whyNot({ programs: ['unshare', 'mount', 'dig'], root: true }, 'a full disk') !== undefined;
const peer = new URL('../../packages/cli/bin/peer', import.meta.url).pathname;

const zone = `$TTL 300
@ IN SOA ns.alice.test. hostmaster.alice.test. 1 3600 600 86400 60
@ IN NS ns.alice.test.
ns IN A 192.0.2.53
www IN A 192.0.2.80
`;

/**
 * A box on a file system of its own, in a mount namespace that ends with the script: started with room, stopped, the disk
 * filled to the last byte, started again.
 */
const script = `
set -eu
peer() { "$PEER" --home "$DISK/home" "$@"; }
up() { "$PEER" --home "$DISK/home" up > "$LOG.$1" 2>&1 & agent=$!; peer wait --for ready --timeout 20s > /dev/null; }
down() { kill "$agent"; wait "$agent" || true; }
answer() { dig +short +tries=1 +time=2 @"$HOST" -p 5353 www.alice.test A || true; }
trap 'kill "$agent" 2>/dev/null || true; for log in "$LOG".*; do tail -c 3000 "$log" >&2; done' EXIT
mkdir -p "$DISK"
mount -t tmpfs -o size=192m tmpfs "$DISK"
peer init --name alice --mesh-listen "$HOST:4853" --dns-listen "$HOST:5353" --smtp-listen "$HOST:2525" --http-listen "$HOST:8853" --yes > /dev/null
printf '%s' "$ZONE" > "$DISK/home/alice.test.zone"
up first
peer zone add alice.test --file "$DISK/home/alice.test.zone" > /dev/null
peer wait --for zone:alice.test --timeout 10s > /dev/null
echo "before: $(answer)"
# A stop waits for the reserve that the start began to lay in.
down
[ -e "$DISK/home/state/ballast" ]
dd if=/dev/zero of="$DISK/fill" bs=64k 2> /dev/null || true
dd if=/dev/zero of="$DISK/fill2" bs=1 2> /dev/null || true
echo "free: $(df --output=avail -B1 "$DISK" | tail -1 | tr -d ' ')"
up second
echo "full: $(answer)"
peer events | grep -o 'disk is full' | head -1
rm "$DISK/fill" "$DISK/fill2"
down
up third
echo "after: $(answer)"
down
[ -e "$DISK/home/state/ballast" ]
`;

describe.skipIf(skip)('a box on a full disk', () => {
  it('starts, answers DNS from what it has, says so, and lays its reserve in again when there is room', async () => {
    const host = (await freshBlock()).of(1);
    await using folder = temporaryFolder('full-disk');
    const env = [
      `PEER=${peer}`,
      `HOST=${host}`,
      `DISK=${folder.path}/disk`,
      `LOG=${folder.path}/log`,
      `ZONE=${zone}`,
    ];
    const ran = await run(['env', ...env, 'unshare', '-m', 'sh', '-c', script], { limitMs: 90_000 });
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    expect(ran.stdout.trim().split('\n')).toEqual([
      'before: 192.0.2.80',
      'free: 0',
      'full: 192.0.2.80',
      'disk is full',
      'after: 192.0.2.80',
    ]);
  }, 120_000);
});
