/**
 * What the command `peer` understands by its words: lists of addresses, changes of rights, points in time, what to wait for. The command
 * itself lies in `src/io`: a thin client of the agent's socket that loads the agent only for `peer up`.
 *
 *     const listen = readListenOption('127.0.0.1:53,[::1]:53'); // or 'none'
 *     const may = changeRights(['dns'], ['+mail', '-dns']);
 *     if (may.kind === 'rights') save(may.rights);
 *
 * Promises: no I/O, no clock. Does not know the agent.
 */

export { type ListenFailure, readListenFailure } from './listen-failure.ts';
export { type ReadListen, readListenOption } from './listen-option.ts';
export { type ChangedRights, changeRights, knownRights } from './rights.ts';
export { readSince } from './since.ts';
export { readWaitFor } from './wait-for.ts';
