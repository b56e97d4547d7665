/** The agent on a real machine: what `peer up` runs, and what `peer init` needs to make keys. */
export {
  type ControlContext,
  type ControlHandler,
  type ControlRequest,
  type ControlResponse,
  type ControlSocket,
  type ControlSocketEvents,
  startControlSocket,
} from './control-socket.ts';
export { createIdentity, newSecret, openSecret, sealSecret } from './identity.ts';
export { runAgent } from './run-agent.ts';
export { type RestoredBox, restoreBox, type SaveKey } from './saved-box.ts';
export {
  type StatusHttp,
  type StatusHttpEvents,
  type StatusHttpOptions,
  startStatusHttp,
} from './status-http.ts';
