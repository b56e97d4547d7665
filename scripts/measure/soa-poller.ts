/**
 * Asks each server given for the SOA of an origin every 2 ms and prints `HOST SERIAL MS` whenever what it answers
 * changes (`-` for anything but a serial), MS being milliseconds since 1970 with decimals. Runs in a network namespace
 * of its own until its input ends: soa-poller.ts ORIGIN HOST…
 */
import { createSocket } from 'node:dgram';
import { parseName } from '@copain/dns';

const everyMs = 2;
const [origin = '', ...hosts] = process.argv.slice(2);
const parsed = parseName(origin);
if (parsed.kind !== 'name') throw new Error(parsed.text);
const { name } = parsed;
const query = Buffer.concat([
  Buffer.from([0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  name,
  Buffer.from([0, 6, 0, 1]),
]);

/** The serial in the first answer, which is the SOA; undefined for any other answer. */
function serialIn(message: Buffer): number | undefined {
  if (message.length < 12 || (message.readUInt8(3) & 15) !== 0 || message.readUInt16BE(6) === 0)
    return undefined;
  const owner = 12 + name.length + 4;
  const ownerEnd = message.readUInt8(owner) >= 0xc0 ? owner + 2 : owner + name.length;
  const rdataEnd = ownerEnd + 10 + message.readUInt16BE(ownerEnd + 8);
  return message.readUInt32BE(rdataEnd - 20);
}

for (const host of hosts) {
  let last = '';
  const socket = createSocket('udp4');
  socket.connect(53, host, () => {
    socket.on('message', (message) => {
      const now = `${serialIn(message) ?? '-'}`;
      if (now === last) return;
      last = now;
      process.stdout.write(`${host} ${now} ${performance.timeOrigin + performance.now()}\n`);
    });
    setInterval(() => socket.send(query, () => undefined), everyMs);
  });
  // A port that is not open yet, or a cut line: the next question may be answered.
  socket.on('error', () => undefined);
}
process.stdin.on('end', () => process.exit(0)).resume();
