/**
 * What a host's monitor keeps without power, on a disk of its own that neither its guest nor its host can reach: the
 * records of both agents, and a sealed copy of the realm as it stood still last.
 *
 * Two slots of records are written in turn, each under AES-256-GCM with a generation that only grows as IV; the valid one
 * of the higher generation counts, so that a write is done as a whole or not at all. Behind them are two areas for copies,
 * of which the record names the one that counts: the other one is written first, then the record, then the disk is
 * flushed. A copy's key is of its generation, so that an area that was written for another record opens with none.
 */
import {
  ByteReader,
  bytes,
  ByteWriter,
  type FieldKind,
  record,
  u32,
  u53,
  u8,
} from "../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import type { Disk } from "../../../machine/storage/disk.ts";
import { derivedKey, seal, TAG_BYTES, unseal } from "./crypto.ts";
import { type DestinationRecord, destinationRecord } from "./destination.ts";
import type { Piece, TeeImage } from "./pieces.ts";
import { type SourceRecord, sourceRecord } from "./source.ts";

/** What the record says of the copy; area 0 is none. */
const copy = record({ area: u8, generation: u32, epoch: u32, pieces: u32 });
const layout: FieldKind<StoredRecord> = record({
  source: sourceRecord,
  destination: destinationRecord,
  restarts: u32,
  copy,
});

/** Layout of all that outlives power but the copy itself. */
export const storedRecord: FieldKind<StoredRecord> = layout;

/** A copy of a realm that is on the disk. */
export type SealedCopy = ReturnType<typeof copy.read>;

/** No copy. */
export const NO_COPY: SealedCopy = { area: 0, generation: 0, epoch: 0, pieces: 0 };

/** What outlives power. */
export interface StoredRecord {
  /** The source's agent's. */
  readonly source: SourceRecord;
  /** The destination's agent's. */
  readonly destination: DestinationRecord;
  /** How often the realm of this epoch went on from its copy because power was lost. */
  readonly restarts: number;
  /** The copy. */
  readonly copy: SealedCopy;
}

const SLOTS = 2, SLOT_BYTES = PAGE_SIZE, AREAS_AT = SLOTS * SLOT_BYTES;
/** Before a record: its generation, its length, and the tag. */
const slotHead = record({ generation: u32, size: u32, tag: bytes(TAG_BYTES) });
const SLOT_HEAD_BYTES = 12 + TAG_BYTES;
/** Before a piece: its place, its length, and the tag; pieces are at multiples of PIECE_BYTES. */
const pieceHead = record({ place: u53, size: u32, tag: bytes(TAG_BYTES) });
const PIECE_HEAD_BYTES = 16 + TAG_BYTES, PIECE_BYTES = PIECE_HEAD_BYTES + PAGE_SIZE;
/** Pieces written, or read, at once. */
const AT_ONCE = 256;
/** Bytes of the smallest disk. */
export const SMALLEST_STORE: number = AREAS_AT + 2 * 16 * PIECE_BYTES;

function ivOf(number: number): Uint8Array {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(4, BigInt(number));
  return iv;
}

function additionalOf(place: number, size: number): Uint8Array {
  const writer = new ByteWriter();
  writer.u53(place);
  writer.u32(size);
  return writer.view().slice();
}

/** The disk; nothing of it is kept in here, so that a snapshot of the disk is all there is. */
export class SealedStore {
  readonly #key: Uint8Array;

  /** `secret` is the host's own. */
  constructor(private readonly disk: Disk, secret: Uint8Array) {
    this.#key = derivedKey(secret, "sealed store");
  }

  /** Pieces that a copy can have. */
  get capacity(): number {
    return Math.floor(this.#areaBytes / PIECE_BYTES);
  }

  get #areaBytes(): number {
    return Math.floor((this.disk.size - AREAS_AT) / 2);
  }

  #slot(slot: number): { generation: number; record: StoredRecord } | undefined {
    try {
      return this.#slotAt(slot);
    } catch (error) {
      if (error instanceof RangeError) return undefined; // Nothing that was ever written here.
      throw error;
    }
  }

  #slotAt(slot: number): { generation: number; record: StoredRecord } | undefined {
    const contents = this.disk.peek(slot * SLOT_BYTES, SLOT_BYTES);
    const { generation, size, tag } = slotHead.read(new ByteReader(contents.slice(0, SLOT_HEAD_BYTES)));
    if (generation === 0 || size > SLOT_BYTES - SLOT_HEAD_BYTES) return undefined;
    const ciphertext = contents.slice(SLOT_HEAD_BYTES, SLOT_HEAD_BYTES + size);
    const additional = Uint8Array.of(slot);
    const plain = unseal(this.#key, ivOf(generation), additional, { ciphertext, tag });
    return plain === undefined ? undefined : { generation, record: layout.read(new ByteReader(plain)) };
  }

  #newest(): { slot: number; generation: number; record: StoredRecord | undefined } {
    let newest: { slot: number; generation: number; record: StoredRecord | undefined } = {
      ...{ slot: 1, generation: 0, record: undefined },
    };
    for (let slot = 0; slot < SLOTS; slot++) {
      const found = this.#slot(slot);
      if (found !== undefined && found.generation > newest.generation) newest = { slot, ...found };
    }
    return newest;
  }

  /** The record, or undefined on a disk that has none. */
  read(): StoredRecord | undefined {
    return this.#newest().record;
  }

  /** Writes the record, and makes it durable with all that was sealed. */
  write(stored: StoredRecord): void {
    const { slot, generation } = this.#newest(), next = 1 - slot, writer = new ByteWriter();
    layout.write(writer, stored);
    const sealed = seal(this.#key, ivOf(generation + 1), Uint8Array.of(next), writer.view().slice());
    const whole = new ByteWriter();
    slotHead.write(whole, { generation: generation + 1, size: sealed.ciphertext.length, tag: sealed.tag });
    whole.raw(sealed.ciphertext);
    this.disk.write(next * SLOT_BYTES, whole.view().slice());
    this.disk.flush();
  }

  /** Seals a copy in the area that is not in use; it counts when `write` says so. Undefined when it has no room there. */
  seal(image: TeeImage, epoch: number): SealedCopy | undefined {
    if (image.count > this.capacity) return undefined;
    const { generation, record } = this.#newest(), area = record?.copy.area === 1 ? 2 : 1;
    const sealed = { area, generation: generation + 1, epoch, pieces: image.count },
      key = this.#keyOf(sealed);
    for (let first = 0; first < image.count; first += AT_ONCE) {
      const count = Math.min(AT_ONCE, image.count - first), block = new Uint8Array(count * PIECE_BYTES);
      for (let at = 0; at < count; at++) {
        const { place, bytes } = image.piece(first + at), writer = new ByteWriter();
        const { ciphertext, tag } = seal(key, ivOf(first + at), additionalOf(place, bytes.length), bytes);
        pieceHead.write(writer, { place, size: bytes.length, tag });
        block.set(writer.view(), at * PIECE_BYTES);
        block.set(ciphertext, at * PIECE_BYTES + PIECE_HEAD_BYTES);
      }
      this.disk.write(this.#placeOf(sealed, first), block);
    }
    return sealed;
  }

  #keyOf({ area, generation, epoch }: SealedCopy): Uint8Array {
    return derivedKey(this.#key, "copy", additionalOf(generation, area), additionalOf(epoch, 0));
  }

  #placeOf({ area }: SealedCopy, index: number): number {
    return AREAS_AT + (area - 1) * this.#areaBytes + index * PIECE_BYTES;
  }

  /** Opens a copy, piece by piece; false when it is not what was sealed, or `take` refused one. */
  open(sealed: SealedCopy, take: (piece: Piece) => string | undefined): boolean {
    if (sealed.area === 0 || sealed.pieces === 0 || sealed.pieces > this.capacity) return false;
    const key = this.#keyOf(sealed);
    for (let first = 0; first < sealed.pieces; first += AT_ONCE) {
      const count = Math.min(AT_ONCE, sealed.pieces - first);
      const block = this.disk.read(this.#placeOf(sealed, first), count * PIECE_BYTES);
      for (let at = 0; at < count; at++) {
        const contents = block.slice(at * PIECE_BYTES, (at + 1) * PIECE_BYTES);
        const { place, size, tag } = pieceHead.read(new ByteReader(contents.slice(0, PIECE_HEAD_BYTES)));
        if (size > PAGE_SIZE) return false;
        const ciphertext = contents.slice(PIECE_HEAD_BYTES, PIECE_HEAD_BYTES + size);
        const bytes = unseal(key, ivOf(first + at), additionalOf(place, size), { ciphertext, tag });
        if (bytes === undefined || take({ place, bytes }) !== undefined) return false;
      }
    }
    return true;
  }
}
