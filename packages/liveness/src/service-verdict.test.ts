import { expect, it } from 'vitest';
import { judgeService, type ServiceView, serviceFault } from './service-verdict.ts';

const view = (observer: string, state: 'up' | 'down', sinceMs: number, network = observer): ServiceView => ({
  observer,
  network,
  state,
  sinceMs,
  why: state === 'down' ? 'no answer' : '',
});

it('two observers in two networks make a service down, since the second of them', () => {
  expect(judgeService([view('carol', 'down', 90), view('bob', 'down', 50)])).toEqual({
    state: 'down',
    confirmed: true,
    sinceMs: 90,
    downBy: ['bob', 'carol'],
    upBy: [],
    why: 'no answer',
  });
});

it('one observer, or two behind one network, confirm nothing', () => {
  expect(judgeService([view('bob', 'down', 50)])).toMatchObject({ state: 'down', confirmed: false });
  expect(judgeService([view('bob', 'down', 50, 'n'), view('carol', 'down', 60, 'n')])).toMatchObject({
    state: 'down',
    confirmed: false,
  });
});

it('one who reaches it makes it partial, whoever does not', () => {
  const views = [view('bob', 'down', 50), view('carol', 'down', 60), view('dave', 'up', 10)];
  expect(judgeService(views)).toMatchObject({ state: 'partial', confirmed: false, upBy: ['dave'] });
});

it('nobody who can say is unknown; all who reach it is up', () => {
  expect(judgeService([])).toMatchObject({ state: 'unknown', confirmed: false, sinceMs: undefined });
  expect(judgeService([view('bob', 'up', 7)])).toMatchObject({ state: 'up', confirmed: true, sinceMs: 7 });
});

it('the own box tells a dead server from a blocked port', () => {
  expect(serviceFault('down', 'down')).toBe('service');
  expect(serviceFault('down', 'up')).toBe('way');
  expect(serviceFault('partial', 'up')).toBe('way');
  expect(serviceFault('down', undefined)).toBe('unknown');
  expect(serviceFault('up', 'up')).toBe('none');
  expect(serviceFault('up', 'down')).toBe('service');
});
