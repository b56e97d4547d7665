export { type ParsedConfig, parseConfig } from './config.ts';
export type { ZoneConfig } from './config-dns.ts';
export {
  addMail,
  addService,
  addZone,
  type ConfigEdit,
  pinService,
  removeMail,
  removeService,
  removeZone,
  renameFriend,
  setFriend,
  type ZoneToAdd,
} from './config-edit.ts';
export type { FriendConfig, May } from './config-friends.ts';
export { initialConfig } from './config-initial.ts';
export type { MailConfig } from './config-mail.ts';
export {
  absolutePath,
  besideConfig,
  folderOf,
  type HomePaths,
  relativeToConfig,
} from './config-paths.ts';
export { type ConfigProblem, formatProblems } from './config-problems.ts';
export { formatRate } from './config-rate.ts';
export type { Config } from './config-schema.ts';
export type { ServiceConfig } from './config-service.ts';
export { readToml } from './config-toml.ts';
