/**
 * What people call a message: the first 12 hexadecimal digits of its first recipient's tag. The same message has the same
 * id at every friend who holds it and at its owner; among 100,000 messages two with one id are a chance of 1 to 50,000,
 * and then a longer name decides (`matchesId`).
 */
export function messageId(tags: readonly string[]): string {
  return (tags[0] ?? '').slice(0, 12);
}

/** Shortest beginning of an id that is taken for the id. */
const shortestId = 4;

/** Does what a person typed mean this message? Beginnings of four digits or more do. */
export function matchesId(typed: string, id: string): boolean {
  const plain = typed.toLowerCase();
  return plain.length >= shortestId && id.startsWith(plain);
}
