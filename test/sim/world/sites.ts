import type { Net } from './net.ts';
import type { Person } from './people.ts';

/** Web sites at owners' homes and their copies at friends': who reaches them is the network's to say. */
export interface Sites {
  /** Would this box get an answer now, of the site at home or of its copy? `owner`: number of the owner's box. */
  answers(from: number, owner: number, where: 'primary' | 'standby'): boolean;
  /** The site itself fails, or works again; failures add up. */
  fail(owner: number, where: 'primary' | 'standby'): void;
  mend(owner: number, where: 'primary' | 'standby'): void;
  /** Power in this home is gone, or back: what stands there does not answer. */
  setPower(box: number, hasPower: boolean): void;
  hasPower(box: number): boolean;
  /** Told after something changed by which this box may or may not reach a site of this owner. */
  onChange(listener: (box: number, owner: number) => void): void;
}

export function sites(options: { people: readonly Person[]; net: Net }): Sites {
  const { people, net } = options;
  const owners = people.flatMap(({ number, owns }) =>
    owns?.standby === undefined ? [] : [{ owner: number, standby: owns.standby }],
  );
  const hostOf = new Map(
    owners.flatMap(({ owner, standby }) => [
      [`primary ${owner}`, owner],
      [`standby ${owner}`, standby],
    ]),
  );
  const failures = new Map<string, number>();
  const powerless = new Set<number>();
  const listeners: ((box: number, owner: number) => void)[] = [];

  const tellAll = (owner: number): void => {
    for (const { number } of people) for (const listener of listeners) listener(number, owner);
  };
  const change = (owner: number, where: string, by: number): void => {
    const place = `${where} ${owner}`;
    failures.set(place, Math.max(0, (failures.get(place) ?? 0) + by));
    tellAll(owner);
  };
  net.onChange((a, b) => {
    for (const { owner, standby } of owners) {
      if (a === owner || a === standby) for (const listener of listeners) listener(b, owner);
      if (b === owner || b === standby) for (const listener of listeners) listener(a, owner);
    }
  });

  return {
    answers: (from, owner, where) => {
      const place = `${where} ${owner}`;
      const host = hostOf.get(place);
      if (host === undefined || powerless.has(host) || (failures.get(place) ?? 0) > 0) return false;
      return from === host || net.connects(from, host);
    },
    fail: (owner, where) => change(owner, where, 1),
    mend: (owner, where) => change(owner, where, -1),
    setPower: (box, hasPower) => {
      if (hasPower) powerless.delete(box);
      else powerless.add(box);
      for (const { owner, standby } of owners) if (box === owner || box === standby) tellAll(owner);
    },
    hasPower: (box) => !powerless.has(box),
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}
