import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  afterFault,
  externalHostIn,
  faultIn,
  igdLocation,
  igdSearches,
  igdService,
  mappingValues,
  soapOrder,
} from './igd.ts';
import { igdPortTries } from './limits.ts';

const router = '192.168.1.1';
const found = (location: string, target = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1'): string =>
  ['HTTP/1.1 200 OK', `ST: ${target}`, 'EXT:', `LOCATION: ${location}`, '', ''].join('\r\n');

it('a search asks for gateways of both versions', () => {
  expect(igdSearches('239.255.255.250').map((text) => text.split('\r\n')[4])).toEqual([
    'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:2',
    'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  ]);
});

it('only a page of the router itself is believed to describe it', () => {
  expect(igdLocation(found('http://192.168.1.1:5000/root.xml'), router)).toEqual({
    port: 5000,
    path: '/root.xml',
  });
  expect(igdLocation(found('http://192.168.1.1/'), router)).toEqual({ port: 80, path: '/' });
  for (const location of [
    'http://192.168.1.9:5000/root.xml',
    'http://127.0.0.1:25/',
    'https://192.168.1.1/root.xml',
    'http://192.168.1.1@10.0.0.1/',
    'http://192.168.1.1:0/',
    'http://192.168.1.1:99999/',
    'file:///etc/passwd',
    '/root.xml',
    `http://192.168.1.1/${'a'.repeat(300)}`,
  ])
    expect([location, igdLocation(found(location), router)]).toEqual([location, undefined]);
  const printer = found('http://192.168.1.1:5000/root.xml', 'urn:schemas-upnp-org:device:Printer:1');
  expect(igdLocation(printer, router)).toBeUndefined();
  expect(igdLocation('NOTIFY * HTTP/1.1\r\n\r\n', router)).toBeUndefined();
});

const description = (control: string, type = 'WANIPConnection:1', base = ''): string => `<?xml version="1.0"?>
  <root xmlns="urn:schemas-upnp-org:device-1-0">${base}<device><deviceList><device><serviceList>
  <service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/l3</controlURL></service>
  <service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType>
  <controlURL>${control}</controlURL></service></serviceList></device></deviceList></device></root>`;
const at = { port: 5000, path: '/desc/root.xml' };

it('the service that passes ports on is found by its type, wherever its page is', () => {
  const control = (text: string): unknown => igdService(text, at, router)?.control;
  expect(control(description('/ctl/IPConn'))).toEqual({ port: 5000, path: '/ctl/IPConn' });
  expect(control(description('ctl'))).toEqual({ port: 5000, path: '/desc/ctl' });
  expect(control(description('http://192.168.1.1:1234/x'))).toEqual({ port: 1234, path: '/x' });
  const based = description('ctl', 'WANPPPConnection:1', '<URLBase>http://192.168.1.1:80/a/</URLBase>');
  expect(control(based)).toEqual({ port: 80, path: '/a/ctl' });
  expect(control(description('http://10.0.0.9/x'))).toBeUndefined();
  expect(control(description('//10.0.0.9/x'))).toBeUndefined();
  expect(control(description('/x', 'WANCommonInterfaceConfig:1'))).toBeUndefined();
  const both = description('/old') + description('/new', 'WANIPConnection:2');
  expect(igdService(both, at, router)).toEqual({
    type: 'urn:schemas-upnp-org:service:WANIPConnection:2',
    control: { port: 5000, path: '/new' },
  });
});

it('an order is SOAP, and what comes back is read by its tags', () => {
  const values = mappingValues({
    internalHost: '192.168.1.2',
    internalPort: 4853,
    externalPort: 4853,
    lifeS: 7200,
  });
  const { action, body } = soapOrder('urn:s:1', 'AddPortMapping', values);
  expect(action).toBe('"urn:s:1#AddPortMapping"');
  expect(body).toContain('<NewInternalClient>192.168.1.2</NewInternalClient>');
  expect(body).toContain('<NewLeaseDuration>7200</NewLeaseDuration>');
  const address = (text: string): string =>
    `<s:Body><u:R><NewExternalIPAddress>${text}</NewExternalIPAddress>`;
  expect(externalHostIn(address('203.0.113.7'))).toBe('203.0.113.7');
  for (const text of ['0.0.0.0', '', '300.1.1.1', 'example.org', '1.2.3.4&amp;'])
    expect(externalHostIn(address(text))).toBeUndefined();
  expect(faultIn('<detail><u:UPnPError><u:errorCode> 718 </u:errorCode></u:UPnPError>')).toBe(718);
  expect(faultIn('<errorCode>-1</errorCode>')).toBeUndefined();
});

it('a port that a neighbour has is not insisted on, a router that knows no leases gets none, and that has an end', () => {
  const tried = { externalPort: 4853, lifeS: 7200, tries: 1 };
  expect(afterFault(718, tried)).toEqual({ externalPort: 5862, lifeS: 7200 });
  expect(afterFault(718, { ...tried, externalPort: 65_000 })?.externalPort).toBe(2009);
  expect(afterFault(725, tried)).toEqual({ externalPort: 4853, lifeS: 0 });
  expect(afterFault(725, { ...tried, lifeS: 0 })).toBeUndefined();
  expect(afterFault(402, tried)).toBeUndefined();
  expect(afterFault(undefined, tried)).toBeUndefined();
  expect(afterFault(718, { ...tried, tries: igdPortTries })).toBeUndefined();
});

it('whatever a router says is read without harm', () => {
  const junk = fc.string({ unit: 'binary', maxLength: 400 });
  const tags = fc.constantFrom(
    '<service>',
    '<controlURL>',
    '</a>',
    'http://',
    '<serviceType>',
    router,
    '\r\n',
  );
  const text = fc.array(fc.oneof(junk, tags), { maxLength: 30 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (said) => {
      void igdService(said, at, router);
      void igdLocation(said, router);
      void externalHostIn(said);
      void faultIn(said);
    }),
  );
});
