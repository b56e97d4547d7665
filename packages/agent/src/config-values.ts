import { type HostPort, isName, parseHostPort } from '@copain/core';
import * as v from 'valibot';
import { configLimits } from './config-limits.ts';

const textMessage = 'must be a text in quotes';

/** A text with a meaning: `read` finds it, `message` says what is allowed where there is none. */
export interface Meaning<T> {
  read: (text: string) => T | undefined;
  message: string;
}

const boundedText = v.pipe(
  v.string(textMessage),
  v.maxLength(configLimits.textCharacters, `is longer than ${configLimits.textCharacters} characters`),
);

/** A text of bounded length that means something; one that does not is a mistake, shown cut to 80 characters. */
export function text<T>({ read, message }: Meaning<T>): v.GenericSchema<unknown, T> {
  return v.pipe(
    boundedText,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `${JSON.stringify(dataset.value.slice(0, 80))} ${message}` });
      return NEVER;
    }),
  );
}

/** Absent stays undefined; so does the empty text, which stands for "none" in the file. */
export function unlessEmpty<T>({ read, message }: Meaning<T>): v.GenericSchema<unknown, T | undefined> {
  const orNone = text({
    message,
    read: (written) => {
      if (written === '') return { value: undefined };
      const value = read(written);
      return value === undefined ? undefined : { value };
    },
  });
  return v.optional(
    v.pipe(
      orNone,
      v.transform(({ value }) => value),
    ),
  );
}

/** A list of bounded length; `what` names its entries to people. */
export function listOf<T>(item: v.GenericSchema<unknown, T>, what: string): v.GenericSchema<unknown, T[]> {
  return v.pipe(
    v.array(item, `must be a list of ${what}, in square brackets`),
    v.maxLength(configLimits.listEntries, `has more than ${configLimits.listEntries} entries`),
  );
}

/** One table; absent is all defaults. */
export function table<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T> {
  return v.optional(schema, {}) as v.GenericSchema<unknown, T>;
}

/** Tables with a key `[[…]]` each: absent is none. */
export function tablesOf<T>(item: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T[]> {
  return v.optional(listOf(item, 'tables'), () => []) as v.GenericSchema<unknown, T[]>;
}

/** One of these words, and a mistake names them all. */
export function oneOf<const T extends string>(...choices: T[]): v.GenericSchema<unknown, T> {
  const allowed = choices.map((choice) => `"${choice}"`).join(', ');
  return v.picklist(choices, `must be one of ${allowed}`);
}

export const hostAndPort: string = '"host:port", e.g. "203.0.113.7:53" or "[2001:db8::1]:53"';
export const ipAddress: RegExp = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9a-f:.]*:[0-9a-f:.]*(%[\w.-]+)?)$/i;

export const remote: Meaning<HostPort> = {
  read: (written) => {
    const address = parseHostPort(written);
    return address && address.port > 0 ? address : undefined;
  },
  message: `is no ${hostAndPort}`,
};

export const listener: Meaning<HostPort> = {
  read: (written) => {
    const address = parseHostPort(written);
    return address && (ipAddress.test(address.host) || address.host === 'localhost') ? address : undefined;
  },
  message: 'is no address to listen on: an IP address and a port, e.g. "0.0.0.0:53" or "[::]:53"',
};

export const listeners = (...defaults: string[]): v.GenericSchema<unknown, HostPort[]> =>
  v.optional(listOf(text(listener), 'addresses to listen on'), defaults) as v.GenericSchema<
    unknown,
    HostPort[]
  >;

export const boxName: Meaning<string> = {
  read: (written) => (isName(written) ? written : undefined),
  message: 'is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end',
};
export const names: v.GenericSchema<unknown, string[]> = listOf(text(boxName), 'names');

const domainLabel = /^(?!-)[a-z0-9_/-]{1,63}(?<!-)$/;

/** Lower case and without a trailing dot, or undefined where the text is no domain name (RFC 1035 §2.3.1, RFC 2317). */
export function readDomain(text: string): string | undefined {
  const domain = text.toLowerCase().replace(/\.$/, '');
  return domain.length <= 253 && domain.split('.').every((label) => domainLabel.test(label))
    ? domain
    : undefined;
}

export const domain: Meaning<string> = {
  read: readDomain,
  message: 'is no domain name: labels of a-z, 0-9, - and _ with dots between; other alphabets as xn--…',
};
export const file: Meaning<string> = {
  read: (written) => (written === '' || written.includes('\0') ? undefined : written),
  message: 'is no file name',
};
export const followedName: Meaning<string> = {
  read: (written) => (written === '@' ? written : readDomain(written)),
  message: 'is no name in the zone: "@" or e.g. "mail"',
};
