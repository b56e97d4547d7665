/** What tests of copies share beside `testing`: alice's wish told to a friend, and friends who can reach each other. */
import { decodePolicyAnswer, encodePolicyRequest, policyVersion } from '../policy-frames.ts';
import { framePair } from './frame-pair.ts';
import { aliceId, type FriendBox, friendId } from './testing.ts';

/** Tells a friend, as alice's box does, on how many disks her mail is to be. */
export async function wishCopies(friend: FriendBox, copies: 1 | 2): Promise<void> {
  const [here, there] = framePair();
  void friend.mail.handlePolicy(there, aliceId);
  const [version, key] = [new Uint8Array(32).fill(copies), new Uint8Array(32)];
  const head = { domain: 'alice.test', version, key, any: true, unknown: 'accept', copies } as const;
  await here.send(encodePolicyRequest({ t: 'hello', version: policyVersion }));
  await here.send(encodePolicyRequest({ t: 'policy', ...head }));
  const first = decodePolicyAnswer((await here.receive()) ?? new Uint8Array());
  if (first?.t === 'want') {
    await here.send(encodePolicyRequest({ t: 'done' }));
    await here.receive();
  }
  here.abort(new Error('done'));
}

/** From now on each of these friends can reach the others, and notices that they are there. */
export function meet(boxes: Readonly<Record<string, FriendBox>>): void {
  for (const [peer, one] of Object.entries(boxes))
    for (const [other, { mail }] of Object.entries(boxes)) {
      if (other === peer) continue;
      one.friends.set(other, { ownerId: friendId(other), mail });
      one.mail.friendHeard({ peer: other, ownerId: friendId(other) });
    }
}

/** This friend can be reached by none of the others any more. */
export function part(boxes: Readonly<Record<string, FriendBox>>, peer: string): void {
  boxes[peer]?.friends.clear();
  for (const other of Object.values(boxes)) other.friends.delete(peer);
}
