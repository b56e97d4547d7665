export {
  type Answerer,
  type AnswererOptions,
  answerQuery,
  createAnswerer,
  type Transport,
} from './answer.ts';
export {
  formatProblem,
  type Included,
  type MasterFile,
  type MasterFileOptions,
  type MasterRecord,
  parseMasterFile,
  type ResourceRecord,
  type ZoneProblem,
} from './master-file.ts';
export { decodeMessage, encodeMessage, type Message, type MessageRecord, type Question } from './message.ts';
export {
  compareNames,
  type DomainName,
  isAtOrBelow,
  isBelow,
  type NameKey,
  nameKey,
  nameOf,
  nameToText,
  type ParsedName,
  parseName,
  sameName,
} from './name.ts';
export { rdataToText } from './rdata-print.ts';
export { parseRdata } from './rdata-text.ts';
export { canonicalRdata } from './rdata-wire.ts';
export { RecordType, rcodeToText, typeFromText, typeToText } from './record-types.ts';
export type { ServedZone, ServedZones } from './resolve.ts';
export { type BuiltZone, buildZone, decodeZone, encodeZone, type Zone, zoneRecords } from './zone.ts';
export { addToSerial, isNewerSerial } from './zone-serial.ts';
