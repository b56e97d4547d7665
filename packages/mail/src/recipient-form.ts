/**
 * The form in which a local part is looked up: lower case, without quotes and without what follows a `+`. Whether the
 * owner's server does the same is its business; here it only decides between accepting and asking to come again.
 */
export function recipientForm(local: string): string {
  const plain = local.startsWith('"') && local.endsWith('"') && local.length > 2 ? local.slice(1, -1) : local;
  const folded = plain.normalize('NFC').toLowerCase();
  const plus = folded.indexOf('+');
  return plus > 0 ? folded.slice(0, plus) : folded;
}

/** The two recipients that every domain has (RFC 5321 §4.5.1, RFC 2142 §2): never deferred for being unknown. */
export function isAlwaysKnown(form: string): boolean {
  return form === 'postmaster' || form === 'abuse';
}

/** What a file of recipients says about one domain. */
export interface RecipientFile {
  /** In lookup form. */
  known: Set<string>;
  /** `*@domain` stands in it. */
  any: boolean;
  /** Lines that are no address, by number; nothing else of the file is lost by them. */
  badLines: number[];
  /** More addresses than `maxCount`: the rest was left out. */
  tooMany: boolean;
}

/**
 * Reads a file with one address a line, `*@domain` for all of a domain, `#` for remarks. Lines about other domains are
 * passed over, so that one file may serve several. A local part alone counts for every domain.
 */
export function readRecipientFile(text: string, domain: string, maxCount: number): RecipientFile {
  const file: RecipientFile = { known: new Set(), any: false, badLines: [], tooMany: false };
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/(?:^|\s)#.*$/, '').trim();
    if (line === '') continue;
    const at = line.lastIndexOf('@');
    const local = at < 0 ? line : line.slice(0, at);
    const written =
      at < 0
        ? domain
        : line
            .slice(at + 1)
            .toLowerCase()
            .replace(/\.$/, '');
    if (local === '' || written === '' || /\s/.test(line) || line.length > 254) file.badLines.push(index + 1);
    else if (written !== domain) continue;
    else if (local === '*') file.any = true;
    else if (file.known.size >= maxCount) file.tooMany = true;
    else file.known.add(recipientForm(local));
  }
  return file;
}
