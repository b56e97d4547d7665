/**
 * Words and ports that all rooms share: bytes, times, errors, exit codes, and the ports through which the deciding
 * code meets clock, randomness and disk. Imports nothing.
 *
 *     import { fromHex, isoTime, toHex, type Clock } from '@copain/core';
 *     const at = isoTime(clock.nowMs());
 *
 * Promises: no I/O, no clock, no randomness of its own. Does not know any room.
 */

export {
  formatHostPort,
  type HostPort,
  ipv6Groups,
  isLoopback,
  isPrivate,
  parseHostPort,
  publicFamily,
} from './addresses.ts';
export {
  base32Decode,
  base32Encode,
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  fromUtf8,
  toHex,
  toUtf8,
} from './bytes.ts';
export { CommandError, ExitCode } from './errors.ts';
export { isName, namePattern, visible, visibleJson } from './names.ts';
export type {
  AppendOutcome,
  Clock,
  Files,
  FrameStream,
  Random,
  RecordSource,
  SegmentEntry,
  Segments,
  Table,
  TableChange,
} from './ports.ts';
export {
  formatSize,
  humanDuration,
  isDue,
  isoTime,
  parseDuration,
  parseIsoTime,
  parseSize,
} from './units.ts';
