import { createSocket } from 'node:dgram';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { maxIgdAnswerBytes } from '../limits.ts';
import { findIgd, mapPortByIgd, unmapPortByIgd } from './map-port-igd.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const never = new AbortController().signal;
const service = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const target = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';

/** A router on loopback: `say` answers each order by its action; its description says where they go. */
async function startRouter(
  say: (action: string, body: string) => { status: number; text: string },
  options: { description?: (response: ServerResponse) => void; location?: (port: number) => string } = {},
): Promise<{ ssdp: number; orders: string[] }> {
  const orders: string[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8');
    });
    request.on('end', () => {
      if (request.method === 'GET') {
        if (options.description !== undefined) options.description(response);
        else
          response.end(
            `<service><serviceType>${service}</serviceType><controlURL>/ctl</controlURL></service>`,
          );
        return;
      }
      const action = /#(\w+)"$/.exec(String(request.headers.soapaction))?.[1] ?? '';
      orders.push(`${request.url} ${action} ${/<NewExternalPort>(\d+)/.exec(body)?.[1] ?? ''}`.trim());
      const { status, text } = say(action, body);
      response.writeHead(status).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const socket = createSocket('udp4');
  socket.on('message', (search, from) => {
    if (!search.toString().includes(target)) return;
    const location = options.location?.(port) ?? `http://127.0.0.1:${port}/root.xml`;
    const answer = ['HTTP/1.1 200 OK', `ST: ${target}`, `LOCATION: ${location}`, '', ''].join('\r\n');
    socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  stops.push(
    () => server.close(),
    () => server.closeAllConnections(),
    () => socket.close(),
  );
  return { ssdp: socket.address().port, orders };
}

const fault = (code: number) => ({ status: 500, text: `<errorCode>${code}</errorCode>` });
const done = { status: 200, text: '<ok/>' };
const address = { status: 200, text: '<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>' };

it('a router that speaks UPnP passes the port on and takes it back', async () => {
  const home = await startRouter((action) => (action === 'GetExternalIPAddress' ? address : done));
  const igd = await findIgd('127.0.0.1', never, home.ssdp);
  if (igd === undefined) throw new Error('no router was found');
  expect(await mapPortByIgd(igd, 4853, 4853, never)).toEqual({
    internalPort: 4853,
    externalPort: 4853,
    lifeS: 7200,
    externalHost: '203.0.113.7',
  });
  await unmapPortByIgd(igd, 4853, never);
  expect(home.orders).toEqual([
    '/ctl GetExternalIPAddress',
    '/ctl AddPortMapping 4853',
    '/ctl DeletePortMapping 4853',
  ]);
});

it('a port that a neighbour has is passed on under another number, for ever where the router knows no leases', async () => {
  const home = await startRouter((action, body) => {
    if (action === 'GetExternalIPAddress') return fault(501);
    if (body.includes('<NewExternalPort>4853<')) return fault(718);
    return body.includes('<NewLeaseDuration>0<') ? done : fault(725);
  });
  const igd = await findIgd('127.0.0.1', never, home.ssdp);
  if (igd === undefined) throw new Error('no router was found');
  expect(await mapPortByIgd(igd, 4853, 4853, never)).toEqual({
    internalPort: 4853,
    externalPort: 5862,
    lifeS: 0,
  });
});

it('a router that refuses everything passes nothing on, after a few tries', async () => {
  const home = await startRouter(() => fault(718));
  const igd = await findIgd('127.0.0.1', never, home.ssdp);
  if (igd === undefined) throw new Error('no router was found');
  expect(await mapPortByIgd(igd, 4853, 4853, never)).toBeUndefined();
  expect(home.orders.filter((order) => order.includes('AddPortMapping'))).toHaveLength(4);
});

it('a router that names a page elsewhere is not asked there', async () => {
  const elsewhere = await startRouter(() => done);
  const home = await startRouter(() => done, { location: () => 'http://127.0.0.2:80/root.xml' });
  const giveUp = AbortSignal.timeout(300);
  expect(await findIgd('127.0.0.1', giveUp, home.ssdp)).toBeUndefined();
  expect(elsewhere.orders).toEqual([]);
});

it('a description without end is cut off', async () => {
  let written = 0;
  const home = await startRouter(() => done, {
    description: (response) => {
      const more = (): void => {
        if (response.destroyed) return;
        written += 16_384;
        response.write('x'.repeat(16_384), () => setImmediate(more));
      };
      more();
    },
  });
  await expect(findIgd('127.0.0.1', never, home.ssdp)).rejects.toThrow('the router says too much');
  expect(written).toBeGreaterThanOrEqual(maxIgdAnswerBytes);
});
