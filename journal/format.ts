/** The journal's format number, the header of a file, and the upcasters that let every build open every format. */
import { BLOCK_KINDS, type BlockKind } from "./block_kinds.ts";
import { JournalFormatError, JournalVersionError, nameOfJournal } from "./errors.ts";

/**
 * The format that this build writes. A change of what a block or a payload means raises it, adds a row to
 * {@linkcode UPCASTERS}, and leaves a journal of the old format in the fixtures.
 */
export const FORMAT = 3;

/** Length of what precedes the first block, in bytes. */
export const FILE_HEADER_LENGTH = 16;

/** First bytes of a file: not ASCII, and broken by whatever converts line ends (as in PNG); then a u16 format. */
const FILE_MAGIC = familyMagic("HINDSIGHT");

/** A family of files made of blocks: what tells it from others, and its formats. */
export interface FileFamily {
  /** What a file is, for messages. */
  readonly what: string;
  /** What names of its files end with. */
  readonly suffix: string;
  /** The first 14 bytes. */
  readonly magic: Uint8Array;
  /** The format that this build writes. */
  readonly format: number;
  /** How payloads of each old format become those of the next one. */
  readonly upcasters: ReadonlyMap<number, Upcaster>;
  /** The kinds of block that a file may have. */
  readonly kinds: readonly BlockKind[];
}

/** The magic of a family, of nine letters. */
export function familyMagic(letters: string): Uint8Array {
  return Uint8Array.from([0x89, ...new TextEncoder().encode(letters), 0x0d, 0x0a, 0x1a, 0x0a]);
}

/** Takes a payload of one format, by the kind of its block, to the next format. */
export type Upcaster = (kind: BlockKind, payload: unknown) => unknown;

/**
 * For each old format, how its payloads become those of the next one.
 *
 * - 1 to 2: a run may begin with checkpoint blocks, and may end because a condition held; nothing old changed.
 * - 2 to 3: checkpoint blocks may follow root blocks; nothing old changed.
 */
export const UPCASTERS: ReadonlyMap<number, Upcaster> = new Map([
  [1, (_kind, payload) => payload],
  [2, (_kind, payload) => payload],
]);

/** The journal of one machine's run. */
export const JOURNAL_FAMILY: FileFamily = {
  what: "a Hindsight journal",
  suffix: ".hindsight",
  magic: FILE_MAGIC,
  format: FORMAT,
  upcasters: UPCASTERS,
  kinds: BLOCK_KINDS.map(({ name }) => name).filter((name) => name !== "member"),
};

/** The first {@linkcode FILE_HEADER_LENGTH} bytes of a journal: magic, and the format as a little-endian u16. */
export function encodeFileHeader(format: number = FORMAT, family: FileFamily = JOURNAL_FAMILY): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_LENGTH);
  bytes.set(family.magic);
  new DataView(bytes.buffer).setUint16(FILE_MAGIC.length, format, true);
  return bytes;
}

/**
 * The format that a file header names. Throws {@linkcode JournalFormatError} if it is no journal's header, and
 * {@linkcode JournalVersionError} for a format that this build cannot open.
 */
export function decodeFileHeader(
  bytes: Uint8Array,
  name?: string,
  family: FileFamily = JOURNAL_FAMILY,
): number {
  const journal = nameOfJournal(name), { magic } = family;
  if (!bytes.every((byte, index) => index >= magic.length || byte === magic[index])) {
    throw new JournalFormatError(
      `Cannot read ${journal}: it is not ${family.what}. Give a ${family.suffix} file.`,
    );
  }
  if (bytes.length < FILE_HEADER_LENGTH) throw emptyJournal(name);
  const format = new DataView(bytes.buffer, bytes.byteOffset).getUint16(FILE_MAGIC.length, true);
  if (format > family.format) {
    throw new JournalVersionError(
      `Cannot read ${journal}: it has format ${format} and this build knows formats up to ${family.format}. ` +
        `Open it with a newer Hindsight.`,
    );
  }
  if (format < 1) {
    throw new JournalFormatError(
      `Cannot read ${journal}: there is no format ${format}. Restore it from a copy.`,
    );
  }
  return format;
}

/** The error for a journal whose first block is not whole: nothing of a run can be had from it. */
export function emptyJournal(name: string | undefined): JournalFormatError {
  return new JournalFormatError(
    `Cannot read ${nameOfJournal(name)}: it holds no whole block; ` +
      `the recording ended before its configuration was written. Record again.`,
  );
}

/**
 * Takes a payload of `format` to {@linkcode FORMAT}, format by format. `upcasters` and `current` are there for tests.
 * Throws a `RangeError` for a format without an upcaster, which is a mistake of this build.
 */
export function upcast(
  format: number,
  kind: BlockKind,
  payload: unknown,
  upcasters: ReadonlyMap<number, Upcaster> = UPCASTERS,
  current: number = FORMAT,
): unknown {
  for (let from = format; from < current; from++) {
    const upcaster = upcasters.get(from);
    if (upcaster === undefined) {
      throw new RangeError(`Cannot upcast ${kind} payload: format ${from} has no upcaster`);
    }
    payload = upcaster(kind, payload);
  }
  return payload;
}
