import { grantsFault } from '@copain/trust';
import { checkAcross } from './config-across.ts';
import { configLimits } from './config-limits.ts';
import { type ConfigProblem, problemAt } from './config-problems.ts';
import { type Config, checkShape } from './config-schema.ts';
import { describePath, readToml, type TomlPath } from './config-toml.ts';

/** What became of reading a `peer.toml`. */
export type ParsedConfig = { kind: 'ok'; config: Config } | { kind: 'bad'; problems: ConfigProblem[] };

/**
 * Checks the text of a `peer.toml` and reports every mistake at once, each with its place, in the order of the text.
 * A mistake in the TOML syntax hides the rest and is reported alone. `fileName` is what the messages call the file.
 * Never throws.
 */
export function parseConfig(text: string, options: { fileName: string }): ParsedConfig {
  const { fileName } = options;
  if (text.length > configLimits.fileCharacters) {
    const message = `the file is too long, at most ${configLimits.fileCharacters} characters are read`;
    return {
      kind: 'bad',
      problems: [problemAt({ fileName, text: '', place: { line: 1, column: 1 }, key: '', message })],
    };
  }
  const read = readToml(text);
  if (read.kind === 'bad') {
    return {
      kind: 'bad',
      problems: [problemAt({ fileName, text, place: read.place, key: '', message: read.message })],
    };
  }
  const shape = checkShape(read.value);
  const findings = [...(shape.kind === 'bad' ? shape.findings : []), ...checkAcross(read.value)];
  const problems = findings.map(({ path, message, at }) =>
    problemAt({ fileName, text, place: read.placeOf(path, at), key: describePath(path), message }),
  );
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  if (shape.kind === 'bad' || problems.length > 0)
    return { kind: 'bad', problems: problems.slice(0, configLimits.problems) };
  const tooMuch = grantsProblem(shape.config);
  if (tooMuch !== undefined) {
    const { zones, mail } = shape.config;
    // The last one is what was added.
    const path: TomlPath = zones.length > 0 ? ['zone', zones.length - 1] : ['mail', mail.length - 1];
    const place = read.placeOf(path, 'key');
    const key = describePath(path);
    return { kind: 'bad', problems: [problemAt({ fileName, text, place, key, message: tooMuch })] };
  }
  return { kind: 'ok', config: shape.config };
}

/** Can friends be told of all that is entrusted to them? Who they are plays no part: each takes the same room. */
function grantsProblem({ zones, mail }: Config): string | undefined {
  const names = [...new Set([...zones, ...mail].flatMap((one) => namedIn(one) ?? []))];
  const ids = new Map(names.map((name, at) => [name, at.toString(16).padStart(64, '0')]));
  const idsOf = (listed: readonly string[] | undefined): string[] | undefined =>
    listed?.map((name) => ids.get(name) ?? '');
  return grantsFault({
    zones: zones.map((zone) => ({ name: zone.origin, to: idsOf(zone.secondaries) })),
    mail: mail.map((domain) => ({
      name: domain.domain,
      to: idsOf(domain.backups),
      quotaBytes: Number.MAX_SAFE_INTEGER,
    })),
  });
}

const namedIn = (one: Config['zones'][number] | Config['mail'][number]): readonly string[] | undefined =>
  'origin' in one ? one.secondaries : one.backups;
