import { Uint8ArrayList } from 'uint8arraylist';

/** What of @libp2p/tcp 11's connection this file knows. */
interface TcpConnection {
  socket: object;
  sendData(data: Uint8ArrayList): unknown;
}

/**
 * Has a TCP connection write each message in one piece. Noise's length prefix is a chunk of its own, and the transport
 * writes chunk by chunk without Nagle's delay, so that every message would cost a packet of two bytes besides. A
 * connection of another make is left as it is. Call it before anything is written.
 */
export function writeInOnePiece(connection: unknown): void {
  const { socket, sendData } = connection as Partial<TcpConnection>;
  if (typeof socket !== 'object' || typeof sendData !== 'function') return;
  const send = sendData.bind(connection);
  (connection as TcpConnection).sendData = (data) => send(new Uint8ArrayList(data.subarray()));
}
