import { igdPortTries } from './limits.ts';

/**
 * UPnP's Internet Gateway Device (IGD:1 and IGD:2, WANIPConnection and WANPPPConnection services): the texts that are
 * sent to a home router and what is read from its answers. Everything it says comes from outside: an answer may name
 * only addresses of the router itself, and of its XML only the few tags that matter are looked for.
 */

/** The services that can pass a port on, best first. */
const services = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const;

const devices = ['2', '1'].map((version) => `urn:schemas-upnp-org:device:InternetGatewayDevice:${version}`);

/** Where SSDP is spoken (UPnP Device Architecture 1.1 §1.3.2). */
export const ssdpPort = 1900;

/** One search per version of the device; a router answers those that it is. */
export function igdSearches(host: string): string[] {
  return devices.map((target) =>
    [
      'M-SEARCH * HTTP/1.1',
      `HOST: ${host}:${ssdpPort}`,
      'MAN: "ssdp:discover"',
      'MX: 1',
      `ST: ${target}`,
      '',
      '',
    ].join('\r\n'),
  );
}

/** A page of the router: its address is the router's own, so only port and path are its choice. */
export interface IgdPage {
  port: number;
  path: string;
}

/** Where the router describes itself, from its answer to a search. Undefined where it is none or names another host. */
export function igdLocation(datagram: string, router: string): IgdPage | undefined {
  const [first = '', ...headers] = datagram.split('\r\n');
  if (!/^HTTP\/1\.[01] 200\b/.test(first)) return undefined;
  const header = (name: string): string | undefined =>
    headers.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1);
  if (!devices.includes(header('st')?.trim() ?? '')) return undefined;
  return pageOf(header('location')?.trim() ?? '', router, undefined);
}

export interface IgdService {
  type: string;
  control: IgdPage;
}

/** The best service in a device description, with the page that takes its orders. */
export function igdService(description: string, location: IgdPage, router: string): IgdService | undefined {
  const base = tag(description, 'URLBase');
  const basePage = base === undefined ? location : (pageOf(base, router, location) ?? location);
  const offered = description.split(/<service>/i).slice(1);
  for (const type of services) {
    for (const service of offered) {
      if (tag(service, 'serviceType') !== type) continue;
      const control = pageOf(tag(service, 'controlURL') ?? '', router, basePage);
      if (control !== undefined) return { type, control };
    }
  }
  return undefined;
}

/** A page by an absolute or relative address; undefined where that is no HTTP page of this router. */
function pageOf(address: string, router: string, base: IgdPage | undefined): IgdPage | undefined {
  if (address.length > maxAddressLength) return undefined;
  const absolute = /^http:\/\/([^\s/:@?#]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/i.exec(address);
  if (absolute !== null) {
    const [, host, port = '80', path = '/'] = absolute;
    const isPort = Number(port) >= 1 && Number(port) <= 65_535;
    return host === router && isPort ? { port: Number(port), path } : undefined;
  }
  if (base === undefined || !/^[\w./?&=%:;,~+-]+$/.test(address) || /^\w+:|^\/\//.test(address))
    return undefined;
  const folder = base.path.slice(0, base.path.lastIndexOf('/') + 1);
  return { port: base.port, path: address.startsWith('/') ? address : folder + address };
}

const maxAddressLength = 256;

/** One order to the router, as SOAP has it. */
export function soapOrder(
  service: string,
  action: string,
  values: Readonly<Record<string, string | number>>,
): { action: string; body: string } {
  const inside = Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`);
  return {
    action: `"${service}#${action}"`,
    body:
      '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
      's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
      `<u:${action} xmlns:u="${service}">${inside.join('')}</u:${action}></s:Body></s:Envelope>\r\n`,
  };
}

/** What AddPortMapping is told (WANIPConnection:1 §2.4.16); life 0 is for ever, for routers that know nothing else. */
export function mappingValues(mapping: {
  internalHost: string;
  internalPort: number;
  externalPort: number;
  lifeS: number;
}): Record<string, string | number> {
  return {
    NewRemoteHost: '',
    NewExternalPort: mapping.externalPort,
    NewProtocol: 'TCP',
    NewInternalPort: mapping.internalPort,
    NewInternalClient: mapping.internalHost,
    NewEnabled: 1,
    NewPortMappingDescription: 'copain',
    NewLeaseDuration: mapping.lifeS,
  };
}

/** UPnP's number for what went wrong, where the answer is a fault. */
export function faultIn(answer: string): number | undefined {
  const code = tag(answer, 'errorCode');
  return code === undefined || !/^\d{1,5}$/.test(code) ? undefined : Number(code);
}

/** The router's own address outside, from its answer to GetExternalIPAddress. */
export function externalHostIn(answer: string): string | undefined {
  const host = tag(answer, 'NewExternalIPAddress');
  const isAddress =
    host !== undefined &&
    /^\d{1,3}(\.\d{1,3}){3}$/.test(host) &&
    host.split('.').every((part) => Number(part) < 256);
  return isAddress && host !== '0.0.0.0' ? host : undefined;
}

/** What is tried next after a refusal: another port, another life, or nothing. */
export function afterFault(
  code: number | undefined,
  tried: { externalPort: number; lifeS: number; tries: number },
): { externalPort: number; lifeS: number } | undefined {
  if (tried.tries >= igdPortTries) return undefined;
  // OnlyPermanentLeasesSupported.
  if (code === 725 && tried.lifeS !== 0) return { externalPort: tried.externalPort, lifeS: 0 };
  // ConflictInMappingEntry, ConflictWithOtherMechanisms, and 501 or 606 of routers that say so instead: somebody else
  // in this home has that port.
  if (code === 718 || code === 729 || code === 501 || code === 606) {
    const externalPort = tried.externalPort + portStep;
    return { externalPort: externalPort > 65_535 ? externalPort - 64_000 : externalPort, lifeS: tried.lifeS };
  }
  return undefined;
}

/** How far apart the ports are that are tried: where a neighbour of ours runs copain too, he counts alike. */
const portStep = 1009;

/** The text of the first such tag, without the entities that no address, number or path needs. */
function tag(xml: string, name: string): string | undefined {
  const found = new RegExp(`<(?:[\\w.-]{1,32}:)?${name}(?:\\s[^<>]{0,256})?>([^<>]{0,512})<`, 'i').exec(xml);
  const text = found?.[1]?.trim();
  return text === undefined || text.includes('&') ? undefined : text;
}
