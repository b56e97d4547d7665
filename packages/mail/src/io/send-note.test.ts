import { describe, expect, it } from 'vitest';
import { sendNote } from './send-note.ts';
import { startFakeMta } from './testing-mta.ts';

const note = {
  form: 'none' as const,
  hostname: 'mx.alice.test',
  from: 'copain@alice.test',
  to: 'alice@elsewhere.test',
  message: Buffer.from('Subject: a note\r\n\r\n.dot\r\n'),
};
const never = (): AbortSignal => new AbortController().signal;

describe('a note', () => {
  it('is handed over as it is', async () => {
    await using mta = await startFakeMta();
    await sendNote({ ...note, address: mta.address }, never());
    const [got] = await mta.received(1);
    expect(got?.recipients).toHaveLength(1);
    expect(got?.data).toContain('Subject: a note\r\n\r\n.dot\r\n');
  });

  it.each(['MAIL', 'RCPT', 'DATA', '.'])(
    'that is refused at %s is told of, and nothing is kept of it',
    async (at) => {
      await using mta = await startFakeMta({
        script: (line) => (line.startsWith(at) ? '451 4.3.0 not now' : undefined),
      });
      await expect(sendNote({ ...note, address: mta.address }, never())).rejects.toThrow('451 4.3.0 not now');
    },
  );

  it('to a server that goes away, or is cut off on this side, is told of', async () => {
    await using gone = await startFakeMta({
      script: (line) => (line.startsWith('RCPT') ? 'drop' : undefined),
    });
    await expect(sendNote({ ...note, address: gone.address }, never())).rejects.toThrow('connection closed');
    const cut = new AbortController();
    await using silent = await startFakeMta({
      script: (line) => {
        if (!line.startsWith('RCPT')) return undefined;
        cut.abort();
        return 'silence';
      },
    });
    await expect(sendNote({ ...note, address: silent.address }, cut.signal)).rejects.toThrow('given up');
    await expect(sendNote({ ...note, address: silent.address }, cut.signal)).rejects.toThrow();
    expect(silent.messages).toEqual([]);
  });

  it('that is given up before the server lets it begin is not begun', async () => {
    const givenUp = new AbortController();
    const commands: string[] = [];
    await using mta = await startFakeMta({
      script: (line) => {
        commands.push(line);
        if (line.startsWith('EHLO')) givenUp.abort(new Error('this box stops'));
        return undefined;
      },
    });
    await expect(sendNote({ ...note, address: mta.address }, givenUp.signal)).rejects.toThrow(
      'this box stops',
    );
    expect(commands).toEqual(['connect', 'EHLO mx.alice.test']);
  });
});
