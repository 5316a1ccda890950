/** What goes wrong, as a message for the user and an exit code: 2 for misuse, 1 for failure. */
import { JournalError, PredicateError, QuestionError } from "../journal/errors.ts";
import { ClockOverflowError, ConfigurationError, InputRefusedError } from "../machine/errors.ts";
import { WorldError } from "../world/errors.ts";
import { CommandError, UsageError } from "./errors.ts";
import { GuestError } from "./host/guests/guest.ts";

/** Errors with a message that is one for the user, and the exit code that goes with it. */
// deno-fmt-ignore
const FAILURES: readonly (readonly [type: new (...args: never) => Error, exitCode: number])[] = [
  [UsageError,         2],
  [PredicateError,     2],
  [QuestionError,      2],
  [ConfigurationError, 2],
  [WorldError,         2],
  [CommandError,       1],
  [JournalError,       1],
  [InputRefusedError,  1],
  [ClockOverflowError, 1],
  [GuestError,         1],
];

/** A command's failure. */
export interface Failure {
  /** For the user, without a stack. */
  readonly message: string;
  /** For the process. */
  readonly exitCode: number;
}

/** Turns whatever a command threw into a message and an exit code. */
export function failureOf(error: unknown): Failure {
  const row = FAILURES.find(([type]) => error instanceof type);
  const message = error instanceof Error ? error.message : String(error);
  if (row !== undefined) return { message, exitCode: row[1] };
  const name = error instanceof Error ? error.name : typeof error;
  return {
    message: `this should not have happened, it is a defect of Hindsight: ${name}: ${message}`,
    exitCode: 1,
  };
}
