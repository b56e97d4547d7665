import { expect } from 'vitest';
import type { Box } from './box.ts';
import { authoritativeSerial } from './dig.ts';
import { eventually } from './eventually.ts';
import { largeLetter } from './large-letter.ts';
import { runWell } from './run.ts';
import { swaks } from './swaks.ts';
import { zoneText } from './zone-text.ts';

/** What `peer doctor line --json` says. */
export interface LineAnswer {
  bytes: number;
  bytesPerSecond: number;
  ownConnection: boolean;
  limitedBy: string;
  roundTripMs: { before: number; duringMedian: number; duringMax: number };
}

/** Bytes that left this box's namespace so far, by the kernel's count. */
export async function sentBytes({ namespace }: Box): Promise<number> {
  return Number(await runWell(['cat', '/sys/class/net/eth0/statistics/tx_bytes'], { namespace }));
}

/** Has a running box keep to these lines of `[line]`, such as `up = "120kbit"`, and to no other ones. */
export async function setLine(box: Box, ...lines: readonly string[]): Promise<void> {
  const rest = box.read('peer.toml').replace(/\n(up|bulk) = [^\n]*/g, '');
  box.write('peer.toml', rest.replace('[line]', ['[line]', ...lines].join('\n')));
  await box.well(['reload']);
}

/** A zone file that changes, and how long a friend takes to answer with it. */
export interface ChangingZone {
  /** Writes it with the next serial; gives its path. */
  save(): string;
  /** Saves it, and waits until the secondary answers with it. */
  changeMs(): Promise<number>;
}

export function changingZone(options: {
  origin: string;
  owner: Box;
  secondary: Box;
  ns1: string;
  ns2: string;
}): ChangingZone {
  const { origin, owner, secondary, ns1, ns2 } = options;
  let serial = 0;
  const save = (): string => {
    serial += 1;
    return owner.write(`${owner.name}.zone`, zoneText({ serial, ns1, ns2 }));
  };
  return {
    save,
    changeMs: async () => {
      save();
      const startMs = performance.now();
      const { dns, namespace, name } = secondary;
      const isAnswered = async () => (await authoritativeSerial(dns, origin, { namespace })) === serial;
      await eventually(`${name} answers ${serial}`, isAnswered, 20_000);
      return performance.now() - startMs;
    },
  };
}

/** A letter of so many lines of 76 characters, which `holder` takes and keeps for somebody who is away. */
export async function holdLetter(holder: Box, to: string, lines: number): Promise<void> {
  const letter = { server: holder.smtp, namespace: holder.namespace, from: 'erika@outside.test', to };
  const { replies } = await swaks({ ...letter, message: largeLetter(lines) });
  expect(replies.at(-2) ?? replies.join()).toMatch(/^250|^221/);
}
