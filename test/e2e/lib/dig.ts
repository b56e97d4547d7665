import type { Address } from './box.ts';
import { run } from './run.ts';

export interface DigAnswer {
  /** NOERROR, NXDOMAIN, REFUSED …; `none` where nothing answered. */
  status: string;
  /** qr aa rd … */
  flags: string[];
  /** `name ttl class type data` of the answer section, as dig prints it, single-spaced. */
  answers: string[];
}

/** One question by the real dig, without retry and without asking for recursion. */
export async function dig(
  server: Address,
  name: string,
  type: string,
  options: { tcp?: boolean; namespace?: string | undefined; more?: string[] } = {},
): Promise<DigAnswer> {
  const transport = options.tcp ? ['+tcp'] : ['+notcp', '+ignore'];
  const question = [`@${server.host}`, '-p', String(server.port), '-q', name, '-t', type, '+norec'];
  const bounds = ['+time=2', '+tries=1', '+noall', '+comments', '+answer'];
  const ran = await run(['dig', '-r', ...question, ...transport, ...bounds, ...(options.more ?? [])], {
    namespace: options.namespace,
  });
  return {
    status: /status: ([A-Z0-9]+)/.exec(ran.stdout)?.[1] ?? 'none',
    flags: /^;; flags: ([^;]*);/m.exec(ran.stdout)?.[1]?.trim().split(/\s+/) ?? [],
    answers: ran.stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .map((line) => line.replaceAll(/\s+/g, ' ').trim()),
  };
}

/** The serial with which a server answers for a zone with authority, or undefined where it does not. */
export async function authoritativeSerial(
  server: Address,
  origin: string,
  options: { tcp?: boolean; namespace?: string | undefined } = {},
): Promise<number | undefined> {
  const { status, flags, answers } = await dig(server, origin, 'SOA', options);
  if (status !== 'NOERROR' || !flags.includes('aa')) return undefined;
  const soa = answers.map((line) => line.split(' ')).find((fields) => fields[3] === 'SOA');
  return soa === undefined ? undefined : Number(soa[6]);
}
