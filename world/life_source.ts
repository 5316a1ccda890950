/** The journals of machines' lives as they stand in a world's file, in pieces; for whoever needs nothing else of it. */
import type { BlockInfo } from "../journal/block.ts";
import { JournalFormatError } from "../journal/errors.ts";
import { JournalReader, type OpenOptions } from "../journal/file.ts";
import type { Source } from "../journal/storage.ts";
import type { WorldDescription } from "./description.ts";
import { WorldError } from "./errors.ts";
import { numberOfLife, WORLD_FAMILY } from "./family.ts";

/** Which life of which machine. */
export interface LifeNumber {
  /** Number of the node. */
  readonly node: number;
  /** Counts the node's lives. */
  readonly life: number;
}

/** Opens a world's file block by block. Throws JournalError for what is damaged or no world. */
export function openBlocks(source: Source, options: OpenOptions = {}): JournalReader {
  return JournalReader.open(source, { ...options, family: WORLD_FAMILY });
}

/** A block that is not what its kind promises. */
export function refusedBlock(block: BlockInfo, what: string): JournalFormatError {
  return new JournalFormatError(
    `Cannot read the world: block ${block.number} at offset ${block.offset} (${block.kind}) ${what}`,
  );
}

/** The pieces of a life's journal as one file, read piece by piece. */
class PiecedSource implements Source {
  readonly size: number;
  readonly #starts: readonly number[];
  #last: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  constructor(
    readonly name: string,
    private readonly pieces: readonly BlockInfo[],
    private readonly bytesOf: (block: BlockInfo) => Uint8Array,
  ) {
    let size = 0;
    this.#starts = pieces.map(({ rawLength }) => (size += rawLength) - rawLength);
    this.size = size;
  }

  #piece(index: number): Uint8Array {
    if (this.#last?.index !== index) this.#last = { index, bytes: this.bytesOf(this.pieces[index]!) };
    return this.#last.bytes;
  }

  read(offset: number, length: number): Uint8Array {
    const end = Math.min(this.size, offset + length);
    if (offset >= end) return new Uint8Array(0);
    let index = this.#starts.findLastIndex((start) => start <= offset);
    const first = this.#piece(index), at = offset - this.#starts[index]!;
    if (at + end - offset <= first.length) return first.subarray(at, at + end - offset);
    const bytes = new Uint8Array(end - offset);
    for (let done = 0; done < bytes.length; index++) {
      const piece = this.#piece(index), from = offset + done - this.#starts[index]!;
      const part = piece.subarray(from, from + bytes.length - done);
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }
}

/** Gives the journals of lives. */
export class LifeSource {
  /** Of a file that is open, which is of this world. */
  constructor(readonly reader: JournalReader, private readonly world: WorldDescription) {}

  #pieces({ node, life }: LifeNumber, before = Infinity): BlockInfo[] {
    const span = numberOfLife(node, life);
    return this.reader.blocks.filter(({ kind, firstInstant, number }) =>
      kind === "member" && firstInstant === span && number < before
    );
  }

  /** There is one of a life. */
  has(life: LifeNumber): boolean {
    return this.#pieces(life).length > 0;
  }

  /** The journal of a life, as a file; that of the pieces before a block, if one is given. Throws WorldError when there is none. */
  journal({ node, life }: LifeNumber, before?: number): Source {
    const name = `${this.world.nodes[node]?.name ?? node}.${life}`,
      pieces = this.#pieces({ node, life }, before);
    if (pieces.length === 0) throw new WorldError(`The world has no journal of ${name}`);
    return new PiecedSource(name, pieces, (block) => {
      const bytes = this.reader.payload(block.number);
      if (bytes instanceof Uint8Array) return bytes;
      throw refusedBlock(block, "holds no bytes");
    });
  }
}
