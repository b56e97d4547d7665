export {
  type ControlContext,
  type ControlHandler,
  type ControlRequest,
  type ControlResponse,
  type ControlSocket,
  type ControlSocketEvents,
  startControlSocket,
} from './control-socket.ts';
export {
  type StatusHttp,
  type StatusHttpEvents,
  type StatusHttpOptions,
  startStatusHttp,
} from './status-http.ts';
