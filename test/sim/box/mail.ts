import { duties } from '@copain/trust';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import { type Held, held } from './held.ts';
import { type Inbox, inbox } from './inbox.ts';
import type { Message } from './message.ts';

/** `later`: a 4xx, the sender keeps it. `lost`: the conversation broke off, and the sender does not know. */
type Answer = 'taken' | 'later' | 'lost';

/** Mail in one box: what it holds for friends, and what came for its owner. */
export interface Mail {
  start(): void;
  stop(): void;
  /** A sender gives a message; `answered` once, unless this box stops before. */
  accept(message: Message, answered: (answer: Answer) => void): void;
  peersChanged(): void;
  planChanged(): void;
  readonly inbox: Inbox;
  readonly held: Held;
  setMta(up: boolean): void;
}

/** A friend waits this long for the owner's last word (`liveFinalMs`), then he holds the message himself. */
const liveFinalMs = 120_000;

export function mail(world: World, boxOf: () => Box): Mail {
  const { agenda } = world;
  let mtaUp = true;
  let life = 0;
  const mailIn = inbox(world, boxOf, () => mtaUp);
  const mailHeld = held(world, boxOf);

  /** Live, through the owner's own agent; undefined where he cannot be asked, and the friend decides himself. */
  const live = (message: Message, answered: (answer: Answer | undefined) => void): void => {
    const box = boxOf();
    const owner = world.box(message.owner);
    const during = [life, owner.life];
    const reaches = (): boolean =>
      during[0] === life &&
      (owner === box || (owner.on && during[1] === owner.life && world.talk(box.number, owner.number)));
    agenda.after(200, () => {
      if (during[0] !== life) return;
      if (!reaches()) return answered(undefined);
      let isOver = false;
      const finish = (answer: Answer | undefined): void => {
        if (isOver || during[0] !== life) return;
        isOver = true;
        answered(answer);
      };
      agenda.after(liveFinalMs, () => finish(undefined));
      owner.mail.inbox.deliverLive(message, (answer) => {
        if (owner === box) finish(answer);
        else
          agenda.after(50, () => {
            if (reaches()) finish(answer);
          });
      });
    });
  };

  /** Offered and granted: else a friend keeps nothing for him. */
  const hasDuty = (message: Message): boolean => {
    const { records, person } = boxOf();
    const { roster, agreements } = records.knowledge();
    const { ownerId } = world.box(message.owner).person;
    return duties(roster, agreements, { ownerId: person.ownerId, box: person.peer }).some(
      (duty) => duty.service === 'mail' && duty.ownerId === ownerId && duty.name === message.domain,
    );
  };

  return {
    inbox: mailIn,
    held: mailHeld,
    start: () => {
      life += 1;
      const found = boxOf().disk.recover();
      mailIn.start(found);
      mailHeld.start(found);
    },
    stop: () => {
      life += 1;
      mailIn.stop();
      mailHeld.stop();
    },
    accept: (message, answered) => {
      const during = life;
      live(message, (answer) => {
        if (answer !== undefined) return answered(answer);
        const kept = (stored: boolean): void => {
          if (during === life) answered(stored ? 'taken' : 'later');
        };
        if (message.owner === boxOf().number) mailIn.takeOwn(message, kept);
        else if (hasDuty(message)) mailHeld.hold(message, kept);
        else kept(false);
      });
    },
    peersChanged: () => mailHeld.kick(),
    planChanged: () => mailHeld.kick(),
    setMta: (up) => {
      mtaUp = up;
      if (up && boxOf().on) mailIn.kick();
    },
  };
}
