import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextServices, standbySets, type WantedService } from './own-services.ts';

const web: WantedService = {
  name: 'web',
  zone: 'alice.example',
  record: 'www.alice.example',
  standby: '00'.repeat(32),
  check: 'https://www.alice.example/',
  ttlS: 300,
  sets: [{ type: 1, data: [Uint8Array.of(192, 0, 2, 1)], signatures: [] }],
  afterMs: 180_000,
  maxMs: 86_400_000,
  holdMs: 600_000,
  pin: 'obey',
};
const nothing = { services: [], ended: [] };
const at = (number: number) => ({ inForce: new Map([['web', number]]) });
const numbers = (said: ReturnType<typeof nextServices>) => [
  said.services.map(({ number }) => number),
  said.ended,
];

it('a new service begins at home, above all that was in force under its name', () => {
  expect(numbers(nextServices(nothing, [web], at(0)))).toEqual([[0], []]);
  expect(numbers(nextServices(nothing, [web], at(3)))).toEqual([[4], []]);
});

it('a takeover goes on while its owner changes something else, and ends when he lets it go or pins it up', () => {
  const said = nextServices(nothing, [web], at(0));
  expect(numbers(nextServices(said, [{ ...web, ttlS: 60 }], at(1)))).toEqual([[0], []]);
  expect(numbers(nextServices(said, [{ ...web, pin: 'up' }], at(1)))).toEqual([[2], []]);
  const pinned = nextServices(said, [{ ...web, pin: 'down' }], at(1));
  expect(numbers(pinned)).toEqual([[0], []]);
  expect(numbers(nextServices(pinned, [web], at(1)))).toEqual([[2], []]);
});

it('a service that is no more leaves its transitions behind in its zone, at home', () => {
  const said = nextServices(nothing, [web], at(0));
  expect(numbers(nextServices(said, [], at(3)))).toEqual([[], [{ zone: 'alice.example', number: 4 }]]);
  const moved = nextServices(said, [{ ...web, zone: 'www.alice.example' }], at(3));
  expect(numbers(moved)).toEqual([[4], [{ zone: 'alice.example', number: 4 }]]);
});

it('a rehearsal is kept until it is ended, and its end is above what it did', () => {
  const said = nextServices(nothing, [web], at(0));
  const begun = nextServices(said, [web], { ...at(0), drills: new Map([['web', { untilMs: 9 }]]) });
  expect(begun.services[0]).toMatchObject({ number: 0, drill: { untilMs: 9 } });
  const later = nextServices(said, [web], { ...at(2), drills: new Map([['web', { untilMs: 9 }]]) });
  expect(later.services[0]).toMatchObject({ number: 2, drill: { untilMs: 9 } });
  expect(nextServices(begun, [web], at(1)).services[0]?.drill).toEqual({ untilMs: 9 });
  const over = nextServices(begun, [web], { ...at(1), drills: new Map([['web', undefined]]) });
  expect(over.services[0]).toMatchObject({ number: 2, drill: undefined });
});

it('whatever is asked for in whatever order, what a zone adds to its serial never falls', () => {
  const step = fc.record({
    wanted: fc.constantFrom('web', 'none', 'up', 'down', 'obey'),
    risen: fc.nat(3),
    drill: fc.constantFrom('none', 'begin', 'end'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let said: ReturnType<typeof nextServices> = nothing;
      let force = 0;
      let sum = 0;
      for (const { wanted, risen, drill } of steps) {
        force += risen;
        const pin = wanted === 'up' || wanted === 'down' ? wanted : 'obey';
        const drills = new Map(
          drill === 'none' ? [] : [['web', drill === 'begin' ? { untilMs: 9 } : undefined]],
        );
        const had = said.services.length > 0;
        said = nextServices(said, wanted === 'none' ? [] : [{ ...web, pin }], {
          ...at(had ? force : 0),
          drills,
        });
        const [one] = said.services;
        if (one !== undefined) force = Math.max(force, one.number);
        const next =
          said.ended.reduce((all, { number }) => all + number, 0) + (one === undefined ? 0 : force);
        expect(next).toBeGreaterThanOrEqual(sum);
        sum = next;
      }
    }),
  );
});

it('standbys become records: addresses of both families, or SRV', () => {
  expect(
    standbySets([
      { friend: 'bob', at: { kind: 'ipv4', address: '192.0.2.1' } },
      { friend: 'bob', at: { kind: 'ipv6', address: '2001:db8::1' } },
    ]).map(({ type, data }) => [type, data.map(({ length }) => length)]),
  ).toEqual([
    [1, [4]],
    [28, [16]],
  ]);
  const [srv] = standbySets([{ friend: 'bob', at: { kind: 'srv', host: 'x.example', port: 5222 } }]);
  expect([srv?.type, [...(srv?.data[0] ?? [])]]).toEqual([
    33,
    [0, 0, 0, 0, 0x14, 0x66, 1, 120, 7, ...Buffer.from('example'), 0],
  ]);
});
