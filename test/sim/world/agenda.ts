/** Something planned; `cancel` takes it back, also more than once. */
export interface Planned {
  readonly atMs: number;
  cancel(): void;
}

/** What is to happen and when, in simulated milliseconds since the start of the run. */
export interface Agenda {
  nowMs(): number;
  /** Plans an action; what is past happens next. Of one instant, in the order of planning. */
  at(atMs: number, action: () => void): Planned;
  after(delayMs: number, action: () => void): Planned;
  /** Does everything planned until that instant, and ends there. */
  runUntil(atMs: number): void;
  /** Actions done so far. */
  done(): number;
}

interface Item extends Planned {
  order: number;
  action: (() => void) | undefined;
}

/** An empty agenda that begins at 0: a binary heap, since a simulated year holds tens of millions of events. */
export function agenda(): Agenda {
  const heap: Item[] = [];
  let nowMs = 0;
  let order = 0;
  let done = 0;

  const before = (a: Item, b: Item): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

  const push = (item: Item): void => {
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || before(parent, item)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = item;
  };

  const pop = (): void => {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      const [left, right] = [heap[childAt], heap[childAt + 1]];
      if (left === undefined) break;
      let child = left;
      if (right !== undefined && before(right, left)) {
        child = right;
        childAt += 1;
      }
      if (before(last, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  };

  const at = (atMs: number, action: () => void): Planned => {
    const item: Item = {
      atMs: Math.max(nowMs, atMs),
      order: order++,
      action,
      cancel: () => {
        item.action = undefined;
      },
    };
    push(item);
    return item;
  };

  return {
    nowMs: () => nowMs,
    at,
    after: (delayMs, action) => at(nowMs + delayMs, action),
    runUntil: (atMs) => {
      for (let next = heap[0]; next !== undefined && next.atMs <= atMs; next = heap[0]) {
        pop();
        if (next.action === undefined) continue;
        nowMs = next.atMs;
        done += 1;
        next.action();
      }
      nowMs = Math.max(nowMs, atMs);
    },
    done: () => done,
  };
}
