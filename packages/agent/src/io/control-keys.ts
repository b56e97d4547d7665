import { CommandError, ExitCode, isoTime } from '@copain/core';
import { type Role, roles } from '@copain/trust';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import { needSignable } from './control-signable.ts';
import type { ControlHandler } from './control-socket.ts';

/** Commands about the owner's keys and his boxes: the agent's half of `peer key` and `peer box`. */
type KeyCommand =
  | 'key.show'
  | 'key.export'
  | 'key.remove'
  | 'key.import'
  | 'key.rotate'
  | 'box.list'
  | 'box.add'
  | 'box.revoke';

/**
 * What a further box may do unless told otherwise. Not `sign-zone`: two boxes that sign one zone get in each other's way;
 * not `mail`: a box that takes the owner's mail needs a mail server to deliver it to.
 */
const defaultRoles: readonly Role[] = ['sign-grant', 'relay', 'watch'];

/**
 * `peer key …` and `peer box …`: the agent's half. Secrets pass through the control socket only, which its owner alone
 * may open.
 */
export function keyHandlers(agent: Agent): Record<KeyCommand, ControlHandler> {
  const { keys, identity } = agent;
  const current = () => keys.state().current.record;
  const boxes = () =>
    current().boxes.map((box) => {
      const heard = agent.lastHeardAtMs(box.peer);
      const here = box.peer === identity.box.peer;
      return {
        name: box.name,
        id: box.peer,
        age: box.sealTo,
        roles: box.roles,
        here,
        state: here ? 'here' : agent.isUp(box.peer) ? 'up' : 'silent',
        lastHeardAt: heard === undefined ? null : isoTime(heard),
      };
    });
  return {
    'key.show': async () => {
      const state = keys.state();
      const places = await keys.places();
      return {
        ownerId: identity.ownerId,
        circle: agent.records.knowledge().circle,
        epoch: state.current.record.epoch,
        keys: state.current.record.keys.map((key) => ({
          use: key.use,
          id: key.peer,
          age: key.sealTo,
          here: places.some(({ use, here }) => here && use === key.use),
        })),
        boxes: boxes(),
        revoked: [...state.revoked.keys()],
      };
    },
    'key.export': async () => ({ secret: await keys.secret() }),
    'key.remove': async () => {
      await keys.remove();
      return {};
    },
    'key.import': async (args) => ({ use: await keys.take(secretOf(args.secret)) }),
    'key.rotate': async (args) => {
      await needSignable(agent, args, 'a new key');
      const by = args.by === undefined ? undefined : secretOf(args.by);
      const newPaper = args.newPaper === undefined ? undefined : secretOf(args.newPaper);
      await keys.rotate({ newPaper, by });
      return { epoch: current().epoch };
    },
    'box.list': async () => ({ epoch: current().epoch, boxes: boxes() }),
    'box.add': async (args) => {
      await needSignable(agent, args, 'an invite');
      const lifeMs = typeof args.expiresMs === 'number' ? args.expiresMs : undefined;
      const made = await agent.circle.inviteBox({
        name: text(args, 'name'),
        roles: roleList(args.roles),
        lifeMs,
      });
      const { id, code, warning } = made;
      return { id, code, expiresAt: isoTime(made.expiresAtMs), warning };
    },
    'box.revoke': async (args) => {
      await needSignable(agent, args, 'a revocation');
      const by = args.by === undefined ? undefined : secretOf(args.by);
      const { name, peer } = await keys.revokeBox(text(args, 'name'), by);
      return { name, id: peer, epoch: current().epoch };
    },
  };
}

/** A secret out of the text of a key file: the line that is one; comments and empty lines may stand around it. */
function secretOf(value: unknown): string {
  const lines = typeof value === 'string' ? value.split('\n').map((line) => line.trim().toUpperCase()) : [];
  const found = lines.filter((line) => /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/.test(line));
  const [secret] = found;
  if (secret !== undefined && found.length === 1) return secret;
  throw new CommandError(
    ExitCode.badInput,
    'there is no key in this file: one line AGE-SECRET-KEY-1… was expected',
  );
}

function roleList(value: unknown): Role[] {
  if (value === undefined) return [...defaultRoles];
  const words: unknown[] = Array.isArray(value) ? value : [value];
  return words.map((word) => {
    const role = roles.find((one) => one === word);
    if (role !== undefined) return role;
    throw new CommandError(
      ExitCode.usage,
      `'${String(word)}' is no role of a box; there is ${roles.join(', ')}`,
    );
  });
}
