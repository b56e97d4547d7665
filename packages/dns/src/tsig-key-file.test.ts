import { expect, it } from 'vitest';
import { formatProblem } from './master-file.ts';
import { nameToText } from './name.ts';
import { parseTsigKeyFile } from './tsig-key-file.ts';

const secret = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=';

function read(text: string): string {
  const read = parseTsigKeyFile({ text, file: 'k.key' });
  if (read.kind === 'problem') return formatProblem(read.problem);
  const { name, algorithm, secret: octets } = read.key;
  return `${nameToText(name)} ${algorithm} ${octets.length}`;
}

it('reads what tsig-keygen writes', () => {
  expect(read(`key "home" {\n\talgorithm hmac-sha256;\n\tsecret "${secret}";\n};\n`)).toBe(
    'home. hmac-sha256 32',
  );
});

it('reads other ways to write it in named.conf: no quotes, either order, comments, capitals', () => {
  const text = `// one\n# two\n/* three\n */ key Home.Example. { secret ${secret}; /* x */ algorithm HMAC-SHA512; };`;
  expect(read(text)).toBe('home.example. hmac-sha512 32');
});

it('says where it is wrong, and never shows the secret', () => {
  const key = (inside: string) => `key "home" {\n  ${inside}\n};\n`;
  const whole = `algorithm hmac-sha256; secret "${secret}";`;
  expect([
    read(''),
    read('secret'),
    read(key(`algorithm hmac-md5; secret "${secret}";`)),
    read(key(`algorithm hmac-sha256; secret "not base64!";`)),
    read(key('algorithm hmac-sha256; secret "c2hvcnQ=";')),
    read(key('algorithm hmac-sha256;')),
    read(key(`secret "${secret}";`)),
    read(key(`${whole} secret "${secret}";`)),
    read(key(`algorithm hmac-sha256 secret "${secret}";`)),
    read(`${key(whole)}${key(whole)}`),
    read(`key "home" { ${whole}`),
    read(`key "home { ${whole} };`),
    read(`key "a..b" { ${whole} };`),
    read(`/* no end key "home" { ${whole} };`),
  ]).toEqual([
    'k.key:1:1: error: expected a key, like: key "NAME" { algorithm hmac-sha256; secret "BASE64"; };',
    'k.key:1:1: error: expected a key, like: key "NAME" { algorithm hmac-sha256; secret "BASE64"; };',
    'k.key:2:13: error: expected hmac-sha256, hmac-sha384 or hmac-sha512',
    'k.key:2:33: error: the secret is not base64',
    'k.key:2:33: error: the secret has 5 octets; 16 to 512 are allowed (tsig-keygen makes a good one)',
    "k.key:2:3: error: the key has no 'secret'",
    "k.key:2:3: error: the key has no 'algorithm'",
    "k.key:2:81: error: expected 'algorithm' once, 'secret' once, then '}'",
    "k.key:2:25: error: expected ';'",
    'k.key:4:1: error: expected nothing behind the key: one key a file',
    expect.stringMatching(/^k\.key:1:\d+: error: expected 'algorithm', 'secret' or '}'$/),
    expect.stringMatching(/^k\.key:1:\d+: error: /),
    expect.stringMatching(/^k\.key:1:5: error: the name of the key: /),
    "k.key:1:1: error: unexpected '/'",
  ]);
});

it('a file that is far too long is not read', () => {
  expect(read(' '.repeat(70_000))).toBe('k.key:1:1: error: the file is too long for one key');
});
