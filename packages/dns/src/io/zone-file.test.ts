import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatProblem } from '../master-file.ts';
import { nameOf } from '../name.ts';
import { watchZoneFile } from './watch-zone-file.ts';
import { readZoneFile } from './zone-file.ts';

const origin = nameOf('alice.example');
const head = '$TTL 300\n@ SOA ns hostmaster 1 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n';
let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'copain-zone-'));
  path = join(folder, 'alice.zone');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function read(text: string) {
  await writeFile(path, text);
  const { zone, problems, files } = await readZoneFile({ path, origin, shownAs: 'zones/alice.zone' });
  return { serial: zone?.serial, problems: problems.map(formatProblem), files };
}

it('reads a zone and what it includes from its folder', async () => {
  await mkdir(join(folder, 'parts'));
  await writeFile(join(folder, 'parts', 'hosts'), 'www A 192.0.2.1\nbad A x\n');
  const { problems, files } = await read(`${head}$INCLUDE parts/hosts\n`);
  expect(problems).toEqual(["zones/parts/hosts:2:7: error: A: 'x' is not an IPv4 address like 192.0.2.1"]);
  expect(files).toEqual([path, join(folder, 'parts', 'hosts')]);
});

it('includes nothing from elsewhere, also not through a link', async () => {
  await symlink('/etc/hostname', join(folder, 'link'));
  for (const target of ['/etc/hostname', '../x', 'link', 'missing', '.']) {
    const { serial, problems } = await read(`${head}$INCLUDE ${target}\n`);
    expect(serial).toBeUndefined();
    expect(problems[0]).toMatch(
      /^zones\/alice.zone:5:10: error: (an included file must lie|cannot be included)/,
    );
  }
});

it('makes a file that cannot be read a problem like any other', async () => {
  const { zone, problems } = await readZoneFile({ path, origin, shownAs: 'alice.zone' });
  expect(zone).toBeUndefined();
  expect(problems.map(formatProblem)[0]).toContain('alice.zone:1:1: error: there is no such file');
});

it('keeps UTF-8 in a TXT record octet by octet', async () => {
  await writeFile(path, `${head}t TXT "\u00fc"\n`);
  const { zone } = await readZoneFile({ path, origin });
  const node = zone?.nodes.get('\x01t\x05alice\x07example\0');
  expect(node?.rrsets[0]?.rdatas).toEqual([Uint8Array.of(2, 0xc3, 0xbc)]);
});

/** Resolves at the next call of `onChange`. */
function nextChange() {
  let { promise, resolve } = Promise.withResolvers<void>();
  return {
    onChange: () => resolve(),
    wait: async () => {
      await promise;
      ({ promise, resolve } = Promise.withResolvers<void>());
    },
  };
}

it('notices a file written in place, replaced by rename, and removed and put back', async () => {
  await writeFile(path, head);
  const change = nextChange();
  await using _ = await watchZoneFile({ path, onChange: change.onChange, debounceMs: 5, pollMs: 60_000 });
  await writeFile(path, `${head};1\n`);
  await change.wait();
  await writeFile(`${path}~`, `${head};2\n`);
  await rename(`${path}~`, path);
  await change.wait();
  await rm(path);
  await change.wait();
  await writeFile(path, head);
  await change.wait();
});

it('notices without polling what links lead to, each of them, and what is included from folders below', async () => {
  // As Kubernetes mounts its volumes: the file is a link through ..data, which is a link that is swapped by rename.
  for (const version of ['one', 'two']) {
    await mkdir(join(folder, `..${version}`));
    await writeFile(join(folder, `..${version}`, 'alice.zone'), `${head};${version}\n`);
  }
  await symlink('..one', join(folder, '..data'));
  await symlink('..data/alice.zone', path);
  const part = join(folder, 'parts', 'hosts');
  await mkdir(join(folder, 'parts'));
  await writeFile(part, '');
  const change = nextChange();
  await using watch = await watchZoneFile({
    path,
    onChange: change.onChange,
    debounceMs: 5,
    pollMs: 3_600_000,
  });
  await writeFile(join(folder, '..one', 'alice.zone'), `${head};written where it lies\n`);
  await change.wait();
  await symlink('..two', join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  await change.wait();
  await writeFile(join(folder, '..two', 'alice.zone'), `${head};written where it lies now\n`);
  await change.wait();
  watch.follow([path, part]);
  await change.wait();
  await writeFile(part, 'www A 192.0.2.1\n');
  await change.wait();
});

it('tells what was only renamed into its place, and so is whole, from what was written', async () => {
  await writeFile(path, head);
  const told: boolean[] = [];
  const change = nextChange();
  await using _ = await watchZoneFile({
    path,
    onChange: (isWhole) => {
      told.push(isWhole);
      change.onChange();
    },
    pollMs: 3_600_000,
  });
  await writeFile(`${path}~`, `${head};2\n`);
  await rename(`${path}~`, path);
  await change.wait();
  await writeFile(path, `${head};3\n`);
  await change.wait();
  expect(told).toEqual([true, false]);
});

it('notices by polling what the folder does not tell: included files, a folder replaced', async () => {
  const inner = join(folder, 'inner');
  await mkdir(inner);
  path = join(inner, 'alice.zone');
  await writeFile(path, head);
  const part = join(folder, 'part');
  const change = nextChange();
  await using watch = await watchZoneFile({ path, onChange: change.onChange, debounceMs: 5, pollMs: 20 });
  watch.follow([path, part]);
  await change.wait();
  await writeFile(part, 'new');
  await change.wait();
  await rename(inner, `${inner}-old`);
  await change.wait();
  await mkdir(inner);
  await writeFile(path, `${head};again\n`);
  await change.wait();
});

it('many zones in one folder hear each of its own file, also after some were let go, and after the folder was replaced', async () => {
  const inner = join(folder, 'zones');
  await mkdir(inner);
  const files = Array.from({ length: 20 }, (_, n) => join(inner, `${n}.zone`));
  for (const file of files) await writeFile(file, head);
  const heard = new Set<string>();
  const change = nextChange();
  await using watches = new AsyncDisposableStack();
  for (const file of files) {
    const onChange = (): void => {
      heard.add(file);
      change.onChange();
    };
    const watch = await watchZoneFile({ path: file, onChange, debounceMs: 5, pollMs: 20 });
    if (file === files[0]) await watch[Symbol.asyncDispose]();
    else watches.use(watch);
  }
  const [gone = '', first = '', second = ''] = files;
  await writeFile(gone, `${head};1\n`);
  await writeFile(first, `${head};1\n`);
  await change.wait();
  expect([...heard]).toEqual([first]);
  await rename(inner, `${inner}-old`);
  while (heard.size < files.length - 1) await change.wait();
  await mkdir(inner);
  heard.clear();
  await writeFile(second, `${head};again\n`);
  while (!heard.has(second)) await change.wait();
  expect(heard.has(gone)).toBe(false);
});

it('a file that is the same is not read again, one that includes another is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'copain-zone-again-'));
  try {
    const path = join(folder, 'zone');
    const text = '$TTL 300\n@ SOA ns host 1 3600 600 3600000 300\n@ NS ns\nns A 192.0.2.1\n';
    const origin = nameOf('alice.example');
    await writeFile(path, text);
    const first = await readZoneFile({ path, origin });
    expect(await readZoneFile({ path, origin, before: first })).toBe(first);
    await writeFile(path, `${text}www A 192.0.2.2\n`);
    const second = await readZoneFile({ path, origin, before: first });
    expect(second.zone?.nodes.size).toBe(3);
    await writeFile(join(folder, 'more'), 'a A 192.0.2.3\n');
    await writeFile(path, `${text}$INCLUDE more\n`);
    const third = await readZoneFile({ path, origin, before: second });
    await writeFile(join(folder, 'more'), 'a A 192.0.2.3\nb A 192.0.2.3\n');
    expect((await readZoneFile({ path, origin, before: third })).zone?.nodes.size).toBe(4);
  } finally {
    await rm(folder, { recursive: true });
  }
});
