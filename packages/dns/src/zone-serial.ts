const half = 2 ** 31;
const whole = 2 ** 32;

/** Is serial `a` newer than `b`? RFC 1982 §3.2: undefined when they are exactly 2^31 apart. */
export function isNewerSerial(a: number, b: number): boolean | undefined {
  const ahead = (a - b + whole) % whole;
  if (ahead === half) return undefined;
  return ahead !== 0 && ahead < half;
}

/** `serial` plus `steps`, wrapping round (RFC 1982 §3.1). `steps` is at most 2^31 - 1, or the sum is not newer. */
export function addToSerial(serial: number, steps: number): number {
  if (steps < 0 || steps >= half) throw new RangeError('a serial rises by at most 2^31 - 1 at once');
  return (serial + steps) % whole;
}
