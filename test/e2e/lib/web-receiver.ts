import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web server that keeps the body of every POST that it takes. */
export interface WebReceiver extends AsyncDisposable {
  /** `http://host:port`. */
  readonly url: string;
  received(): string[];
  /** From now on it answers with this status, and keeps nothing. */
  refuse(status: number): void;
}

export async function startWebReceiver(host: string): Promise<WebReceiver> {
  const bodies: string[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      if (status === 200 && request.method === 'POST') bodies.push(body);
      response.writeHead(status).end();
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    received: () => [...bodies],
    refuse: (next) => {
      status = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
