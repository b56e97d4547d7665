import { describe, expect, it } from 'vitest';
import { parseConfig } from './config.ts';
import { readAlertPlace } from './config-alert.ts';

const problems = (tables: string): string[] => {
  const parsed = parseConfig(`name = "alice"\n${tables}`, { fileName: 'peer.toml' });
  return parsed.kind === 'ok'
    ? []
    : parsed.problems.map(({ line, key, message }) => `${line} ${key}: ${message}`);
};

describe('where alerts go', () => {
  it('is a mail address, a topic, a web address, a room or a program', () => {
    expect(readAlertPlace('mailto:alice@elsewhere.example')?.place).toEqual({
      kind: 'mail',
      address: 'alice@elsewhere.example',
    });
    expect(readAlertPlace('ntfy://ntfy.example:8443/alice_1')?.place).toEqual({
      kind: 'ntfy',
      url: 'https://ntfy.example:8443/alice_1',
    });
    expect(readAlertPlace('https://hooks.example/a?b=c')?.place).toEqual({
      kind: 'webhook',
      url: 'https://hooks.example/a?b=c',
    });
    expect(readAlertPlace('matrix://matrix.example/!abc:matrix.example')?.place).toEqual({
      kind: 'matrix',
      server: 'https://matrix.example',
      room: '!abc:matrix.example',
    });
    expect(readAlertPlace('exec:/usr/local/bin/tell me')?.place).toEqual({
      kind: 'exec',
      path: '/usr/local/bin/tell me',
    });
  });

  it('is reached in the clear on this very machine alone', () => {
    expect(readAlertPlace('ntfy://127.0.0.1:2586/alice')?.place).toMatchObject({
      url: 'http://127.0.0.1:2586/alice',
    });
    expect(readAlertPlace('http://[::1]:8080/hook')?.place).toMatchObject({ kind: 'webhook' });
    expect(readAlertPlace('http://localhost/hook')?.place).toMatchObject({ kind: 'webhook' });
    expect(readAlertPlace('http://hooks.example/hook')).toBeUndefined();
    expect(readAlertPlace('http://127.0.0.1.hooks.example/hook')).toBeUndefined();
  });

  it('is shown without what may be secret in it', () => {
    expect(readAlertPlace('https://hooks.example/services/T0/B0/secret')?.shown).toBe(
      'https://hooks.example/…',
    );
    expect(readAlertPlace('https://hooks.example?key=secret')?.shown).not.toContain('secret');
    expect(readAlertPlace('ntfy://ntfy.example/secret')?.shown).toBe('ntfy://ntfy.example/…');
  });

  it.each([
    'mailto:alice',
    'mailto:a@b.example, c@d.example',
    'mailto:a@b.example\r\nBcc: c@d.example',
    'ntfy://ntfy.example/',
    'ntfy://ntfy.example/a/b',
    'https://user:password@hooks.example/',
    'https://',
    'matrix://matrix.example/room',
    'exec:tell',
    'exec:relative/tell',
    'ftp://x/y',
    '',
  ])('%j is no place for alerts', (to) => {
    expect(readAlertPlace(to)).toBeUndefined();
  });
});

describe('an [[alert]]', () => {
  it('has the keys that fit its place, and no others', () => {
    expect(
      problems(
        '[[alert]]\nto = "exec:/tell"\nvia = "127.0.0.1:25"\n[[alert]]\nto = "mailto:a@b.example"\ntoken-file = "t"',
      ),
    ).toEqual([
      '4 alert[1].via: is for mailto: alone',
      '7 alert[2].token-file: is for ntfy://, https:// and matrix:// alone',
    ]);
    expect(
      problems('[[alert]]\nto = "mailto:a@b.example"\nvia = "127.0.0.1:25"\nfrom = "peer@b.example"'),
    ).toEqual([]);
  });

  it('for a Matrix room needs the token of an account', () => {
    const [problem] = problems('[[alert]]\nto = "matrix://matrix.example/!abc:matrix.example"');
    expect(problem).toContain('needs token-file');
  });

  it('stands there once, and at most twenty do', () => {
    const one = '[[alert]]\nto = "exec:/tell"\n';
    expect(problems(one + one)).toEqual(['5 alert[2].to: is already in alert[1]']);
    const many = Array.from({ length: 21 }, (_, at) => `[[alert]]\nto = "exec:/tell/${at}"\n`).join('');
    expect(problems(many)).toEqual(['42 alert[21]: is more than 20 ways for alerts']);
  });
});
