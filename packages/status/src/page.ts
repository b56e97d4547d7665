import { formatSize, humanDuration } from '@copain/core';
import { heightOf, historyWords, upWords } from './history-text.ts';
import { type Html, html, noHtml } from './html.ts';
import { statusLimits } from './limits.ts';
import { pageStyle } from './page-style.ts';
import { insideWords, seenByWords, serviceWords } from './service-text.ts';
import type {
  FriendState,
  FriendStatus,
  HistoryStatus,
  MailStatus,
  ServiceStatus,
  StatusDocument,
  VerdictLevel,
  ZoneStatus,
} from './status-document.ts';
import { heldSince, lineWords, pathWords, problemLine, stateWords, verdictTitle } from './text.ts';
import { backupsWithState, instant, isNewerSerial, joinNames } from './wording.ts';

type Shape = 'full' | 'half' | 'cross' | 'diamond' | 'ring' | 'triangle';
type Tone = 'good' | 'warn' | 'bad' | 'calm' | 'dim';

/** Drawn, not typed: fonts lack many of these glyphs. The word beside the shape says the same. */
const shapes: Record<Shape, Html> = {
  full: html`<circle cx="8" cy="8" r="7"/>`,
  half: html`<circle cx="8" cy="8" r="6" fill="none" stroke-width="2"/><path d="M8 2v12A6 6 0 0 1 8 2" stroke="none"/>`,
  cross: html`<path d="M3 3l10 10M13 3L3 13" stroke-width="3"/>`,
  diamond: html`<path d="M8 1l7 7-7 7-7-7z" fill="none" stroke-width="2"/>`,
  ring: html`<circle cx="8" cy="8" r="6" fill="none" stroke-width="2" stroke-dasharray="3 2"/>`,
  triangle: html`<path d="M8 2l7 12H1z" stroke="none"/>`,
};

const icon = (shape: Shape): Html => html`<svg viewBox="0 0 16 16" aria-hidden="true">${shapes[shape]}</svg>`;

const states: Record<FriendState, { shape: Shape; tone: Tone }> = {
  up: { shape: 'full', tone: 'good' },
  slow: { shape: 'half', tone: 'warn' },
  suspect: { shape: 'half', tone: 'warn' },
  partial: { shape: 'half', tone: 'warn' },
  down: { shape: 'cross', tone: 'bad' },
  away: { shape: 'diamond', tone: 'calm' },
  unknown: { shape: 'ring', tone: 'dim' },
};

const levels: Record<VerdictLevel, { shape: Shape; tone: Tone }> = {
  ok: { shape: 'full', tone: 'good' },
  attention: { shape: 'triangle', tone: 'warn' },
  danger: { shape: 'cross', tone: 'bad' },
};

interface Column {
  label: string;
  isNumber?: boolean;
}

/**
 * A table that keeps its meaning when its rows become cards: roles are written out, since `display: block` takes them
 * away, and each cell knows its heading. An empty cell is left out of the card.
 */
function table(options: {
  caption: string;
  columns: readonly Column[];
  rows: readonly { head: Html; cells: readonly Html[] }[];
}): Html {
  const { caption, columns, rows } = options;
  const [first, ...others] = columns;
  const className = (column: Column | undefined, cell: Html): string =>
    [column?.isNumber ? 'num' : '', cell.markup === '' ? 'none' : ''].filter((name) => name !== '').join(' ');
  const shown = rows.slice(0, statusLimits.pageRows);
  const more = rows.length - shown.length;
  return html`<div class="wide" role="region" aria-label="${caption}" tabindex="0"><table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${first?.label ?? ''}</th>${others.map(
    (column) =>
      html`<th role="columnheader" scope="col" class="${column.isNumber ? 'num' : ''}">${column.label}</th>`,
  )}</tr></thead>
<tbody role="rowgroup">
${shown.map(
  ({ head, cells }) => html`<tr role="row"><th role="rowheader" scope="row">${head}</th>${cells.map(
    (cell, index) =>
      html`<td role="cell" class="${className(others[index], cell)}" data-label="${others[index]?.label ?? ''}"><span>${cell}</span></td>`,
  )}</tr>
`,
)}</tbody></table></div>${more > 0 ? html`<p>And ${more} more in <a href="/status.json">status.json</a>.</p>` : noHtml}`;
}

const text = (value: string): Html => html`${value}`;

/** The last 30 days as columns, three paths for as many colours; the words say the same. */
function historyCell(history: HistoryStatus | null): Html {
  if (history === null) return noHtml;
  const days = history.days.slice(-30);
  const paths: Record<'good' | 'warn' | 'bad', string> = { good: '', warn: '', bad: '' };
  days.forEach((part, index) => {
    if (part === null) return;
    const height = 2 * (heightOf(part) + 1);
    const tone = part >= 0.9995 ? 'good' : part >= 0.95 ? 'warn' : 'bad';
    paths[tone] += `M${index * 4} 16v-${height}h3v${height}z`;
  });
  const drawn = (['good', 'warn', 'bad'] as const)
    .filter((tone) => paths[tone] !== '')
    .map((tone) => html`<path class="${tone}" d="${paths[tone]}"/>`);
  const words = `30 d ${upWords(history.up30d)}`;
  return html`<svg class="days" viewBox="0 0 120 16" role="img" aria-label="${historyWords(history)}">${drawn}</svg><br><span class="dim">${words}</span>`;
}

const age = (time: string | null, nowMs: number): Html => {
  const atMs = instant(time);
  return atMs === undefined || time === null
    ? noHtml
    : html`<time datetime="${time}">${humanDuration(nowMs - atMs)} ago</time>`;
};

const heldAge = (time: string | null, nowMs: number): Html =>
  time === null ? noHtml : html`<time datetime="${time}">${heldSince(time, nowMs)} ago</time>`;

function verdictSection(status: StatusDocument): Html {
  const { verdict } = status;
  const { shape, tone } = levels[verdict.level];
  const todo = verdict.todo.map(
    ({ text: why, command }) => html`<li>${why} <code>${command}</code></li>
`,
  );
  return html`<section class="verdict ${tone}" aria-labelledby="verdict">
<h2 id="verdict">${icon(shape)}${verdictTitle(status)}</h2>
<p>${verdict.text}</p>
${todo.length === 0 ? noHtml : html`<ul>${todo}</ul>`}</section>`;
}

function friendsSection(friends: readonly FriendStatus[], nowMs: number): Html {
  if (friends.length === 0)
    return html`<section aria-labelledby="friends"><h2 id="friends">Friends</h2><p>None yet.</p></section>`;
  const rows = friends.map((friend) => {
    const { shape, tone } = states[friend.state];
    const witnesses =
      friend.seenDownBy.length === 0
        ? noHtml
        : html`<br><span class="dim">not heard by ${joinNames(friend.seenDownBy, 8)}</span>`;
    const doubt = friend.confirmed ? noHtml : html`<br><span class="dim">not confirmed</span>`;
    return {
      head: text(friend.name),
      cells: [
        html`<span class="${tone}">${icon(shape)}${stateWords(friend, nowMs)}</span>${friend.state === 'down' ? doubt : noHtml}${witnesses}`,
        age(friend.lastHeardAt, nowMs),
        text(pathWords(friend)),
        friend.rttMs === null ? noHtml : html`${friend.rttMs} ms`,
        historyCell(friend.history),
        text(friend.may.join(', ')),
        text(friend.offers.join(', ')),
      ],
    };
  });
  const columns = [
    { label: 'Friend' },
    { label: 'State' },
    { label: 'Last heard' },
    { label: 'Path' },
    { label: 'Round trip', isNumber: true },
    { label: 'Last 30 days' },
    { label: 'I do for them' },
    { label: 'They offer me' },
  ];
  return html`<section aria-labelledby="friends"><h2 id="friends">Friends</h2>
${table({ caption: 'Who is there, and how they reach me', columns, rows })}</section>`;
}

function copyCell(zone: ZoneStatus, name: string, nowMs: number): Html {
  const copy = zone.friends.find((friend) => friend.name === name);
  if (!copy) return noHtml;
  if (copy.serial === null) return html`<span class="warn">${icon('ring')}no copy yet</span>`;
  if (zone.serial !== null && isNewerSerial(zone.serial, copy.serial))
    return html`<span class="warn">${icon('triangle')}${copy.serial} old</span><br>${age(copy.heardAt, nowMs)}`;
  const endMs = instant(copy.expiresAt);
  if (copy.agedPercent > 0 && endMs !== undefined)
    return html`<span class="warn">${icon('triangle')}${copy.serial}</span><br>${endMs <= nowMs ? 'expired' : `ends in ${humanDuration(endMs - nowMs)}`}`;
  return html`<span class="good">${icon('full')}${copy.serial}</span>`;
}

function zonesSection(status: StatusDocument, nowMs: number): Html {
  const { zones } = status;
  if (zones.length === 0) return noHtml;
  const holders = [...new Set(zones.flatMap(({ friends }) => friends.map(({ name }) => name)))];
  const rows = zones.map((zone) => {
    const expiresAtMs = instant(zone.expiresAt);
    const left = expiresAtMs === undefined ? undefined : expiresAtMs - nowMs;
    const problems = zone.problems.map(
      (problem) => html`<br><span class="bad">${problemLine(problem)}</span>`,
    );
    return {
      head: html`${zone.origin}<br><span class="dim">${zone.role === 'primary' ? 'mine' : `of ${zone.owner}`}</span>${problems}`,
      cells: [
        zone.serial === null ? html`<span class="bad">${icon('cross')}none</span>` : html`${zone.serial}`,
        ...holders.map((name) => copyCell(zone, name, nowMs)),
        left === undefined
          ? noHtml
          : left <= 0
            ? html`<span class="bad">expired</span>`
            : zone.agedPercent > 0
              ? html`<span class="warn">${icon('triangle')}in ${humanDuration(left)}</span>`
              : text(`in ${humanDuration(left)}`),
      ],
    };
  });
  const columns = [
    { label: 'Zone' },
    { label: 'Served here' },
    ...holders.map((label) => ({ label })),
    { label: 'Expires' },
  ];
  return html`<section aria-labelledby="zones"><h2 id="zones">Zones</h2>
${table({ caption: 'Serial at each friend, and when answers stop if the owner is gone', columns, rows })}</section>`;
}

function mailSection(mail: readonly MailStatus[], nowMs: number): Html {
  if (mail.length === 0) return noHtml;
  const rows = mail.map((domain) => ({
    head: html`${domain.domain}<br><span class="dim">${domain.role === 'primary' ? 'mine' : `of ${domain.owner}`}</span>`,
    cells: [
      domain.state === 'live'
        ? html`<span class="good">${icon('full')}live</span>`
        : html`<span class="warn">${icon('half')}${domain.state}</span>`,
      html`${domain.messages}`,
      text(formatSize(domain.bytes)),
      domain.role === 'backup' ? heldAge(domain.oldestAt, nowMs) : age(domain.oldestAt, nowMs),
      text(domain.alsoHeldBy.join(', ')),
      text(backupsWithState(domain).join(', ')),
    ],
  }));
  const columns = [
    { label: 'For' },
    { label: 'State' },
    { label: 'Messages here', isNumber: true },
    { label: 'Size', isNumber: true },
    { label: 'Oldest' },
    { label: 'Also held by' },
    { label: 'Backups' },
  ];
  return html`<section aria-labelledby="mail"><h2 id="mail">Mail</h2>
${table({ caption: 'What waits on this box, and who keeps mail while the owner is away', columns, rows })}</section>`;
}

const serviceStates: Record<ServiceStatus['state'], { shape: Shape; tone: Tone }> = {
  up: { shape: 'full', tone: 'good' },
  partial: { shape: 'half', tone: 'warn' },
  down: { shape: 'cross', tone: 'bad' },
  unknown: { shape: 'ring', tone: 'dim' },
};

function servicesSection(services: readonly ServiceStatus[], nowMs: number): Html {
  if (services.length === 0) return noHtml;
  const rows = services.map((one) => {
    const { shape, tone } = serviceStates[one.state];
    return {
      head: html`${one.service}<br><span class="dim">of ${one.owner}</span>`,
      cells: [
        html`<span class="${tone}">${icon(shape)}${serviceWords(one, nowMs)}</span>`,
        text(one.target),
        text(seenByWords(one)),
        text(insideWords(one)),
        historyCell(one.history),
      ],
    };
  });
  const columns = [
    { label: 'Service' },
    { label: 'State' },
    { label: 'At' },
    { label: 'Reached by' },
    { label: 'On its box' },
    { label: 'Last 30 days' },
  ];
  return html`<section aria-labelledby="services"><h2 id="services">Services</h2>
${table({ caption: 'Mail and name servers, as friends reach them from outside', columns, rows })}</section>`;
}

function takeoversSection(status: StatusDocument, nowMs: number): Html {
  if (status.takeovers.length === 0) return noHtml;
  const items = status.takeovers.map(
    ({ by, service, name, owner, votes, sinceAt }) =>
      html`<li>${by} stands in for ${service} (${name}) of ${owner}, ${votes.length === 0 ? 'as its owner said' : `agreed by ${joinNames(votes, 8)}`} ${age(sinceAt, nowMs)}</li>`,
  );
  return html`<section aria-labelledby="takeovers"><h2 id="takeovers">Standing in</h2><ul>${items}</ul></section>`;
}

function lineSection(status: StatusDocument): Html {
  const { line } = status;
  return html`<section aria-labelledby="line"><h2 id="line">My line</h2>
<p class="${line.state === 'cut' ? 'bad' : ''}">${lineWords(line)}</p>
<p class="dim">Since the start ${formatSize(line.sentBytes)} sent, ${formatSize(line.receivedBytes)} received.</p></section>`;
}

function eventsSection(status: StatusDocument, nowMs: number): Html {
  if (status.events.length === 0) return noHtml;
  const items = status.events.slice(0, 20).map(
    (event) => html`<li>${age(event.at, nowMs)} ${event.text}</li>
`,
  );
  return html`<section aria-labelledby="events"><h2 id="events">Last events</h2><ol class="events">${items}</ol></section>`;
}

/**
 * The status page as one HTML document, complete without scripts. `nonce` is fresh for each answer and stands in the
 * Content-Security-Policy as `style-src 'nonce-…'`; `refreshMs` is how often browsers fetch the page again, rounded to
 * seconds. Ages count from the document's own time, so that an old page does not pretend to be fresh.
 */
export function renderPage(status: StatusDocument, options: { nonce: string; refreshMs: number }): string {
  const nowMs = instant(status.at) ?? 0;
  const { ipv4, ipv6 } = status.address;
  const addresses = [ipv4, ipv6].filter((address) => address !== null).join(' ');
  const upMs = nowMs - (instant(status.startedAt) ?? nowMs);
  const style: Html = { markup: pageStyle };
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${verdictTitle(status)} – ${status.name} – copain</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="${Math.max(1, Math.round(options.refreshMs / 1000))}">
<style nonce="${options.nonce}">${style}</style></head>
<body><header><h1>${status.name}</h1><span class="dim">${addresses}</span>
<span class="dim">as of <time datetime="${status.at}">${status.at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time></span></header>
<main>
${verdictSection(status)}
${takeoversSection(status, nowMs)}
${friendsSection(status.friends, nowMs)}
${zonesSection(status, nowMs)}
${mailSection(status.mail, nowMs)}
${servicesSection(status.services, nowMs)}
${lineSection(status)}
${eventsSection(status, nowMs)}
</main>
<footer>copain ${status.version}, up ${humanDuration(upMs)} · <a href="/status.json">status.json</a> · <a href="/metrics">metrics</a> · the page renews itself every ${humanDuration(options.refreshMs)}</footer>
</body></html>
`.markup;
}
