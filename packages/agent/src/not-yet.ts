import type { Config } from './config-schema.ts';

/**
 * Keys of `peer.toml` that are set and that this version does not act on. The agent says so at every start and reload,
 * so that nobody relies on what is not there.
 */
export function notYet(config: Config): string[] {
  return config.alerts.length === 0 ? [] : ['[[alert]]'];
}
