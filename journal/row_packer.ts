/** Stored events on their way into a block: each is laid out as the codec would as soon as it happens. */
import { type AnyFields, EVENT_KIND_NAMES, EVENT_KINDS, type EventKind } from "../machine/events.ts";
import { EncodedValue, encodeValue } from "./codec.ts";

/** Fields of an event's row before those of its kind. */
const ADDRESS_FIELDS = 4;
/** Bytes of the largest number, or of the header of a text that is kept encoded. */
const LARGEST_SCALAR = 9;
/** Texts kept encoded: names of kinds, devices, registers. */
const MOST_TEXTS = 1024;

/** Names of the fields of each kind, in table order. */
export const FIELD_NAMES: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>(
  EVENT_KIND_NAMES.map((name) => [name, Object.keys(EVENT_KINDS[name].fields)]),
);

/** Bytes of MessagePack, appended. */
class Packer {
  #bytes = new Uint8Array(65536);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #texts = new Map<string, Uint8Array>();

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): number {
    const at = this.#length;
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, at + count));
      grown.set(this.view());
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  /** The header of an array. */
  array(count: number): void {
    const at = this.#reserve(LARGEST_SCALAR);
    if (count < 16) this.#byte(0x90 | count);
    else if (count < 65536) {
      this.#byte(0xdc);
      this.#view.setUint16(at + 1, count);
      this.#length = at + 3;
    } else {
      this.#byte(0xdd);
      this.#view.setUint32(at + 1, count);
      this.#length = at + 5;
    }
  }

  #byte(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  /** Bytes that are encoded already. */
  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    this.#length = at + bytes.length;
  }

  /** Any value; numbers and texts in the fewest bytes. */
  value(value: unknown): void {
    if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#bigint(value);
    else if (typeof value === "string") this.#text(value);
    else this.raw(encodeValue(value));
  }

  #number(value: number): void {
    const at = this.#reserve(LARGEST_SCALAR);
    if (value >>> 0 !== value) {
      this.#byte(0xcb);
      this.#view.setFloat64(at + 1, value);
      this.#length = at + 9;
    } else if (value < 0x80) this.#byte(value);
    else if (value < 0x100) {
      this.#byte(0xcc);
      this.#byte(value);
    } else if (value < 0x1_0000) {
      this.#byte(0xcd);
      this.#view.setUint16(at + 1, value);
      this.#length = at + 3;
    } else {
      this.#byte(0xce);
      this.#view.setUint32(at + 1, value);
      this.#length = at + 5;
    }
  }

  /** An int64 where it is one, else a uint64: below 2^63 both have the same eight bytes. */
  #bigint(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) return this.raw(encodeValue(value));
    const at = this.#reserve(LARGEST_SCALAR);
    this.#view.setBigUint64(at + 1, value);
    this.#byte((this.#bytes[at + 1] as number) < 0x80 ? 0xd3 : 0xcf);
    this.#length = at + 9;
  }

  #text(text: string): void {
    let encoded = this.#texts.get(text);
    if (encoded === undefined) {
      encoded = encodeValue(text).slice();
      if (this.#texts.size < MOST_TEXTS) this.#texts.set(text, encoded);
    }
    this.raw(encoded);
  }
}

/** Gathers the rows of a block of events. */
export class RowPacker {
  readonly #rows = new Packer();
  readonly #block = new Packer();
  #count = 0;
  #firstInstant = 0;

  /** Rows gathered. */
  get count(): number {
    return this.#count;
  }

  /** Bytes gathered. */
  get length(): number {
    return this.#rows.length;
  }

  /** The first row's instant; 0 when there is none. */
  get firstInstant(): number {
    return this.#firstInstant;
  }

  /** Adds the row of an event (journal/event_rows.ts). Throws a `TypeError` for a field that a journal cannot hold. */
  add(kind: EventKind, instant: number, cpu: number, index: number, fields: AnyFields): void {
    if (this.#count++ === 0) this.#firstInstant = instant;
    const rows = this.#rows, names = FIELD_NAMES.get(kind) as readonly string[];
    rows.array(ADDRESS_FIELDS + names.length);
    rows.value(kind);
    rows.value(instant);
    rows.value(cpu);
    rows.value(index);
    for (const name of names) rows.value(fields[name]);
  }

  /** The payload of a block with what was gathered (`StoredEvents`), good until the next call; starts over. */
  take(through: number): EncodedValue {
    const block = this.#block;
    block.clear();
    block.raw(TWO_KEYS);
    block.value("through");
    block.value(through);
    block.value("rows");
    block.array(this.#count);
    block.raw(this.#rows.view());
    this.#rows.clear();
    this.#count = this.#firstInstant = 0;
    return new EncodedValue(block.view());
  }
}

/** A map of two keys. */
const TWO_KEYS = Uint8Array.of(0x82);
