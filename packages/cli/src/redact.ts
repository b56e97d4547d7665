/** Names that must not stand in a report: of this box, of friends and their boxes, of services. */
export interface KnownNames {
  own: string;
  friends: readonly string[];
}

/** Gives the same text for the same one, within one report. */
export type Redact = (text: string) => string;

/** Addresses that every box has. */
const isEverywhere = (address: string): boolean => /^(?:127\.|0\.0\.0\.0$|::1?$)/.test(address);

/** Files of copain itself, which look like names of machines. */
const ownFiles = /^(?:peer\.toml|[\w.-]+\.(?:md|ts|js))$/i;

const patterns = [
  ['url', String.raw`[a-z][a-z0-9+.-]*:\/\/[^\s"'<>),;]+`],
  ['mail', String.raw`[\w.!#$%&'*+/=?^{|}~-]+@[\w.-]+`],
  ['token', String.raw`(?<![\w/-])[A-Za-z0-9_+/-]{24,}={0,2}`],
  ['path', String.raw`(?<![\w.])\/[\w.@%+~-]+(?:\/[\w.@%+~-]*)*`],
  ['ipv6', String.raw`(?<![\w:.])(?:[0-9a-f]{0,4}:){2,8}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4})?(?:%\w+)?`],
  ['ipv4', String.raw`(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)`],
  ['domain', String.raw`(?<![\w.-])(?:[a-z0-9_*](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*`],
] as const;

const placeholders: Record<string, string> = {
  url: 'url',
  mail: 'address',
  token: 'id',
  path: 'path',
  ipv6: 'ip',
  ipv4: 'ip',
  domain: 'name',
  friend: 'friend',
};

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * Puts placeholders for whatever tells who somebody is: names of the circle, of machines and domains, addresses, ids, paths.
 * One pass, so that a placeholder is never taken for a name.
 */
export function redactor({ own, friends }: KnownNames): Redact {
  const known = [own, ...friends].filter((name) => name !== '').sort((a, b) => b.length - a.length);
  const names = known.length === 0 ? '(?!)' : `(?<![\\w-])(?:${known.map(quoted).join('|')})(?![\\w-])`;
  const all = [...patterns.map(([kind, source]) => `(?<${kind}>${source})`), `(?<friend>${names})`];
  const pattern = new RegExp(all.join('|'), 'gi');
  const given = new Map<string, string>();
  const counts = new Map<string, number>();
  const placeholder = (kind: string, text: string): string => {
    const word = placeholders[kind] ?? 'text';
    const id = `${word} ${text.toLowerCase()}`;
    const before = given.get(id);
    if (before !== undefined) return before;
    const next = (counts.get(word) ?? 0) + 1;
    counts.set(word, next);
    given.set(id, `${word}-${next}`);
    return `${word}-${next}`;
  };
  return (text) =>
    text.replaceAll(pattern, (match: string, ...rest: unknown[]) => {
      const groups = rest.at(-1) as Record<string, string | undefined>;
      const kind = Object.keys(groups).find((name) => groups[name] !== undefined) ?? 'domain';
      if (kind === 'friend' && match.toLowerCase() === own.toLowerCase()) return 'me';
      if (kind === 'ipv6' && !match.includes('::') && match.split(':').length < 5) return match;
      if ((kind === 'ipv4' || kind === 'ipv6') && isEverywhere(match)) return match;
      if (kind === 'path' && match.startsWith('/copain/')) return match;
      if (kind === 'domain' && ownFiles.test(match)) return match;
      return placeholder(kind, match);
    });
}

/** Values whose key says that they are a word of copain's own. */
const ownWords = new Set(['schema', 'kind', 'state', 'role', 'level', 'weight', 'by', 'fault']);
/** Names of checks of `peer doctor`, without those that name somebody. */
const checkId = /^(?:disk|dns|mail|net)\.[a-z-]+$/;
/** What somebody wrote for others to read. */
const freeTexts = new Set(['note']);

/** The same document with every text in it redacted; keys, numbers and words of copain's own stay. */
export function redactDocument(value: unknown, redact: Redact, key = ''): unknown {
  if (typeof value === 'string') {
    if (freeTexts.has(key)) return '(text)';
    if (key === 'id' && checkId.test(value)) return value;
    return ownWords.has(key) && /^[a-z][a-z./0-9-]*$/.test(value) && redactedWord(value, redact, key)
      ? value
      : redact(value);
  }
  if (Array.isArray(value)) return value.map((item) => redactDocument(item, redact, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      redactDocument(withoutNote(value, item), redact, name),
    ]),
  );
}

/** The event of an absence ends with what the friend wrote about it. */
const withoutNote = (event: object, item: unknown): unknown =>
  typeof item === 'string' && 'kind' in event && event.kind === 'friend.away'
    ? item.replace(/: .*$/s, '.')
    : item;

/** `by` is a word in one place and a friend in another. */
const redactedWord = (value: string, redact: Redact, key: string): boolean =>
  key !== 'by' || redact(value) === value;

const settings =
  /^(?:\d+(?:\.\d+)?[A-Za-z]+|learn|any|accept|defer|proxy-v[12]|xclient|none|obey|up|down|dns|mail|backup|relay|witness)$/;

/** A configuration by its shape: which keys are set, and what of their values tells nothing about anybody. */
export function redactConfig(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') {
    if (value === '' || settings.test(value)) return value;
    const shown = redact(value);
    return /^(?:[a-z]+-\d+|me|127\.[\d.]+|0\.0\.0\.0|\[::1?\])(?::\d+)?$/.test(shown) ? shown : '(text)';
  }
  if (Array.isArray(value)) return value.map((item) => redactConfig(item, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, redactConfig(item, redact)]));
}

/**
 * Names that events of friends tell, of those too who have left: what happened to somebody begins with his name, and who was
 * removed or renamed comes with a second one.
 */
export function namesInEvents(events: readonly { kind: string; text: string }[]): string[] {
  const found = events.flatMap(({ kind, text }) => {
    if (!kind.startsWith('friend.')) return [];
    const [first = '', , second = ''] = text.split(' ');
    const renamed = /^\S+ is called (\S+) on/.exec(text)?.[1] ?? '';
    const by = / by ([a-z0-9-]+)/.exec(text)?.[1] ?? '';
    return [first, kind === 'friend.removal-proposed' ? second : '', renamed, by];
  });
  return [...new Set(found.map((name) => name.toLowerCase()))].filter(
    (name) => /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(name) && !commonWords.has(name),
  );
}

/** Words at the beginning of events that are nobody's name. */
const commonWords = new Set([
  'a',
  'the',
  'this',
  'you',
  'my',
  'me',
  'himself',
  'somebody',
  'others',
  'its',
  'one',
]);
