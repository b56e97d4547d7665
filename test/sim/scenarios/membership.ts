import { encodeRemovalRecord } from '@copain/trust';
import { recordsOf } from '../../../packages/agent/src/known-records.ts';
import type { Box } from '../box/box.ts';
import type { Circle } from '../circle.ts';
import { goodSignature, seal } from '../world/envelopes.ts';
import { inviteOf, memberOf, serviceRecords } from '../world/people.ts';

/**
 * Somebody joins, and a member is removed by two others. Afterwards somebody who never liked it signs him in again, by a
 * fresh invite, and he himself removes those who did it.
 */
export function membership(run: Circle, { untilMs }: { untilMs: number }): void {
  const { agenda } = run;
  const founder = run.people[0];
  if (founder === undefined) return;
  const newcomer = run.boxes.find((box) => !run.isIn(box));
  if (newcomer !== undefined) agenda.at(0.2 * untilMs, () => letIn(run, newcomer));
  if (run.size < 5) return;
  // Never an owner of a zone, nor the newcomer.
  const victim = run.box(run.size - 2);
  // Two who did not let him in; and whoever did tries to bring him back.
  const admitter = victim.number >> 1;
  const [first, second] = run.boxes.filter(({ number }) => number !== victim.number && number !== admitter);
  if (first === undefined || second === undefined) return;
  const signed = new Set<Box>();
  const removedBy = (box: Box) => (): void => {
    signed.add(box);
    if (signed.size === 2) gone(run, { victim, first, second, ally: run.box(admitter) });
  };
  agenda.at(0.6 * untilMs, () => remove(run, first, victim, removedBy(first)));
  agenda.at(0.6 * untilMs + 60_000, () => remove(run, second, victim, removedBy(second)));
}

/** Both have signed: he is out, is told so, and tries to come back an hour later. */
function gone(run: Circle, who: { victim: Box; first: Box; second: Box; ally: Box }): void {
  const { agenda } = run;
  const { victim, first, second, ally } = who;
  run.remove(victim);
  agenda.after(60_000, () => farewell(run, victim));
  const comeBack = (): void => {
    const [founder] = run.people;
    if (founder === undefined) return;
    if (!ally.on) {
      agenda.after(3_600_000, comeBack);
      return;
    }
    const circle = founder.ownerId;
    bring(run, ally, inviteOf(circle, ally.person, victim.person).envelope);
    bring(run, ally, memberOf(circle, ally.person, victim.person, goodSignature, 1));
    for (const target of [first, second]) {
      const removal = { circle, ownerId: target.person.ownerId, seen: [] };
      bring(run, ally, seal('removal', victim.person.peer, encodeRemovalRecord(removal)));
    }
  };
  agenda.after(3_600_000, comeBack);
}

/** Gives a record to whoever is connected with this box, as if it had come from there. */
function bring(run: Circle, from: Box, envelope: Uint8Array): void {
  for (const box of run.boxes)
    if (box.on && (box === from || run.talk(box.number, from.number)))
      run.received(box, from, { envelope, reached: new Uint8Array() });
}

function letIn(run: Circle, newcomer: Box): void {
  const { agenda, net } = run;
  const inviter = run.boxes.find((box) => box.on && box !== newcomer && net.isLineUp(box.number));
  if (inviter === undefined || !net.connects(inviter.number, newcomer.number)) {
    agenda.after(600_000, () => letIn(run, newcomer));
    return;
  }
  const { circle, roster } = inviter.records.knowledge();
  const admitting = [
    inviteOf(circle, inviter.person, newcomer.person).envelope,
    memberOf(circle, inviter.person, newcomer.person),
  ];
  for (const envelope of admitting) inviter.records.offer(envelope);
  const known = [...inviter.records.log().facts.values()].map(({ envelope }) => envelope);
  const members = run.people.filter(
    ({ ownerId }) => roster.members.has(ownerId) || ownerId === newcomer.person.ownerId,
  );
  run.join(newcomer, [...known, ...serviceRecords(newcomer.person, members)]);
}

/** Whoever is removed and still knocks is told so by whom he knocks at, and then he knows it himself. */
function farewell(run: Circle, victim: Box): void {
  const { agenda, net } = run;
  const { ownerId } = victim.person;
  const teller = run.boxes.find(
    (box) =>
      box.on &&
      !box.records.knowledge().roster.members.has(ownerId) &&
      box.records.knowledge().roster.members.size > 0 &&
      net.connects(box.number, victim.number),
  );
  if (teller === undefined || !victim.on) {
    agenda.after(600_000, () => farewell(run, victim));
    return;
  }
  for (const record of recordsOf(teller.records.knowledge(), 'removal')) {
    const fact = [...teller.records.log().facts.values()].find(
      ({ key }) => teller.records.knowledge().records.get(key) === record,
    );
    if (record.signed.record.ownerId === ownerId && fact !== undefined) victim.records.offer(fact.envelope);
  }
}

function remove(run: Circle, by: Box, victim: Box, done: () => void): void {
  const { agenda } = run;
  if (!by.on || by.disk.isFull()) {
    agenda.after(600_000, () => remove(run, by, victim, done));
    return;
  }
  by.records.publish('removal', () => {
    const knowledge = by.records.knowledge();
    const his = [...recordsOf(knowledge, 'member'), ...recordsOf(knowledge, 'removal')].filter(
      ({ signed }) => signed.signer === victim.person.peer,
    );
    const seen = his.map(({ signed }) => signed.hash);
    return encodeRemovalRecord({ circle: knowledge.circle, ownerId: victim.person.ownerId, seen });
  });
  // A power cut may have taken it.
  agenda.after(5000, () => {
    const key = `removal/${victim.person.ownerId}/${by.person.peer}`;
    if (by.records.knowledge().records.has(key)) done();
    else agenda.after(600_000, () => remove(run, by, victim, done));
  });
}
