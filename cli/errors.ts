/** What a command throws when it cannot go on: messages for the user with an exit code. */

/** A command line, script or expression that cannot be used: the message says where it is wrong and what to write. */
export class UsageError extends Error {
  /** Misuse. */
  readonly exitCode = 2;
  /** The class, for whoever prints the error. */
  override name = "UsageError";
}

/** A command failed for a reason outside of its command line: a missing file, a run that is not what was recorded. */
export class CommandError extends Error {
  /** Failure. */
  readonly exitCode = 1;
  /** The class, for whoever prints the error. */
  override name = "CommandError";
}
