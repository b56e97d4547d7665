/** What a command's exit status says (sysexits.h, and 1 for "the answer is no"). */
export const ExitCode: {
  readonly done: 0;
  readonly no: 1;
  readonly usage: 64;
  readonly badInput: 65;
  readonly unreachable: 69;
  readonly bug: 70;
  readonly cannotWrite: 73;
  readonly cannotRead: 74;
  readonly queued: 75;
  readonly permission: 77;
  readonly configuration: 78;
} = {
  done: 0,
  no: 1,
  usage: 64,
  badInput: 65,
  unreachable: 69,
  bug: 70,
  cannotWrite: 73,
  cannotRead: 74,
  queued: 75,
  permission: 77,
  configuration: 78,
};

/**
 * An error that the person at the command line can act on: `message` is one clear line (further lines may show a
 * caret), `hint` the command that mends it, `exit` the status to leave with.
 */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly exit: number;
  readonly hint: string | undefined;
  constructor(exit: number, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exit = exit;
    this.hint = options.hint;
  }
}
