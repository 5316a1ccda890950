/**
 * The journal file: appends blocks to one, and reads them back.
 *
 * ```ts
 * import { JournalReader, JournalWriter } from "./file.ts";
 * import { MemoryFile } from "./storage.ts";
 *
 * const file = new MemoryFile();
 * const writer = new JournalWriter(file);
 * writer.append("configuration", { ram: 2n ** 30n });
 * writer.append("inputs", [{ instant: 7 }], { firstInstant: 7, lastInstant: 7 });
 * writer.finish();
 *
 * const reader = JournalReader.open(file);
 * const inputs = reader.blocks.filter((block) => block.kind === "inputs");
 * const payloads = inputs.map((block) => reader.payload(block.number)); // unknown: validate with zod
 * ```
 *
 * @module
 */
import {
  BLOCK_HEADER_LENGTH,
  type BlockInfo,
  type BlockPlace,
  type BlockSpan,
  checkBounds,
  checkHeader,
  Content,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  type EncodedBlock,
  encodePacked,
  infoOf,
  isStoredWhole,
  MAX_BLOCKS,
} from "./block.ts";
import type { BlockKind } from "./block_kinds.ts";
import type { ByteWork } from "./byte_work.ts";
import type { EncodedValue } from "./codec.ts";
import { JournalCorruptError, JournalPayloadError, JournalWriteError } from "./errors.ts";
import {
  decodeFileHeader,
  encodeFileHeader,
  FILE_HEADER_LENGTH,
  type FileFamily,
  JOURNAL_FAMILY,
  upcast,
} from "./format.ts";
import { sha256 } from "./hash.ts";
import { type BlockList, encodeIndex, readIndex } from "./index_block.ts";
import type { PackedPayload } from "./packing.ts";
import { scanBlocks, type TornTail } from "./scan.ts";
import { readExactly, type Sink, type Source } from "./storage.ts";

/** zstd's level for blocks: its own default, 100 MB/s and more on stored steps. */
const DEFAULT_LEVEL = 3;

const NO_INSTANTS: BlockSpan = { firstInstant: 0, lastInstant: 0 };

/** Blocks that another thread packs at most, and the least bytes that are worth asking it. */
const MOST_WAITING = 2, WORTH_WAITING = 1 << 16;

/** A block that another thread packs. */
interface WaitingBlock {
  readonly kind: BlockKind;
  readonly span: BlockSpan;
  readonly packed: () => PackedPayload;
}

/**
 * Writes a journal to a sink that is empty. Each block goes out at once when it is appended, so whatever cuts the
 * writing off costs the block being written and nothing before it, but for blocks that were said to have time.
 */
export class JournalWriter {
  readonly #sink: Sink;
  readonly #level: number;
  readonly #work: ByteWork | undefined;
  readonly #waiting: WaitingBlock[] = [];
  readonly #blocks: BlockInfo[] = [];
  readonly #family: FileFamily;
  readonly #fileHeader: Uint8Array;
  #headHash: Uint8Array;
  #journalId: bigint | undefined;
  #byteLength = 0;
  #finished = false;
  #failure: JournalWriteError | undefined;

  /**
   * Takes the sink, zstd's level (1 to 22; 3 by default), who packs blocks that may wait, if anybody does, and what sort
   * of file it is, by default a journal. Writes nothing before the first block.
   */
  constructor(
    sink: Sink,
    options: {
      readonly level?: number;
      readonly work?: ByteWork | undefined;
      readonly family?: FileFamily;
    } = {},
  ) {
    this.#sink = sink;
    this.#family = options.family ?? JOURNAL_FAMILY;
    this.#fileHeader = encodeFileHeader(this.#family.format, this.#family);
    this.#headHash = sha256(this.#fileHeader);
    this.#work = options.work;
    this.#level = options.level ?? DEFAULT_LEVEL;
  }

  /** The blocks written whole so far, in order. */
  get blocks(): readonly BlockInfo[] {
    this.#settle();
    return this.#blocks;
  }

  /** Length of the file up to the last whole block, in bytes. */
  get byteLength(): number {
    this.#settle();
    return this.#byteLength;
  }

  /**
   * Appends one block; the first is the `configuration`, and only the first. A `Uint8Array` is kept as the bytes it is;
   * anything else is encoded by the codec. `span` is the instants that the block is about, by default none.
   *
   * Throws {@linkcode JournalWriteError} if the sink fails, which closes it: the file then is whole up to the block
   * before, and every later call throws the same error. Throws a `TypeError` for a payload that the codec refuses and a `RangeError` for one over 64 MiB, for a span
   * out of order, for a kind out of place and after the end; nothing is written then, and the journal stays usable.
   */
  append(kind: BlockKind, payload: unknown, span: BlockSpan = NO_INSTANTS): BlockInfo {
    if (kind === "index") throw new RangeError("Cannot append index block: finish() writes it");
    this.#settle();
    return this.#append(kind, payload, span, this.#level);
  }

  /**
   * The same for a block that may be packed in another thread; it is written, at the latest, when anything else is asked
   * of the writer but the same once or twice. What `append` throws may come then.
   */
  appendLater(kind: BlockKind, payload: EncodedValue, span: BlockSpan): void {
    const { bytes } = payload, isWorth = bytes.length >= WORTH_WAITING && this.#blocks.length > 0;
    if (isWorth && this.#failure === undefined && !this.#finished) {
      checkBounds(kind, bytes.length, span);
      this.#settle(MOST_WAITING - 1);
      const packed = this.#work?.pack(bytes, this.#level);
      if (packed !== undefined) return void this.#waiting.push({ kind, span, packed });
    }
    this.append(kind, payload, span);
  }

  /** Writes what waits. */
  settle(): void {
    this.#settle();
  }

  /** Writes blocks that were packed elsewhere until so many wait. */
  #settle(most = 0): void {
    if (this.#failure !== undefined) this.#waiting.length = 0;
    while (this.#waiting.length > most) {
      const { kind, span, packed } = this.#waiting.shift() as WaitingBlock;
      this.#write(kind, (place) => encodePacked(kind, Content.Value, packed(), span, place), this.#level);
    }
  }

  /**
   * Begins with the first `count` blocks of another journal, byte for byte, so that both have one chain of hashes up to
   * there; for a writer that has written nothing. Blocks of an earlier format are packed anew. Throws
   * {@linkcode JournalWriteError}, and what reading throws.
   */
  copyFrom(reader: JournalReader, count: number): void {
    if (this.#blocks.length > 0) throw new RangeError("Cannot copy blocks: the journal has begun");
    for (const block of reader.blocks.slice(0, count)) {
      if (reader.format === this.#family.format) this.#copy(reader, block);
      else this.append(block.kind, reader.payload(block.number), block);
    }
  }

  #copy(reader: JournalReader, block: BlockInfo): void {
    const bytes = reader.stored(block.number), headerBytes = bytes.slice(0, BLOCK_HEADER_LENGTH);
    const { journalId } = decodeHeader(headerBytes)!;
    this.#put(headerBytes, bytes.subarray(BLOCK_HEADER_LENGTH), { ...block }, journalId);
  }

  /**
   * Ends the journal: writes the index block, syncs and closes the sink. Does nothing when called again or after a
   * failure that `append` has reported, so that it may stand in a `finally`. Throws {@linkcode JournalWriteError}.
   */
  finish(): void {
    if (this.#finished || this.#failure !== undefined) return;
    this.#settle();
    if (this.#blocks.length > 0) {
      const index = encodeIndex(this.#blocks, this.#byteLength);
      this.#append("index", index, NO_INSTANTS, undefined);
    }
    this.#finished = true;
    try {
      this.#sink.sync?.();
    } catch (cause) {
      throw this.#fail(cause);
    }
    try {
      this.#sink.close();
    } catch (cause) {
      throw this.#failureOf(cause);
    }
  }

  #append(kind: BlockKind, payload: unknown, span: BlockSpan, level: number | undefined): BlockInfo {
    return this.#write(kind, (place) => encodeBlock(kind, payload, span, place), level);
  }

  #write(
    kind: BlockKind,
    encode: (place: BlockPlace) => EncodedBlock,
    level: number | undefined,
  ): BlockInfo {
    const number = this.#blocks.length;
    if (!this.#family.kinds.includes(kind)) {
      throw new RangeError(`Cannot append ${kind} block: ${this.#family.what} has none`);
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#finished) throw new RangeError(`Cannot append ${kind} block: the journal is finished`);
    if ((number === 0) !== (kind === "configuration")) {
      throw new RangeError(
        `Cannot append ${kind} block: the first block is the configuration, and only the first`,
      );
    }
    const chain = { number, previousHash: this.#headHash, level };
    const place = this.#journalId === undefined ? chain : { ...chain, journalId: this.#journalId };
    const { header, headerBytes, stored } = encode(place);
    if (number === MAX_BLOCKS - 1 && kind !== "index") {
      throw this.#fail(`it has ${MAX_BLOCKS} blocks, the most it may`);
    }

    const info = infoOf(header, this.#byteLength || FILE_HEADER_LENGTH);
    this.#put(headerBytes, stored, info, header.journalId);
    return info;
  }

  #put(headerBytes: Uint8Array, stored: Uint8Array, info: BlockInfo, journalId: bigint): void {
    try {
      if (this.#blocks.length === 0) this.#sink.write(this.#fileHeader);
      this.#sink.write(headerBytes);
      this.#sink.write(stored);
    } catch (cause) {
      throw this.#fail(cause);
    }
    this.#headHash = sha256(headerBytes);
    this.#journalId = journalId;
    this.#byteLength = info.offset + info.byteLength;
    this.#blocks.push(info);
  }

  #fail(cause: unknown): JournalWriteError {
    try {
      this.#sink.close();
    } catch {
      // The first error is the one to report.
    }
    return this.#failureOf(cause);
  }

  #failureOf(cause: unknown): JournalWriteError {
    return this.#failure = new JournalWriteError(
      this.#sink.name,
      this.#blocks.length,
      this.#byteLength,
      cause,
    );
  }
}

/** How a journal is opened. */
export type OpenOptions = {
  /**
   * `"whole"` (the default) hashes every stored byte and checks the whole chain at opening. `"asRead"` trusts the index
   * block of a finished file for the list of blocks and checks each block when its payload is asked for, so that
   * opening takes no longer for a large file; a file without a good index block is checked whole all the same.
   */
  readonly check?: "whole" | "asRead";
  /** What sort of file it is to be, by default a journal. */
  readonly family?: FileFamily;
};

/**
 * A journal opened for reading: the list of its whole blocks, and their payloads one by one.
 *
 * The file is not trusted: whatever is in it, what is thrown is a `JournalError` whose message is for the user, in
 * memory bounded by one block's bounds and time linear in the file's length.
 */
export class JournalReader {
  /** The format of the file; payloads come in the current one. */
  readonly format: number;
  /** All whole blocks in order, an index block included. The first is the configuration. */
  readonly blocks: readonly BlockInfo[];
  /** What was dropped after the last whole block, if anything was: tell the user. */
  readonly torn: TornTail | undefined;
  /** Whether the journal was finished: it ends with its index block. */
  readonly finished: boolean;
  /** SHA-256 of the last whole block's header, which through the chain stands for the whole file. */
  readonly headHash: Uint8Array;
  readonly #source: Source;
  readonly #family: FileFamily;
  readonly #journalId: bigint;

  private constructor(
    source: Source,
    family: FileFamily,
    format: number,
    list: BlockList & { readonly torn?: TornTail },
  ) {
    this.#source = source;
    this.#family = family;
    this.#journalId = list.journalId;
    this.format = format;
    this.blocks = list.blocks;
    this.torn = list.torn;
    this.finished = list.torn === undefined && list.blocks.at(-1)?.kind === "index";
    this.headHash = list.headHash;
  }

  /**
   * Opens a journal. Throws `JournalFormatError` for what is no journal or has no whole block, `JournalVersionError`
   * for a format of a later build, {@linkcode JournalCorruptError} for a bad block with a good one after it and for
   * blocks that do not belong together, and `JournalReadError` if the source fails. A bad or cut last block is no
   * error: it is dropped and described by {@linkcode JournalReader.torn}.
   */
  static open(source: Source, options: OpenOptions = {}): JournalReader {
    const length = Math.min(source.size, FILE_HEADER_LENGTH);
    const fileHeader = readExactly(source, 0, length).slice();
    const family = options.family ?? JOURNAL_FAMILY;
    const format = decodeFileHeader(fileHeader, source.name, family);
    const indexed = options.check === "asRead" ? readIndex(source, fileHeader) : undefined;
    const list = indexed ?? scanBlocks(source, fileHeader);
    const stray = list.blocks.find(({ kind }) => !family.kinds.includes(kind));
    if (stray !== undefined) {
      throw new JournalCorruptError(
        source.name,
        stray.number,
        stray.offset,
        `it is a block of kind ${stray.kind}, which ${family.what} has not`,
      );
    }
    return new JournalReader(source, family, format, list);
  }

  /**
   * The payload of block `number`, decoded now: bytes for a block of bytes, else a value for the caller to validate.
   * It may be a view of what the source returned. Throws {@linkcode JournalCorruptError} if the block is not what was
   * listed, does not match its hashes, or holds what the codec refuses; `JournalReadError` if the source fails; a
   * `RangeError` if there is no such block.
   */
  payload(number: number): unknown {
    const block = this.#listed(number), { offset, kind } = block, bytes = this.#bytes(block);
    try {
      const payload = decodeBlock(decodeHeader(bytes)!, bytes.subarray(BLOCK_HEADER_LENGTH));
      return upcast(this.format, kind, payload, this.#family.upcasters, this.#family.format);
    } catch (error) {
      if (!(error instanceof JournalPayloadError)) throw error;
      throw new JournalCorruptError(this.#source.name, number, offset, error.message, { cause: error });
    }
  }

  /** The bytes of block `number`, header and stored payload, checked. Throws what `payload` throws. */
  stored(number: number): Uint8Array {
    const block = this.#listed(number), { offset } = block, bytes = this.#bytes(block);
    if (isStoredWhole(decodeHeader(bytes)!, bytes.subarray(BLOCK_HEADER_LENGTH))) return bytes;
    throw new JournalCorruptError(this.#source.name, number, offset, "its bytes do not match their hash");
  }

  #listed(number: number): BlockInfo {
    const block = this.blocks[number];
    if (block === undefined) {
      throw new RangeError(
        `Cannot read block ${number}: the journal has blocks 0 to ${this.blocks.length - 1}`,
      );
    }
    return block;
  }

  /** Header and stored payload of a block, of which the header is checked. */
  #bytes(block: BlockInfo): Uint8Array {
    const { number, offset, byteLength } = block;
    const bytes = readExactly(this.#source, offset, byteLength);
    const header = decodeHeader(bytes);
    if (header === undefined || checkHeader(header) !== undefined || header.journalId !== this.#journalId) {
      throw new JournalCorruptError(
        this.#source.name,
        number,
        offset,
        "its header does not match its checksum",
      );
    }
    const found = infoOf(header, offset);
    if ((Object.keys(block) as (keyof BlockInfo)[]).every((field) => found[field] === block[field])) {
      return bytes;
    }
    throw new JournalCorruptError(
      this.#source.name,
      number,
      offset,
      "its header is not the one that was listed",
    );
  }
}
