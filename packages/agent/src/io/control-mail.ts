import { CommandError, ExitCode } from '@copain/core';
import type { MessageInfo } from '@copain/status';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import type { ControlHandler } from './control-socket.ts';

/** Commands about messages: the agent's half of `peer mail list`, `read` and so on. */
type MailCommand =
  | 'mail.list'
  | 'mail.show'
  | 'mail.flush'
  | 'mail.open'
  | 'mail.part'
  | 'mail.release'
  | 'mail.delete'
  | 'mail.put'
  | 'mail.take';

export function mailHandlers(agent: Agent): Record<MailCommand, ControlHandler> {
  const decide = async (typed: string, what: 'release' | 'discard'): Promise<{ message: MessageInfo }> => {
    const message = await agent.desk.find(typed);
    if (await agent.mail.decide(message.id, what)) return { message };
    const elsewhere =
      message.state === 'quarantined' ? ` on this box; it lies at ${message.heldBy.join(', ')}` : '';
    throw new CommandError(ExitCode.badInput, `${message.id} is not in quarantine${elsewhere}`, {
      hint: 'peer mail quarantine list',
    });
  };
  return {
    'mail.list': async (args) => await agent.desk.list(args.here === true),
    'mail.show': async (args) => ({ message: await agent.desk.find(text(args, 'id')) }),
    'mail.flush': async (args) => {
      const { domain } = args;
      const started = await agent.mail.flush(typeof domain === 'string' ? domain : undefined);
      return { started: started + (await agent.desk.flushFriends()) };
    },
    'mail.open': async (args) => {
      const sealed = args.sealed === true;
      const { message, bytes } = await agent.desk.fetch(text(args, 'id'), sealed);
      return { message, key: agent.desk.opened.add(bytes), sizeBytes: bytes.length };
    },
    'mail.part': async (args) => {
      const offset = typeof args.offset === 'number' && args.offset >= 0 ? args.offset : 0;
      const part = agent.desk.opened.part(text(args, 'key'), offset);
      if (part === undefined)
        throw new CommandError(ExitCode.unreachable, 'the message was closed meanwhile; try again');
      return { data: Buffer.from(part).toString('base64') };
    },
    'mail.release': async (args) => await decide(text(args, 'id'), 'release'),
    'mail.delete': async (args) => await decide(text(args, 'id'), 'discard'),
    'mail.put': async (args) => {
      const key = typeof args.key === 'string' ? args.key : undefined;
      const kept = agent.desk.uploads.add(key, Buffer.from(text(args, 'data'), 'base64'));
      if (kept === undefined)
        throw new CommandError(
          ExitCode.badInput,
          'the file is larger than a message can be, or came too slowly',
        );
      return { key: kept };
    },
    'mail.take': async (args) => {
      const sealed = agent.desk.uploads.take(text(args, 'key'));
      if (sealed === undefined)
        throw new CommandError(ExitCode.unreachable, 'the file was forgotten meanwhile; try again');
      return await agent.mail.takeFile(sealed);
    },
  };
}
