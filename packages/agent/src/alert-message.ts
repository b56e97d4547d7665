import { humanDuration, isoTime, visible } from '@copain/core';
import { alertLimits } from './alert-limits.ts';
import type { AlertItem } from './alert-step.ts';

/** What is sent, in words and as a document. */
export interface AlertMessage {
  /** The same for the same content: a server that is asked twice can tell. Letters, digits, `.` and `-`. */
  id: string;
  kind: 'alert' | 'over' | 'test';
  weight: 'danger' | 'attention';
  /** One line. */
  title: string;
  /** Lines without control characters, the last one ended too. */
  text: string;
  /** `peer.alert/1`. */
  document: Record<string, unknown>;
}

const shortTime = (atMs: number): string => `${isoTime(atMs).slice(0, 16).replace('T', ' ')} UTC`;

/** One sentence about a trouble, as it is told now. */
function sentence({ state, kept }: AlertItem): string {
  const { raised, trouble, over, offSinceMs } = kept;
  const said = visible(raised?.text ?? trouble.text, alertLimits.textCharacters);
  const sinceMs = raised?.sinceMs ?? kept.firstAtMs;
  const endMs = over?.atMs ?? offSinceMs ?? sinceMs;
  const span = `from ${shortTime(sinceMs)}, for ${humanDuration(endMs - sinceMs)}`;
  switch (state) {
    case 'on':
      return said;
    case 'over':
      return trouble.over === undefined
        ? `Over (${span}): ${said}`
        : `${visible(trouble.over, alertLimits.textCharacters)} (It was ${span}.)`;
    case 'ended':
      return `It is over already (${span}): ${said}`;
  }
}

/** The message that tells these, in their order. `box`: the name of this box. */
export function alertMessage(
  items: readonly AlertItem[],
  box: { name: string; nowMs: number },
): AlertMessage {
  const shown = items.slice(0, alertLimits.itemsShown);
  const more = items.length - shown.length;
  const kind = items.some(({ state }) => state === 'on') ? 'alert' : 'over';
  const isGrave = items.some(({ state, kept }) => state === 'on' && kept.trouble.weight === 'danger');
  const sentences = shown.map(sentence);
  const rest = more > 0 ? [`And ${more} more: peer alerts list`] : [];
  const lines = shown.flatMap((item, at) => {
    const text = sentences[at] ?? '';
    if (item.state !== 'on') return [text];
    return [
      text,
      `  since ${shortTime(item.kept.raised?.sinceMs ?? box.nowMs)}  →  ${visible(item.kept.trouble.command, 300)}`,
    ];
  });
  const [first = ''] = sentences;
  const others = items.length > 1 ? ` (and ${items.length - 1} more)` : '';
  return {
    id: items
      .map(({ id, state, kept }) => `${id}-${state === 'on' ? (kept.raised?.stage ?? 0) : state}`)
      .join('.'),
    kind,
    weight: isGrave ? 'danger' : 'attention',
    title: `${box.name}: ${shortened(first)}${others}`,
    text: `${[...lines, ...rest].join('\n')}\n`,
    document: {
      schema: 'peer.alert/1',
      box: box.name,
      at: isoTime(box.nowMs),
      kind,
      text: sentences.join('\n'),
      more,
      alerts: shown.map((item, at) => ({
        ...alertDocument(item),
        text: sentences[at],
      })),
    },
  };
}

/** One alert as `peer.alert/1` and `peer alerts list --json` write it. */
export function alertDocument({ id, state, kept }: AlertItem): Record<string, unknown> {
  const { trouble, raised, over, offSinceMs } = kept;
  const untilMs = over?.atMs ?? offSinceMs;
  return {
    id,
    key: trouble.key,
    kind: trouble.kind,
    about: [...trouble.about],
    level: trouble.weight,
    state: state === 'on' ? 'on' : 'over',
    since: isoTime(raised?.sinceMs ?? kept.firstAtMs),
    until: untilMs === undefined ? null : isoTime(untilMs),
    text: visible(raised?.text ?? trouble.text, alertLimits.textCharacters),
    command: trouble.command,
  };
}

/** What `peer alerts test` sends. `id`: another one each time. */
export function testMessage(box: { name: string; nowMs: number; id: string }): AlertMessage {
  const text = `This is a test of alerts, asked for on ${box.name} at ${shortTime(box.nowMs)}. Nothing is wrong.`;
  return {
    id: box.id,
    kind: 'test',
    weight: 'attention',
    title: `${box.name}: a test of alerts`,
    text: `${text}\n`,
    document: {
      schema: 'peer.alert/1',
      box: box.name,
      at: isoTime(box.nowMs),
      kind: 'test',
      text,
      more: 0,
      alerts: [],
    },
  };
}

const titleCharacters = 120;
const shortened = (text: string): string =>
  text.length <= titleCharacters ? text : `${text.slice(0, titleCharacters - 1)}…`;
