import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseConfig } from './config.ts';
import {
  addMail,
  addService,
  addZone,
  type ConfigEdit,
  pinService,
  removeMail,
  removeService,
  removeZone,
  renameFriend,
  setFriend,
} from './config-edit.ts';
import { initialConfig } from './config-initial.ts';
import type { Config } from './config-schema.ts';

const edited = (edit: ConfigEdit): string => {
  if (edit.kind !== 'edited') throw new Error(`expected an edit, not ${JSON.stringify(edit)}`);
  return edit.text;
};
const configOf = (text: string): Config => {
  const parsed = parseConfig(text, { fileName: 'peer.toml' });
  if (parsed.kind === 'bad') throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
};

const written = `# mine
name = "alice"   # short

[[zone]]  # the first
origin = "a.test"
file = "a.zone"  # by hand

# about b
[[zone]]
origin = "b.test"
file = "b.zone"

# about mail
[[mail]]
domain = "a.test"
deliver = "127.0.0.1:2525"  # postfix
`;

it('a new zone goes behind the last one, and all else stays as it was', () => {
  const text = edited(addZone(written, { origin: 'c.test', file: 'zones/c.zone' }));
  expect(text).toBe(
    written.replace(
      'file = "b.zone"\n',
      'file = "b.zone"\n\n[[zone]]\norigin = "c.test"\nfile = "zones/c.zone"\n',
    ),
  );
});

it('removing a zone cuts its table only', () => {
  expect(edited(removeZone(written, 'B.test.'))).toBe(
    written.replace('[[zone]]\norigin = "b.test"\nfile = "b.zone"\n', ''),
  );
  expect(removeZone(written, 'x.test')).toEqual({ kind: 'unchanged' });
});

it('adds a zone from a primary, with its key file', () => {
  const text = edited(addZone('name = "a"', { origin: 'p.test', primary: '127.0.0.1:5300', tsigFile: 'k' }));
  expect(text).toBe(
    'name = "a"\n\n[[zone]]\norigin = "p.test"\nprimary = "127.0.0.1:5300"\ntsig-file = "k"\n',
  );
});

it('refuses what would not be a good file afterwards, and says why', () => {
  expect(addZone(written, { origin: 'A.test', file: 'x' })).toMatchObject({
    kind: 'refused',
    why: /already has/,
  });
  expect(addZone(written, { origin: 'a..b', file: 'x' })).toMatchObject({
    kind: 'refused',
    why: /^origin: .* no domain name/,
  });
  expect(addMail(written, { domain: 'n.test', deliver: 'nowhere' })).toMatchObject({ kind: 'refused' });
  expect(addZone('nam = 1', { origin: 'c.test', file: 'x' })).toMatchObject({
    kind: 'refused',
    why: /mistakes/,
  });
  const inline = 'name = "a"\nzone = [{ origin = "a.test", file = "f" }]\n';
  expect(addZone(inline, { origin: 'c.test', file: 'x' })).toMatchObject({
    kind: 'refused',
    why: /as one list/,
  });
});

it('changes what a friend may, adds what is missing, keeps what is not named', () => {
  const text = 'name = "a"\n[[friend]]\nname = "bob" # him\nmay = ["dns"] # for now\n# end\n';
  const more = edited(setFriend(text, { name: 'bob', may: ['dns', 'mail'] }));
  expect(more).toBe('name = "a"\n[[friend]]\nname = "bob" # him\nmay = ["dns", "mail"] # for now\n# end\n');
  const quota = edited(setFriend(more, { name: 'bob', quota: '20GB' }));
  expect(quota).toContain('may = ["dns", "mail"] # for now\nquota = "20GB"\n# end\n');
  expect(setFriend(quota, { name: 'bob', quota: '20GB' })).toEqual({ kind: 'unchanged' });
  expect(configOf(edited(setFriend(quota, { name: 'carol', may: [] }))).friends).toEqual([
    { name: 'bob', may: ['dns', 'mail'], quotaBytes: 20e9 },
    { name: 'carol', may: [], quotaBytes: undefined },
  ]);
});

it('keeps the line ends that the file has', () => {
  const text = edited(
    addMail('name = "a"\r\n', { domain: 'a.test', deliver: '127.0.0.1:25', client: 'none' }),
  );
  expect(text).toBe(
    'name = "a"\r\n\r\n[[mail]]\r\ndomain = "a.test"\r\ndeliver = "127.0.0.1:25"\r\nclient = "none"\r\n',
  );
});

it('quotes a file name with any characters', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), (file) => {
      fc.pre(!file.includes('\0'));
      const text = edited(addZone('name = "a"\n', { origin: 'a.test', file }));
      expect(configOf(text).zones[0]?.source).toEqual({ kind: 'file', file });
    }),
  );
});

type Step = { do: 'zone' | 'mail' | 'friend' | 'drop-zone' | 'drop-mail'; n: number };
const steps = fc.array(
  fc.record<Step>({
    do: fc.constantFrom('zone', 'mail', 'friend', 'drop-zone', 'drop-mail'),
    n: fc.integer({ min: 0, max: 4 }),
  }),
  { maxLength: 12 },
);

it('after any edits the file says what was asked for, and every comment outside a removed table is still there', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (script, windows) => {
      const start = `# top comment\nname = "me" # name comment\n\n# mesh comment\n[mesh]\nallow-private = true # flag comment\n# last comment`;
      let text = windows ? start.replaceAll('\n', '\r\n') : start;
      const zones = new Set<string>();
      const mail = new Set<string>();
      const friends = new Set<string>();
      for (const step of script) {
        const domain = `d${step.n}.test`;
        const friend = `f${step.n}`;
        const run: Record<Step['do'], () => ConfigEdit> = {
          zone: () => addZone(text, { origin: domain, file: `${domain}.zone` }),
          mail: () => addMail(text, { domain, deliver: '127.0.0.1:2525' }),
          friend: () => setFriend(text, { name: friend, may: ['dns'] }),
          'drop-zone': () => removeZone(text, domain),
          'drop-mail': () => removeMail(text, domain),
        };
        const result = run[step.do]();
        if (step.do === 'zone') zones.add(domain);
        if (step.do === 'mail') mail.add(domain);
        if (step.do === 'friend') friends.add(friend);
        if (step.do === 'drop-zone') zones.delete(domain);
        if (step.do === 'drop-mail') mail.delete(domain);
        if (result.kind === 'edited') text = result.text;
      }
      const config = configOf(text);
      expect(config.zones.map(({ origin }) => origin).sort()).toEqual([...zones].sort());
      expect(config.mail.map(({ domain }) => domain).sort()).toEqual([...mail].sort());
      expect(config.friends.map(({ name }) => name).sort()).toEqual([...friends].sort());
      for (const comment of ['top', 'name', 'mesh', 'flag', 'last'])
        expect(text).toContain(`# ${comment} comment`);
      expect(text.replaceAll('\r\n', '').includes(windows ? '\n' : '\r')).toBe(false);
    }),
  );
});

it('the first peer.toml is a good one, and dials private addresses only where the mesh listens on one', () => {
  const first = (mesh: string) =>
    configOf(
      initialConfig({
        name: 'bob',
        meshListen: [mesh],
        dnsListen: ['127.0.0.1:53'],
        smtpListen: [],
        httpListen: [],
      }),
    );
  expect(first('127.0.53.2:4853')).toMatchObject({
    name: 'bob',
    mesh: { allowPrivate: true, listen: [{ host: '127.0.53.2', port: 4853 }] },
    dns: { listen: [{ host: '127.0.0.1', port: 53 }] },
    smtp: { listen: [] },
    http: { listen: [] },
  });
  expect(first('192.168.1.2:4853').mesh.allowPrivate).toBe(true);
  expect(first('0.0.0.0:4853').mesh.allowPrivate).toBe(false);
  expect(first('203.0.113.7:4853').mesh.allowPrivate).toBe(false);
});

it('a friend is renamed wherever the file names him, and nothing else changes', () => {
  const text = `name = "alice"  # not bob
[[friend]]
name = "bob"  # my bob
may = ["dns"]

[[zone]]
origin = "bob.test"
file = "bob"
secondaries = ["carol", "bob"]  # both

[[mail]]
domain = "a.test"
deliver = "127.0.0.1:2525"
backups = [
  'bob', # the first
  "bobby",
]

[[smtp.raw]]
listen = "127.0.0.1:2526"
owner = "bob"
`;
  const renamed = edited(renameFriend(text, { name: 'bob', to: 'robert' }));
  expect(renamed).toBe(
    text
      .replace('name = "bob"', 'name = "robert"')
      .replace('"carol", "bob"', '"carol", "robert"')
      .replace("'bob', #", '"robert", #')
      .replace('owner = "bob"', 'owner = "robert"'),
  );
  expect(edited(renameFriend(renamed, { name: 'robert', to: 'bob' }))).toBe(text.replace("'bob'", '"bob"'));
  expect(renameFriend(text, { name: 'dave', to: 'david' })).toEqual({ kind: 'unchanged' });
});

it('a friend is renamed in tables that are written in one line too, and never to a name that has its own table', () => {
  const text =
    'name = "a"\nfriend = [{ name = "bob" }, { name = "eve" }]\nsmtp = { raw = [{ listen = "127.0.0.1:9", owner = "bob" }] }\n';
  expect(edited(renameFriend(text, { name: 'bob', to: 'rob' }))).toBe(text.replaceAll('"bob"', '"rob"'));
  expect(renameFriend(text, { name: 'bob', to: 'eve' })).toMatchObject({
    kind: 'refused',
    why: expect.stringContaining('is already in friend'),
  });
});

it('a service is added, pinned, renamed with its standby, and removed; all else stays', () => {
  const text = 'name = "a"\n\n[[zone]] # mine\norigin = "a.test"\nfile = "a.zone"\n';
  const edited = (edit: ReturnType<typeof addService>): string =>
    edit.kind === 'edited' ? edit.text : edit.kind;
  const web = { name: 'web', record: 'www.a.test', check: 'https://www.a.test/', standby: ['bob=192.0.2.1'] };
  const added = edited(addService(text, { ...web, after: '20s' }));
  expect(added).toBe(
    `${text}\n[[service]]\nname = "web"\nrecord = "www.a.test"\ncheck = "https://www.a.test/"\nstandby = "bob=192.0.2.1"\nafter = "20s"\n`,
  );
  expect(addService(added, web)).toMatchObject({
    kind: 'refused',
    why: 'peer.toml already has a service web',
  });
  expect(addService(text, { ...web, record: 'www.b.test' }).kind).toBe('refused');
  expect(edited(pinService(added, { name: 'web', pin: 'down' }))).toBe(`${added}pin = "down"\n`);
  expect(pinService(added, { name: 'chat', pin: 'up' })).toMatchObject({ kind: 'refused' });
  expect(edited(renameFriend(added, { name: 'bob', to: 'robert' }))).toContain(
    'standby = "robert=192.0.2.1"',
  );
  expect(renameFriend(added, { name: 'bo', to: 'robert' }).kind).toBe('unchanged');
  expect(edited(removeService(added, 'web'))).toBe(`${text}\n`);
  const both = edited(addService(text, { ...web, standby: ['bob=192.0.2.1', 'bob=2001:db8::1'] }));
  expect(both).toContain('standby = ["bob=192.0.2.1", "bob=2001:db8::1"]');
});
