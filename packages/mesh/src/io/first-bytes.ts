import { Uint8ArrayList } from 'uint8arraylist';
import {
  type ArrivalProof,
  maxFirstBytes,
  readFirstBytes,
  withoutRefusal,
  withProof,
} from '../arrival-proof.ts';

/** What of @libp2p/tcp 11's connection and @libp2p/utils 7's message stream this file knows. */
interface TcpConnection {
  socket: object;
  readBuffer: Uint8ArrayList;
  onData(data: Uint8Array | Uint8ArrayList): void;
  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean };
}

function isTcp(connection: unknown): connection is TcpConnection {
  const { socket, readBuffer, onData, sendData } = connection as Partial<TcpConnection>;
  return (
    typeof socket === 'object' &&
    typeof readBuffer === 'object' &&
    typeof onData === 'function' &&
    typeof sendData === 'function'
  );
}

/**
 * Tells once what a dialler's first bytes prove, without taking them from whoever reads the connection. Call it before
 * anybody does. A connection of another make tells nothing and is never waited for.
 */
export function watchFirstBytes(connection: unknown, spoke: (proof: ArrivalProof | undefined) => void): void {
  if (!isTcp(connection)) {
    spoke(undefined);
    return;
  }
  const pass = connection.onData.bind(connection);
  let received = connection.readBuffer.slice(0, Math.min(connection.readBuffer.byteLength, maxFirstBytes));
  let told = false;
  const judge = (): void => {
    const said = readFirstBytes(received);
    if (said.kind === 'more') return;
    told = true;
    connection.onData = pass;
    spoke(said.kind === 'proof' ? said.proof : undefined);
  };
  connection.onData = (data) => {
    pass(data);
    if (told) return;
    received = Buffer.concat([received, data.subarray(0, maxFirstBytes - received.length)]);
    judge();
  };
  judge();
}

/** Puts the proof into what a connection says first, and takes its refusal out of the answer. */
export function proveFirst(connection: unknown, proof: ArrivalProof): void {
  if (!isTcp(connection)) return;
  const send = connection.sendData.bind(connection);
  const pass = connection.onData.bind(connection);
  connection.sendData = (data) => {
    connection.sendData = send;
    const proven = withProof(data.subarray(), proof);
    if (proven === undefined) return send(data);
    const { canSendMore } = send(new Uint8ArrayList(proven));
    let received: Uint8Array = new Uint8Array();
    connection.onData = (answer) => {
      received = Buffer.concat([received, answer.subarray()]);
      const rest = withoutRefusal(received);
      if (rest === undefined) return;
      connection.onData = pass;
      pass(rest);
    };
    return { sentBytes: data.byteLength, canSendMore };
  };
}
