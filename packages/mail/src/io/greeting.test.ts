import { once } from 'node:events';
import { connect } from 'node:net';
import type { HostPort } from '@copain/core';
import { expect, it } from 'vitest';
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
  await once(socket, 'close');
  return heard;
}

// Where this process gets no turn for 100 ms, what was said too soon comes after the greeting: hence the second try.
it('who talks before the greeting is sent away, until he has shown that he waits: then he is greeted at once', {
  retry: 2,
}, async () => {
  const { recipient } = await ageKey();
  await using bob = await startFriend({ stores: memoryStores(), recipient });
  const hasty = 'EHLO hasty.test\r\nQUIT\r\n';
  // To have been sent away is no waiting.
  for (let i = 0; i < 2; i++) expect(await blurt(bob.address, hasty)).toMatch(/^421 .*talk too soon\r\n$/);
  await using patient = await talkTo(bob.address);
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
