import type { SMTPServer } from 'smtp-server';
import type { PatientClients } from '../patient-clients.ts';

type Connection = SMTPServer['connections'] extends Set<infer T> ? T : never;

/**
 * Greets a client at once that is known to wait for its greeting. smtp-server lets each connection wait for 100 ms, and sends
 * away who talks meanwhile; its own timer calls the method that is replaced here, which a test checks. Called with a
 * connection on which nothing was said yet.
 */
export function greetInTime(connection: Connection, patient: PatientClients, nowMs: () => number): void {
  const greet = connection.connectionReady.bind(connection);
  let greeted = false;
  connection.connectionReady = () => {
    if (greeted) return;
    greeted = true;
    if (connection._socket.bytesRead === 0) patient.add(connection.remoteAddress, nowMs());
    greet();
  };
  if (!patient.has(connection.remoteAddress, nowMs())) return;
  greeted = true;
  greet();
}
