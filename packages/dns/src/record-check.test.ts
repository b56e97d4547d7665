import { expect, it } from 'vitest';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';

const head = '$TTL 300\n@ SOA ns hostmaster 7 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n';
const load = (text: string) => loadZone({ text: head + text, file: 'z', origin: nameOf('alice.example') });

it.each([
  ['@ DS 60485 13 2 2BB183AF5F22588179A53B0A98631FAD1A292118AB2B6BE4AF6F8C2D0A5CDCDB\n', 'top of the zone'],
  ['h NSEC3 1 0 0 - CPNMU A\n', '20 octets'],
  ['1 PTR !@#3.\n', 'cannot be a host name'],
  ['w HTTPS 1 _x.alice.example. alpn=h2\n', 'cannot be a host name'],
  ['_dns SVCB 1 ns dohpath=/{?dns}\n', 'without alpn'],
  ['_dns SVCB 1 ns alpn=h2\n', 'needs dohpath'],
  ['_53._dns SVCB 1 ns alpn=h2 dohpath=/x\n', 'has the variable dns'],
  ['@ CAA 0 is-sue "x"\n', 'letters and digits'],
  ['24.1.2.0.192.rpz-ip CNAME .\n', 'no address block'],
  ['128.2.0.0.0.0.3.2.2001.rpz-ip CNAME .\n', 'no address block'],
  ['32.zz.1.db8.2001.rpz-ip CNAME .\n', 'no address block'],
  ['@ DNSKEY 257 3 13 AAAA\n@ CDS 1 14 2 00\n', 'algorithm 14'],
])('refuses %j', (text, problem) => {
  const { zone, problems } = load(text);
  expect(problems.map((one) => one.text).join('\n')).toContain(problem);
  expect(zone).toBeUndefined();
});

it.each([
  ['1 PTR *.w\n', 'a star'],
  ['w HTTPS 1 . key3=x\n', 'port'],
  ['w HTTPS 1 . key4="\\192\\000\\002"\n', 'ipv4hint'],
  ['w HTTPS 1 . alpn=h2 key0="\\000\\001\\000\\001"\n', 'mandatory'],
  ['w HTTPS 1 . key9="\\000"\n', 'tls-supported-groups'],
  ['w HTTPS 1 . key10="\\000"\n', 'docpath'],
  ['w HTTPS 1 . no-default-alpn\n', 'no protocol at all'],
  ['w SVCB 1 . alpn=h2 dohpath=/x\n', 'the variable dns'],
])('warns of %j', (text, problem) => {
  const { zone, problems } = load(text);
  expect(problems.map(({ severity, text }) => [severity, text])).toEqual([
    ['warning', expect.stringContaining(problem)],
  ]);
  expect(zone).toBeDefined();
});

it.each([
  'h NSEC3 2 0 0 - CPNMU A\n',
  'b._dns-sd._udp PTR !@#3.\n',
  '_http._tcp PTR my\\032printer._http._tcp\n',
  'w HTTPS 0 _x.alice.example.\n',
  'w HTTPS 1 . alpn=h2\n',
  'w HTTPS 1 . alpn=h2 no-default-alpn key10 key11 key12=x\n',
  '_dns SVCB 1 ns alpn=dot\n',
  '_443._dns SVCB 1 ns alpn=h2 dohpath=/dns-query{?dns}\n',
  '24.0.2.0.192.rpz-ip CNAME .\n48.zz.db8.2001.rpz-ip CNAME .\n',
  '@ CDS 0 0 0 00\n@ CDNSKEY 0 3 0 AA==\n',
  's NS ns.s\ns DNAME bob.example.\nns.s A 192.0.2.1\n',
])('loads %j', (text) => {
  const { zone, problems } = load(text);
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(zone).toBeDefined();
});
