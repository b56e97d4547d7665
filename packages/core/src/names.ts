/** A box's name and a friend's petname: `a-z 0-9 -`, 1 to 32 characters, no hyphen at either end. */
export const namePattern: RegExp = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/** Is this text a name a box may have? Words that JavaScript objects answer to are no problem: names are Map keys. */
export function isName(text: string): boolean {
  return namePattern.test(text);
}

/**
 * Text from outside, made safe for terminals, logs and pages: control characters, line breaks, bidirectional
 * overrides and zero-width characters become `\u{…}`; longer than `maxLength` is cut with `…`.
 */
export function visible(text: string, maxLength = 200): string {
  let shown = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const hidden =
      code < 0x20 ||
      (code >= 0x7f && code < 0xa0) ||
      (code >= 0x200b && code <= 0x200f) ||
      (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2060 && code <= 0x206f) ||
      code === 0xfeff ||
      (code >= 0xd800 && code <= 0xdfff);
    shown += hidden ? `\\u{${code.toString(16)}}` : character;
    if (shown.length > maxLength) return `${shown.slice(0, maxLength)}…`;
  }
  return shown;
}

/** What `visible` shows as escapes and JSON leaves as it is. */
const leftByJson = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * JSON text of the same value that is safe to look at: characters that move the cursor or turn the line round, and that
 * JSON allows as they are, are written as escapes (RFC 8259 §7). Control characters below 20 hexadecimal are already.
 */
export function visibleJson(json: string): string {
  return json.replaceAll(
    leftByJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
