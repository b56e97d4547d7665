/** The mesh on real sockets: the libp2p host, framed streams, sync streams, and signed envelopes. */
export { type Bulk, type BulkLimits, type BulkSent, type BulkService, startBulk } from './bulk.ts';
export { openFirst, resolveAddresses } from './dial-ways.ts';
export {
  type OpenedEnvelope,
  openEnvelope,
  type SigningKey,
  sha256,
  signingKeyFromProtobuf,
  signingKeyFromSeed,
  verifySignature,
} from './envelope.ts';
export { isFrameTooLarge } from './frame-stream.ts';
export { type Host, type HostEvents, type HostOptions, startHost } from './host.ts';
export { type Line, startLine } from './line.ts';
export { defaultRouter, type MappedPort, mapPort } from './map-port.ts';
export type { ProtocolHandler } from './serve-protocols.ts';
export { type SyncOptions, type SyncStreams, startSyncStreams } from './sync-streams.ts';
