/** One sentence for the page and the log about a friend whose state changed. `witnesses`: who says he is silent. */
export function friendText(change: {
  name: string;
  to: string;
  confirmed: boolean;
  witnesses: readonly string[];
}): string {
  const { name, to, confirmed, witnesses } = change;
  const seen = witnesses.length === 0 ? '' : `, seen by ${witnesses.join(', ')}`;
  switch (to) {
    case 'up':
      return `${name} is up.`;
    case 'suspect':
      return `${name} is silent: suspect${seen}.`;
    case 'partial':
      return `${name} is silent here, but friends hear him${seen}.`;
    case 'down':
      return `${name} is down${confirmed ? seen : ' as far as I can tell; nobody else could confirm it'}.`;
    default:
      return `${name} is ${to}.`;
  }
}
