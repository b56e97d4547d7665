/** What happened to this box, as the events tell it; `by` is the friend who noticed. */
export function foundText(kind: 'restored' | 'cloned', by: string): string {
  if (kind === 'restored') {
    return (
      `This box was put back from an older copy: ${by} saw it run since. ` +
      'It asks friends what it signed before it signs anything, and holds zone files that are older than what they have.'
    );
  }
  return (
    `Another box runs with this box's key: ${by} met both. This one signs nothing any more. ` +
    'Stop the other one for good, then start this one again: peer stop && peer up'
  );
}
