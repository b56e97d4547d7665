import { mappingRetryMs } from '@copain/mesh';
import type { MappedPort } from '@copain/mesh/io';
import { expect, it } from 'vitest';
import { type OpenPort, startPortMapper } from './port-mapper.ts';

/** A router that grants what `grants` says, and a clock that is moved by hand. */
function home(grants: () => Partial<MappedPort> | 'silent' | undefined) {
  let nowMs = 1_000_000;
  const asked: number[] = [];
  const said: (OpenPort | undefined)[] = [];
  const taken: number[] = [];
  const mapper = startPortMapper({
    clock: { nowMs: () => nowMs },
    stopping: new AbortController().signal,
    changed: (port) => said.push(port),
    router: async () => '192.168.1.1',
    map: async (_router, { internal, wished }) => {
      asked.push(wished);
      const granted = grants();
      if (granted === 'silent') throw new Error('no answer');
      if (granted === undefined) return undefined;
      const unmap = async (): Promise<void> => void taken.push(internal);
      return { internalPort: internal, externalPort: wished, lifeS: 3600, way: 'UPnP', unmap, ...granted };
    },
  });
  const tick = async (wanted: boolean, afterMs: number): Promise<void> => {
    nowMs += afterMs;
    mapper.tick(wanted, 4853);
    // Three hops of promises: the router, its answer, and that the question is over.
    for (let hop = 0; hop < 8; hop++) await Promise.resolve();
  };
  return { mapper, asked, said, taken, tick };
}

it('a router is asked only where friends cannot dial, its grant renewed half way also when they can, and taken back at the end', async () => {
  const { mapper, asked, said, taken, tick } = home(() => ({ externalPort: 40_001 }));
  await tick(false, 0);
  expect(asked).toEqual([]);
  await tick(true, 1000);
  expect(asked).toEqual([4853]);
  expect(said).toMatchObject([{ externalPort: 40_001, way: 'UPnP', leadsNowhere: false }]);
  expect(mapper.outside(4853)).toBe(40_001);
  await tick(false, 1_799_000);
  expect(asked).toHaveLength(1);
  await tick(false, 1000);
  expect(asked).toEqual([4853, 40_001]);
  expect(said).toHaveLength(1);
  await mapper[Symbol.asyncDispose]();
  expect(taken).toEqual([4853]);
});

it('a router that forgot what it granted is asked again within a minute', async () => {
  const { asked, tick } = home(() => ({}));
  await tick(true, 0);
  await tick(true, 59_000);
  expect(asked).toHaveLength(1);
  await tick(true, 1000);
  expect(asked).toHaveLength(2);
});

it('a renewal that the router does not answer takes nothing away while friends get through and the grant lasts', async () => {
  let answers = true;
  const { mapper, asked, said, tick } = home(() => (answers ? { externalPort: 40_001 } : 'silent'));
  await tick(true, 0);
  answers = false;
  await tick(false, 1_800_000);
  expect([asked.length, mapper.outside(4853)]).toEqual([2, 40_001]);
  await tick(false, 60_000);
  expect([asked.length, mapper.outside(4853), said.length]).toEqual([3, 40_001, 1]);
  await tick(false, 1_740_000);
  expect([mapper.outside(4853), said.length, said.at(-1)]).toEqual([4853, 2, undefined]);
});

it('a router that offers nothing, or is silent, is asked again later', async () => {
  for (const nothing of [undefined, 'silent'] as const) {
    const { asked, said, tick } = home(() => nothing);
    await tick(true, 0);
    await tick(true, mappingRetryMs - 1);
    expect(asked).toHaveLength(1);
    await tick(true, 1);
    expect(asked).toHaveLength(2);
    expect(said).toEqual([]);
  }
});

it('a port of a router that sits behind NAT itself is not what friends are told', async () => {
  const { mapper, said, tick } = home(() => ({ externalPort: 40_001, externalHost: '100.64.7.7' }));
  await tick(true, 0);
  expect(said).toMatchObject([{ leadsNowhere: true }]);
  expect(mapper.outside(4853)).toBe(4853);
});
