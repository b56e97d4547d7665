/** What a box may do for a friend. */
export const knownRights: readonly ['dns', 'mail', 'backup', 'relay', 'witness'] = [
  'dns',
  'mail',
  'backup',
  'relay',
  'witness',
];
type Right = (typeof knownRights)[number];

/** The rights after a change, in the usual order, or the word that is none. */
export type ChangedRights = { kind: 'rights'; rights: Right[] } | { kind: 'bad'; why: string };

const isRight = (word: string): word is Right => knownRights.some((right) => right === word);

/**
 * Applies `+mail`, `-backup` to the rights there are; words without a sign (`dns`, or `dns,mail`) replace them all;
 * `none` takes all away. Signed and unsigned words do not mix.
 */
export function changeRights(current: readonly string[], words: readonly string[]): ChangedRights {
  const changes = words.flatMap((word) => word.split(',')).filter((word) => word !== '');
  const isSigned = (word: string): boolean => word.startsWith('+') || word.startsWith('-');
  const signed = changes.filter(isSigned).length;
  if (changes.length === 0)
    return { kind: 'bad', why: `say what: ${knownRights.join(', ')}, with + or - to change one` };
  if (signed > 0 && signed < changes.length)
    return { kind: 'bad', why: 'either change rights (+mail -backup) or list them all (dns,mail)' };
  const rights = new Set(signed > 0 ? current.filter(isRight) : []);
  for (const change of changes) {
    if (change === 'none' && changes.length === 1) break;
    const word = isSigned(change) ? change.slice(1) : change;
    if (!isRight(word)) return { kind: 'bad', why: `"${word}" is no right: ${knownRights.join(', ')}` };
    if (change.startsWith('-')) rights.delete(word);
    else rights.add(word);
  }
  return { kind: 'rights', rights: knownRights.filter((right) => rights.has(right)) };
}
