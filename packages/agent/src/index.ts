export { type ParsedConfig, parseConfig } from './config.ts';
export {
  addMail,
  addZone,
  type ConfigEdit,
  removeMail,
  removeZone,
  renameFriend,
  setFriend,
  type ZoneToAdd,
} from './config-edit.ts';
export { initialConfig } from './config-initial.ts';
export {
  absolutePath,
  besideConfig,
  folderOf,
  type HomePaths,
  relativeToConfig,
} from './config-paths.ts';
export { type ConfigProblem, formatProblems } from './config-problems.ts';
export { formatRate } from './config-rate.ts';
export type { Config, FriendConfig, MailConfig, May, ZoneConfig } from './config-schema.ts';
export { notYet } from './not-yet.ts';
