import { expect, it } from 'vitest';
import { openFirst, resolveAddresses, type Way } from './dial-ways.ts';

const never = new AbortController().signal;

/** A way that hangs until it is given up, and says so. */
function hanging(gaveUp: string[], name: string, afterMs: number): Way<string> {
  return {
    afterMs,
    open: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          gaveUp.push(name);
          reject(new Error(`${name} given up`));
        });
      }),
  };
}
const working = (name: string, afterMs: number): Way<string> => ({ afterMs, open: async () => name });
const failing = (name: string, afterMs: number): Way<string> => ({
  afterMs,
  open: async () => {
    throw new Error(name);
  },
});

it('the next address is tried beside one that hangs, which is then given up', async () => {
  const gaveUp: string[] = [];
  const ways = [hanging(gaveUp, 'dead', 0), working('alive', 30)];
  expect(await openFirst(ways, () => true, never)).toBe('alive');
  await expect.poll(() => gaveUp).toEqual(['dead']);
});

it('an address that fails is followed by the next at once, and the last failure is told when all fail', async () => {
  const soon = AbortSignal.timeout(2000);
  expect(await openFirst([failing('a', 0), working('b', 60_000)], () => true, soon)).toBe('b');
  await expect(openFirst([failing('a', 0), failing('b', 60_000)], () => true, soon)).rejects.toThrow('b');
  await expect(openFirst([], () => true, soon)).rejects.toThrow('no address');
});

it('a relayed way that stands first leaves the direct one going, until it is given up from outside', async () => {
  const gaveUp: string[] = [];
  const outside = new AbortController();
  const ways = [hanging(gaveUp, 'direct', 0), working('relayed', 10)];
  expect(await openFirst(ways, (opened) => opened === 'direct', outside.signal)).toBe('relayed');
  expect(gaveUp).toEqual([]);
  outside.abort(new Error('stopping'));
  await expect.poll(() => gaveUp).toEqual(['direct']);
});

it('a way that failed is tried again while another hangs, and no longer once none does', async () => {
  let tries = 0;
  const late: Way<string> = {
    afterMs: 10,
    againMs: 10,
    open: async () => {
      tries += 1;
      if (tries < 4) throw new Error('not yet');
      return 'late';
    },
  };
  const gaveUp: string[] = [];
  expect(await openFirst([hanging(gaveUp, 'dead', 0), late], () => true, never)).toBe('late');
  expect(tries).toBe(4);
  tries = 0;
  await expect(openFirst([failing('a', 0), late], () => true, never)).rejects.toThrow('not yet');
  expect(tries).toBe(1);
});

it('the signal of a way that stands never aborts afterwards', async () => {
  const outside = new AbortController();
  let kept: AbortSignal | undefined;
  const way: Way<string> = {
    afterMs: 0,
    open: async (signal) => {
      kept = signal;
      return 'open';
    },
  };
  await openFirst([way], () => true, outside.signal);
  outside.abort();
  expect(kept?.aborted).toBe(false);
});

it('a name that leads into a private network is not dialled unless allowed; an address stands once', async () => {
  const resolve = async (name: string): Promise<string[]> => {
    if (name === 'gone.example') throw new Error('ENOTFOUND');
    return ['192.168.1.1', '203.0.113.7', '::1', '203.0.113.7'];
  };
  const texts = ['203.0.113.7:4853', 'home.example:4853', 'gone.example:1', '10.0.0.1:22', 'nonsense'];
  expect(await resolveAddresses(texts, false, resolve)).toEqual([{ host: '203.0.113.7', port: 4853 }]);
  expect(await resolveAddresses(texts, true, resolve)).toEqual([
    { host: '203.0.113.7', port: 4853 },
    { host: '192.168.1.1', port: 4853 },
    { host: '::1', port: 4853 },
    { host: '10.0.0.1', port: 22 },
  ]);
});

it.for(['127.1:22', '2130706433:22', '0x7f000001:22', '0177.0.0.1:22', 'localhost:22'])(
  'what the resolver reads as an inside address is none to dial, however it is written: %s',
  async (text) => {
    expect(await resolveAddresses([text], false)).toEqual([]);
  },
);
