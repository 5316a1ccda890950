/** What can be wrong with a journal, or with what is asked of one: one class per case, each with a message that says where and what to do. */

/** How a message names a journal: by its file name in quotes where one is known. */
export function nameOfJournal(name: string | undefined): string {
  return name === undefined ? "journal" : `journal "${name}"`;
}

/**
 * The parent of everything that reading or writing a journal throws because of the file or what is in it.
 *
 * Its message is one for the user: it is printed as it is, without a stack, and the command ends with
 * {@linkcode JournalError.exitCode}. Misuse by a caller is a `RangeError` or `TypeError` instead.
 */
export class JournalError extends Error {
  /** The exit code of a command that ends with this error: 1, a failure (2 would be misuse). */
  readonly exitCode = 1;

  /** Takes the message for the user, and the cause as every `Error` does. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The bytes are no journal, or one that ended before its first block was whole. */
export class JournalFormatError extends JournalError {}

/** A journal of a format that this build does not know. */
export class JournalVersionError extends JournalError {}

/** The source failed or came up short: the file could not be read, or changed while it was. */
export class JournalReadError extends JournalError {}

/** A payload that breaks the codec's rules: thrown by the codec, which knows no block. */
export class JournalPayloadError extends JournalError {}

/** A block that cannot be what was written there, and that is no torn write at the end either. */
export class JournalCorruptError extends JournalError {
  /** Number of the block, from 0. */
  readonly block: number;
  /** Where the block begins, in bytes from the start of the file. */
  readonly offset: number;

  /** Takes the journal's name, the block's number and offset, and what is wrong with it, as a clause. */
  constructor(
    name: string | undefined,
    block: number,
    offset: number,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(
      `Cannot read ${nameOfJournal(name)}: block ${block} at offset ${offset} is damaged: ${reason}. ` +
        `Restore the file from a copy, or record again.`,
      options,
    );
    this.block = block;
    this.offset = offset;
  }
}

/** The sink failed: a full disk, a closed pipe. Nothing can be appended after it; what came before is safe. */
export class JournalWriteError extends JournalError {
  /** Number of whole blocks written before the failure. */
  readonly blocks: number;
  /** Length of the file up to the last whole block, in bytes. */
  readonly bytes: number;

  /** Takes the journal's name, how much of it is safe, and what happened, as a clause or the sink's error. */
  constructor(name: string | undefined, blocks: number, bytes: number, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const safe = blocks === 0
      ? "Nothing had been recorded yet."
      : `The ${blocks === 1 ? "block" : `${blocks} blocks`} before it (${bytes} bytes) ` +
        `${blocks === 1 ? "is" : "are"} safe and can be replayed.`;
    super(`Cannot write ${nameOfJournal(name)}: ${reason}. ${safe}`, { cause });
    this.blocks = blocks;
    this.bytes = bytes;
  }
}

/** An expression that cannot be used; the message points into it. */
export class PredicateError extends Error {
  /** Name of the class. */
  override name = "PredicateError";
}

/** A question about a run that has no answer as it is asked: a register or an address that there is not. */
export class QuestionError extends Error {
  /** Name of the class. */
  override name = "QuestionError";
}
