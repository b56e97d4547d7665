import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addressChangesMax } from './limits.ts';
import {
  type OwnAddressEffect,
  type OwnAddressInput,
  type OwnAddressState,
  startOwnAddress,
  stepOwnAddress,
  unconfirmed,
} from './own-address.ts';

const seen = (observer: string, network: string, address: string): OwnAddressInput => ({
  kind: 'seen',
  observer,
  sighting: { family: address.includes(':') ? 'ipv6' : 'ipv4', address, network },
});

function after(
  inputs: readonly OwnAddressInput[],
  from: OwnAddressState = startOwnAddress(),
): { state: OwnAddressState; effects: OwnAddressEffect[] } {
  let state = from;
  const effects: OwnAddressEffect[] = [];
  for (const [index, input] of inputs.entries()) {
    const [next, more] = stepOwnAddress(state, input, 1000 + index);
    state = next;
    effects.push(...more);
  }
  return { state, effects };
}

const changesIn = (effects: readonly OwnAddressEffect[]) =>
  effects.flatMap((one) => (one.kind === 'changed' ? [one.change] : []));
const addressOf = (state: OwnAddressState): string | undefined => state.agreed.ipv4?.address;

it('one friend alone does not move a box, nor do two in one network', () => {
  expect(addressOf(after([seen('bob', '198.51', '203.0.113.7')]).state)).toBeUndefined();
  const both = after([seen('bob', '198.51', '203.0.113.7'), seen('carol', '198.51', '203.0.113.7')]);
  expect(addressOf(both.state)).toBeUndefined();
  expect(unconfirmed(both.state).map(({ address }) => address)).toEqual(['203.0.113.7']);
});

it('two friends in different networks do, once they see the same', () => {
  const first = after([seen('bob', '198.51', '203.0.113.7'), seen('carol', '192.0', '203.0.113.7')]);
  expect(addressOf(first.state)).toBe('203.0.113.7');
  expect(changesIn(first.effects).map(({ from, to }) => [from, to])).toEqual([[undefined, '203.0.113.7']]);
  const one = after([seen('bob', '198.51', '203.0.113.99')], first.state);
  expect(addressOf(one.state)).toBe('203.0.113.7');
  const two = after([seen('carol', '192.0', '203.0.113.99')], one.state);
  expect(addressOf(two.state)).toBe('203.0.113.99');
  expect(changesIn(two.effects)).toHaveLength(1);
});

it('a friend and the own interface or router are two observers; the interface alone is none', () => {
  const own: OwnAddressInput = { kind: 'own', addresses: [{ family: 'ipv4', address: '203.0.113.7' }] };
  expect(addressOf(after([own]).state)).toBeUndefined();
  expect(addressOf(after([own, seen('bob', '198.51', '203.0.113.7')]).state)).toBe('203.0.113.7');
  // The interface has another address now, and bob has not seen it yet.
  const moved: OwnAddressInput = { kind: 'own', addresses: [{ family: 'ipv4', address: '203.0.113.8' }] };
  const state = after([own, seen('bob', '198.51', '203.0.113.7'), moved]).state;
  expect(addressOf(state)).toBe('203.0.113.7');
  expect(addressOf(after([seen('bob', '198.51', '203.0.113.8')], state).state)).toBe('203.0.113.8');
});

it('what a friend saw before his connection ended counts no more', () => {
  const state = after([
    seen('bob', '198.51', '203.0.113.7'),
    { kind: 'lost', observer: 'bob' },
    seen('carol', '192.0', '203.0.113.7'),
  ]).state;
  expect(addressOf(state)).toBeUndefined();
});

it('where it can be dialled is believed of the only friend, and of two where there are two', () => {
  const alone = after([seen('bob', '198.51', '203.0.113.7')]);
  expect(alone.state.believed.ipv4?.address).toBe('203.0.113.7');
  expect(alone.effects).toEqual([{ kind: 'believed', address: '203.0.113.7' }]);
  const doubted = after([seen('carol', '198.51', '203.0.113.9')], alone.state);
  expect([doubted.state.believed.ipv4?.address, doubted.effects]).toEqual(['203.0.113.7', []]);
  const agreed = after([seen('bob', '198.51', '203.0.113.9')], doubted.state);
  expect(agreed.state.believed.ipv4?.address).toBe('203.0.113.9');
});

it('the families are apart', () => {
  const { state } = after([seen('bob', '198.51', '203.0.113.7'), seen('carol', '192.0', '2001:db8::7')]);
  expect(state.agreed).toEqual({});
});

it('what the operator set stands against any number of friends, until he lets friends say it again', () => {
  const friends = [seen('bob', '198.51', '203.0.113.7'), seen('carol', '192.0', '203.0.113.7')];
  const set = after([{ kind: 'set', family: 'ipv4', address: '203.0.113.200' }, ...friends]);
  expect(set.state.agreed.ipv4).toMatchObject({ address: '203.0.113.200', by: 'operator' });
  const followed = after([{ kind: 'follow', family: 'ipv4' }], set.state);
  expect(followed.state.agreed.ipv4).toMatchObject({ address: '203.0.113.7', by: 'friends' });
});

it('the history tells every change, and forgets the oldest', () => {
  let state = startOwnAddress();
  for (let index = 0; index < addressChangesMax + 3; index += 1)
    [state] = stepOwnAddress(state, { kind: 'set', family: 'ipv4', address: `203.0.113.${index}` }, index);
  expect(state.history).toHaveLength(addressChangesMax);
  expect(state.history.at(-1)).toMatchObject({ to: `203.0.113.${addressChangesMax + 2}`, by: 'operator' });
});

it('whatever observers say, nothing is agreed that was not seen in two networks at once', () => {
  const inputs = fc.array(
    fc.oneof(
      fc
        .tuple(
          fc.constantFrom('a', 'b', 'c'),
          fc.constantFrom('192.0', '198.51'),
          fc.constantFrom('203.0.113.1', '203.0.113.2'),
        )
        .map(([observer, network, address]) => seen(observer, network, address)),
      fc.constantFrom('a', 'b', 'c').map((observer): OwnAddressInput => ({ kind: 'lost', observer })),
    ),
  );
  fc.assert(
    fc.property(inputs, (all) => {
      let state = startOwnAddress();
      for (const input of all) {
        const [next, effects] = stepOwnAddress(state, input, 0);
        for (const change of changesIn(effects)) {
          const networks = [...next.sightings.values()]
            .filter(({ address }) => address === change.to)
            .map(({ network }) => network);
          expect(new Set(networks).size).toBe(2);
        }
        state = next;
      }
    }),
  );
});
