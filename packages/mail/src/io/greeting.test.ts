import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HostPort } from '@copain/core';
import { afterEach, expect, it, vi } from 'vitest';
import { patientClients } from '../patient-clients.ts';
import { greetInTime } from './greeting.ts';
import { ageKey, memoryStores, startFriend } from './testing.ts';
import { talkTo } from './testing-client.ts';

/** Sends this as soon as it is connected, without waiting for the greeting; gives all that comes until the end. */
async function blurt(address: HostPort, text: string): Promise<string> {
  const socket = connect({ ...address });
  socket.setEncoding('latin1');
  let heard = '';
  socket.on('data', (piece: string) => {
    heard += piece;
  });
  socket.write(text);
  const closed = once(socket, 'close');
  await onceTimersRun();
  await closed;
  return heard;
}

/** Lets the greeting's time pass once the server has taken the connection, and read what had been sent by then. */
async function onceTimersRun(): Promise<void> {
  await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0), { interval: 1 });
  // What was sent on loopback is there at once: it is read in the turn after the one in which the connection is taken.
  for (let turn = 0; turn < 10; turn++) await nextTurn();
  vi.advanceTimersByTime(150);
}

// The time that a client has to wait passes when the test says so, however late this process gets its turns.
afterEach(() => vi.useRealTimers());

it('who talks before the greeting is sent away, until he has shown that he waits: then he is greeted at once', async () => {
  const { recipient } = await ageKey();
  await using bob = await startFriend({ stores: memoryStores(), recipient });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const hasty = 'EHLO hasty.test\r\nQUIT\r\n';
  // To have been sent away is no waiting.
  for (let i = 0; i < 2; i++) expect(await blurt(bob.address, hasty)).toMatch(/^421 .*talk too soon\r\n$/);
  const greeted = talkTo(bob.address);
  await onceTimersRun();
  await using patient = await greeted;
  expect(await patient.say('NOOP')).toMatch(/^250/);
  expect(await blurt(bob.address, hasty)).toMatch(/^220 [^\r]*\r\n250-(?:.*\r\n)*221 [^\r]*\r\n$/);
});

it('half a line before the greeting is no waiting either', () => {
  const patient = patientClients();
  const greetings: string[] = [];
  const connected = (remoteAddress: string, bytesRead: number): { connectionReady: () => void } => {
    const connection = {
      remoteAddress,
      _socket: { bytesRead },
      connectionReady: () => greetings.push(remoteAddress),
    };
    greetInTime(connection as unknown as Parameters<typeof greetInTime>[0], patient, () => 1000);
    return connection;
  };
  // What the library's timer does.
  connected('192.0.2.1', 3).connectionReady();
  connected('192.0.2.2', 0).connectionReady();
  expect(greetings).toEqual(['192.0.2.1', '192.0.2.2']);
  expect([patient.has('192.0.2.1', 1000), patient.has('192.0.2.2', 1000)]).toEqual([false, true]);
  connected('192.0.2.1', 0);
  connected('192.0.2.2', 0).connectionReady();
  expect(greetings.slice(2)).toEqual(['192.0.2.2']);
});
