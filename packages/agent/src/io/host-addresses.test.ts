import { expect, it } from 'vitest';
import { hostAddresses, hostsKeptMax } from './host-addresses.ts';

it('asks once for ten minutes, keeps what it knows while the resolver fails, and never more than the limit', async () => {
  let nowMs = 0;
  const asked: string[] = [];
  let answer: () => Promise<string[]> = async () => ['192.0.2.1'];
  const hosts = hostAddresses({
    clock: { nowMs: () => nowMs },
    stopping: new AbortController().signal,
    lookups: {
      addresses: async (host) => {
        asked.push(host);
        return await answer();
      },
      mailServers: async () => [{ host: 'mx.bob.example', preference: 10 }],
    },
  });
  expect(hosts.of('192.0.2.9')).toEqual(['192.0.2.9']);
  expect(hosts.of('ns.bob.example')).toEqual([]);
  await expect.poll(() => hosts.of('ns.bob.example')).toEqual(['192.0.2.1']);
  await expect
    .poll(() => hosts.mailServersOf('bob.example'))
    .toEqual([{ host: 'mx.bob.example', preference: 10 }]);
  expect(asked).toEqual(['ns.bob.example']);
  answer = async () => {
    throw new Error('no resolver');
  };
  nowMs = 600_000;
  expect(hosts.of('ns.bob.example')).toEqual(['192.0.2.1']);
  await expect.poll(() => asked.length).toBe(2);
  expect(hosts.of('ns.bob.example')).toEqual(['192.0.2.1']);
  answer = async () => ['192.0.2.2'];
  for (let index = 0; index < hostsKeptMax; index++) hosts.of(`host${index}.example`);
  expect(hosts.of('ns.bob.example')).toEqual([]);
});
