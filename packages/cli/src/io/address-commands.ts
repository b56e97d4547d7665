import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, ExitCode, visible, visibleJson } from '@copain/core';
import type { AddressInfo, AddressTold } from '@copain/status';
import { cliLimits } from '../limits.ts';
import type { Session } from './session.ts';

const familyNames = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;

function addressText(info: AddressInfo): string {
  const lines = (['ipv4', 'ipv6'] as const).map((family) => {
    const one = info[family];
    if (one === null) return `${familyNames[family]}  not known`;
    const by = one.by === 'operator' ? 'set by you' : 'seen from two networks';
    return `${familyNames[family]}  ${one.address}  ${by}, since ${one.since}`;
  });
  for (const address of info.unconfirmed)
    lines.push(
      `${visible(address)} is seen from one network only. If it is yours: peer address set ${visible(address)}`,
    );
  lines.push(
    info.followedBy.length === 0
      ? 'No name follows it: follow = ["@"] in [[zone]] of peer.toml'
      : `Followed by ${info.followedBy.map((name) => visible(name)).join(', ')}`,
  );
  lines.push(...info.told.map(toldLine));
  return `${lines.join('\n')}\n`;
}

function toldLine({ to, ipv4, ipv6, at, current, failing }: AddressTold): string {
  const has = [ipv4, ipv6].filter((address) => address !== null).join(', ');
  const who = visible(to, 300);
  const last = at === null ? 'was never told' : `has ${has}, told ${at}`;
  if (failing !== null)
    return `${who} ${last}; it fails since ${failing.since}: ${visible(failing.text, 400)}; next try ${failing.nextTryAt}`;
  return current || at !== null ? `${who} ${last}` : `${who} is told once an address counts`;
}

/** `peer address [show]`. */
export async function showAddress(session: Session): Promise<void> {
  const info = (await session.ask('address.show')) as AddressInfo;
  session.answer('address', { ...info }, addressText(info));
}

/** `peer address history`: oldest first. */
export async function addressHistory(session: Session): Promise<void> {
  const { history } = (await session.ask('address.show')) as AddressInfo;
  session.answer('address.history', { history }, history.map(changeLine).join(''));
  if (history.length === 0 && !session.isJson) session.say('peer: no public address was agreed yet');
}

function changeLine({ at, family, from, to, by }: AddressInfo['history'][number]): string {
  const before = from === null ? '' : `  before ${from}`;
  return `${at}  ${familyNames[family]}  ${to}${before}${by === 'operator' ? '  set by you' : ''}\n`;
}

/** `peer address set IP | auto`. 65 where the internet does not route it. */
export async function setAddress(session: Session, address: string): Promise<void> {
  const info = (await session.ask('address.set', { address })) as AddressInfo;
  session.answer('address', { ...info }, addressText(info));
}

/** `peer address watch`: a line for every change until interrupted; an agent that restarts meanwhile is waited for. */
export async function watchAddress(session: Session): Promise<void> {
  const { stdout, interrupted } = session.world;
  let told: number | undefined;
  while (!interrupted.aborted) {
    try {
      const { history } = (await session.ask('address.show', {}, { signal: interrupted })) as AddressInfo;
      // What was before the watch began is for `history`; the newest line says where it begins.
      const since = told ?? Date.parse(history.at(-1)?.at ?? '1970-01-01T00:00:00Z') - 1;
      for (const change of history.filter(({ at }) => Date.parse(at) > since)) {
        stdout.write(
          session.isJson
            ? `${visibleJson(JSON.stringify({ schema: 'peer.address.change/1', ...change }))}\n`
            : changeLine(change),
        );
      }
      told = Math.max(since, Date.parse(history.at(-1)?.at ?? '1970-01-01T00:00:00Z'));
    } catch (error) {
      if (!(error instanceof CommandError) || error.exit !== ExitCode.unreachable) throw error;
      if (told === undefined && !interrupted.aborted) throw error;
    }
    await sleep(cliLimits.watchEveryMs, undefined, { signal: interrupted }).catch(() => undefined);
  }
}
