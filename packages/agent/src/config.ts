import { checkAcross } from './config-across.ts';
import { configLimits } from './config-limits.ts';
import { type ConfigProblem, problemAt } from './config-problems.ts';
import { type Config, checkShape } from './config-schema.ts';
import { describePath, readToml } from './config-toml.ts';

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
  return { kind: 'ok', config: shape.config };
}
