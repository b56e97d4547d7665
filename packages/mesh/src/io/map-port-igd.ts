import { createSocket } from 'node:dgram';
import { request } from 'node:http';
import { isLoopback } from '@copain/core';
import {
  afterFault,
  externalHostIn,
  faultIn,
  type IgdPage,
  type IgdService,
  igdLocation,
  igdSearches,
  igdService,
  mappingValues,
  soapOrder,
  ssdpPort,
} from '../igd.ts';
import { igdAnswerMs, igdSearchMs, mappingLifeS, maxIgdAnswerBytes } from '../limits.ts';
import type { PortMapping } from '../port-mapping.ts';

/** A router that was found to speak UPnP. */
export interface IgdRouter {
  host: string;
  service: IgdService;
}

/** UPnP Device Architecture 1.1 §1.3.2. */
const ssdpGroup = '239.255.255.250';

/**
 * Looks for UPnP at the default gateway: searches to the group and to the router itself, of which only the router's own
 * answer counts. Undefined where none came in 3 s, or its description names no service that passes ports on.
 */
export async function findIgd(
  router: string,
  signal: AbortSignal,
  port: number = ssdpPort,
): Promise<IgdRouter | undefined> {
  const location = await searchIgd(router, signal, port);
  if (location === undefined) return undefined;
  const { text } = await exchange(router, location, undefined, signal);
  const service = igdService(text, location, router);
  return service === undefined ? undefined : { host: router, service };
}

async function searchIgd(router: string, signal: AbortSignal, port: number): Promise<IgdPage | undefined> {
  const socket = createSocket('udp4');
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<IgdPage | undefined>((resolve) => {
      const endsAtMs = performance.now() + igdSearchMs;
      const search = (): void => {
        if (signal.aborted || performance.now() >= endsAtMs) {
          resolve(undefined);
          return;
        }
        // There is no group on loopback, where nobody's router is.
        for (const host of isLoopback(router) ? [router] : [ssdpGroup, router])
          for (const text of igdSearches(host)) socket.send(text, port, host, ignore);
        timer = setTimeout(search, igdSearchMs / 3);
      };
      socket.on('error', () => resolve(undefined));
      socket.on('message', (bytes, from) => {
        if (from.address !== router) return;
        const location = igdLocation(bytes.toString('latin1'), router);
        if (location !== undefined) resolve(location);
      });
      search();
    });
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

/** A network without multicast still has the router's own address. */
const ignore = (): void => undefined;

/**
 * Has the router pass a TCP port on to this box, under the wished number outside or, where another box of the home has
 * that, under another. Undefined where it refuses. Rejects where it does not answer.
 */
export async function mapPortByIgd(
  igd: IgdRouter,
  internalPort: number,
  wishedPort: number,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  const { text, localHost } = await order(igd, 'GetExternalIPAddress', {}, signal);
  const externalHost = externalHostIn(text);
  let wish: { externalPort: number; lifeS: number } | undefined = {
    externalPort: wishedPort,
    lifeS: mappingLifeS,
  };
  for (let tries = 1; wish !== undefined; tries += 1) {
    const values = mappingValues({ internalHost: localHost, internalPort, ...wish });
    const answer = await order(igd, 'AddPortMapping', values, signal);
    if (answer.status === 200) {
      const mapping = { internalPort, ...wish };
      return externalHost === undefined ? mapping : { ...mapping, externalHost };
    }
    wish = afterFault(faultIn(answer.text), { ...wish, tries });
  }
  return undefined;
}

/** Takes a mapping away again. Rejects where the router does not answer. */
export async function unmapPortByIgd(
  igd: IgdRouter,
  externalPort: number,
  signal: AbortSignal,
): Promise<void> {
  const values = { NewRemoteHost: '', NewExternalPort: externalPort, NewProtocol: 'TCP' };
  await order(igd, 'DeletePortMapping', values, signal);
}

async function order(
  { host, service }: IgdRouter,
  action: string,
  values: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<Answer> {
  return await exchange(host, service.control, soapOrder(service.type, action, values), signal);
}

interface Answer {
  status: number;
  text: string;
  /** The address of this box towards the router. */
  localHost: string;
}

/** One request on a connection of its own; no redirect is followed. Rejects after 5 s and over 64 KiB. */
async function exchange(
  host: string,
  page: IgdPage,
  soap: { action: string; body: string } | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(igdAnswerMs)]);
  const headers = { 'content-type': 'text/xml; charset="utf-8"', SOAPAction: soap?.action ?? '' };
  return await new Promise<Answer>((resolve, reject) => {
    const asked = request({
      host,
      port: page.port,
      path: page.path,
      method: soap === undefined ? 'GET' : 'POST',
      agent: false,
      signal: limit,
      ...(soap === undefined
        ? {}
        : { headers: { ...headers, 'content-length': Buffer.byteLength(soap.body) } }),
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      const localHost = response.socket.localAddress ?? '';
      response.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length;
        if (sizeBytes > maxIgdAnswerBytes) asked.destroy(new Error('the router says too much'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, text, localHost });
      });
    });
    asked.end(soap?.body);
  });
}
