import { formatSize } from '@copain/core';
import type { Check } from './doctor-net.ts';

/** What the checks of the disk look at, after every record was read. */
export interface DiskFacts {
  /** undefined: it cannot be measured. */
  freeBytes: number | undefined;
  /** Below this no mail is held for friends. */
  floorBytes: number;
  /** Is the reserve for the day on which the disk is full laid in? */
  reserve: boolean;
  stores: readonly StoreFacts[];
  index: { found: 'whole' | 'repaired' | 'lost'; setAside: string | undefined };
}

/** Ids of unreadable messages that are shown. */
const shownMax = 5;

/** What was found in one store of mail. */
export interface StoreFacts {
  name: 'held' | 'queued';
  messages: number;
  bytes: number;
  /** Ids of those that could not be read. */
  damaged: readonly string[];
  /** Records that failed their checksum when the box started, and that are passed over since. */
  damagedAtStart: number;
}

/** Is what lies on this box's disk whole, and is there room for more? In plain words, for `peer doctor disk`. */
export function diskChecks({ freeBytes, floorBytes, reserve, stores, index }: DiskFacts): Check[] {
  return [
    roomCheck(freeBytes, floorBytes),
    reserve
      ? { id: 'disk.reserve', ok: true, text: 'The reserve for a full disk is laid in.', hint: null }
      : {
          id: 'disk.reserve',
          ok: null,
          text: 'There is no reserve for a full disk yet: it is laid in when there is more room.',
          hint: 'make some room (df)',
        },
    ...stores.map(storeCheck),
    indexCheck(index),
  ];
}

function roomCheck(freeBytes: number | undefined, floorBytes: number): Check {
  const id = 'disk.room';
  if (freeBytes === undefined)
    return { id, ok: null, text: 'How much room the disk has cannot be measured.', hint: null };
  const room = formatSize(freeBytes);
  return freeBytes >= floorBytes
    ? { id, ok: true, text: `The disk has ${room} free.`, hint: null }
    : {
        id,
        ok: false,
        text: `The disk has ${room} free, less than ${formatSize(floorBytes)}: no mail is held for friends.`,
        hint: 'make some room (df)',
      };
}

function storeCheck({ name, messages, bytes, damaged, damagedAtStart }: StoreFacts): Check {
  const id = `disk.${name}`;
  const what = name === 'held' ? 'held for friends' : 'queued for your mail server';
  const count = `${messages} ${messages === 1 ? 'message' : 'messages'} ${what}`;
  if (damaged.length > 0)
    return {
      id,
      ok: false,
      text: `${count}; ${damaged.length} cannot be read: ${damaged.slice(0, shownMax).join(', ')}${damaged.length > shownMax ? ' and more' : ''}.`,
      hint: 'look at the disk (dmesg, smartctl), then: peer doctor disk --fix',
    };
  if (damagedAtStart > 0)
    return {
      id,
      ok: false,
      text: `${count}, all readable; ${damagedAtStart} damaged before the last start and passed over since.`,
      hint: 'look at the disk (dmesg, smartctl); another friend may have a copy: peer mail list',
    };
  const size = messages === 0 ? '' : ` (${formatSize(bytes)}), all readable`;
  return { id, ok: true, text: `${count}${size}.`, hint: null };
}

function indexCheck({ found, setAside }: DiskFacts['index']): Check {
  const id = 'disk.index';
  switch (found) {
    case 'whole':
      return { id, ok: true, text: 'The index of mail is whole.', hint: null };
    case 'repaired':
      return {
        id,
        ok: true,
        text: 'The index of mail was damaged, and was repaired when the box started.',
        hint: null,
      };
    case 'lost':
      return {
        id,
        ok: null,
        text: `The index of mail was lost, and was made anew from the messages when the box started; what is left of it is in ${setAside ?? 'its place'}.`,
        hint: 'look at the disk (dmesg, smartctl), then remove what was set aside',
      };
  }
}
