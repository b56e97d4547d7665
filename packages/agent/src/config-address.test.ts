import { expect, it } from 'vitest';
import { parseConfig } from './config.ts';

const problems = (tables: string): string[] => {
  const parsed = parseConfig(`name = "alice"\n${tables}`, { fileName: 'peer.toml' });
  return parsed.kind === 'ok'
    ? []
    : parsed.problems.map(({ line, key, message }) => `${line} ${key}: ${message}`);
};
const update = '[[address.update]]\nserver = "192.0.2.53:53"\nzone = "dyn.example"\n';

it('a program that is told of the address is named by its absolute path', () => {
  expect(problems('[address]\nhook = ["tell"]')).toEqual([
    expect.stringContaining('3 address.hook: begins with'),
  ]);
  expect(problems('[address]\nhook = "/tell"')).toEqual([expect.stringContaining('must be a list')]);
  expect(problems('[address]\nhook = ["/tell", "a b", ""]')).toEqual([]);
  expect(problems(`[address]\nhook = ["/tell"${', "x"'.repeat(20)}]`)).toEqual([
    '3 address.hook: has more than 20 entries',
  ]);
});

it('names that are updated are of a zone of somebody else', () => {
  expect(problems(`${update}names = ["home"]`)).toEqual([]);
  expect(problems(`[[zone]]\norigin = "Dyn.example"\nfile = "z"\n${update}names = ["home"]`)).toEqual([
    '7 address.update[1].zone: is a zone of this box: its names follow the address with follow = ["@"] in its [[zone]]',
  ]);
});

it('an update names something, at most fifty names, with a lifetime up to a day, and there are at most twenty', () => {
  expect(problems(`${update}names = []`)).toEqual(['5 address.update[1].names: names nothing']);
  const many = Array.from({ length: 51 }, (_, at) => `"n${at}"`).join();
  expect(problems(`${update}names = [${many}]`)).toEqual([
    '5 address.update[1].names: has more than 50 entries',
  ]);
  expect(problems(`${update}names = ["@"]\nttl = "2d"`)).toEqual([
    '6 address.update[1].ttl: "2d" is no time from 1s to 1d',
  ]);
  expect(problems(`${update}names = ["@"]\n`.repeat(21))[0]).toContain('has more than 20 entries');
});
