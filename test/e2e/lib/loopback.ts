import { createServer } from 'node:net';

/** Is a TCP port free on this address? */
function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Addresses of 127.0.0.0/8 that nobody else uses, so that every box has the same ports on an address of its own and
 * several runs on one machine do not meet. `of(n)` is the n-th address, 1 to 254.
 */
export async function freshBlock(): Promise<{ of: (n: number) => string }> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const block = `127.${64 + Math.floor(Math.random() * 128)}.${Math.floor(Math.random() * 256)}`;
    if (await isFree(`${block}.1`, 4853)) return { of: (n) => `${block}.${n}` };
  }
  throw new Error('no free loopback block found');
}
