import type { Config } from './config-schema.ts';

/** What of a configuration takes effect at the next start only; `started` is what the running agent is bound to. */
export function restartNotes(started: Config, after: Config): string[] {
  const bound = (config: Config): Record<string, unknown> => ({
    '[mesh] listen': config.mesh.listen,
    '[dns] listen': config.dns.listen,
    '[dns] nsid, hostname, version': [config.dns.nsid, config.dns.hostname, config.dns.version],
    '[dns] transfer': config.dns.transfer,
    '[dns] workers': config.dns.workers,
    '[dns] rate-limit': config.dns.answersPerSecond,
    '[smtp] listen': config.smtp.listen,
    '[[smtp.raw]] listen': config.smtp.raw.map(({ listen }) => listen),
    '[smtp] hostname': config.smtp.hostname,
    '[http] listen': config.http.listen,
    '[http] token-file': config.http.tokenFile,
  });
  const was = bound(started);
  return Object.entries(bound(after)).flatMap(([key, value]) =>
    JSON.stringify(value) === JSON.stringify(was[key]) ? [] : [key],
  );
}
