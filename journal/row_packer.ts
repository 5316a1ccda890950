/** Stored events on their way into a block: each is laid out as the codec would as soon as it happens. */
import type { AccessLog } from "../machine/access_log.ts";
import {
  type AnyFields,
  type DeviceAccess,
  EVENT_KIND_NAMES,
  EVENT_KINDS,
  type EventKind,
  hasNumberForms,
  numberForms,
} from "../machine/events.ts";
import { type NumberForm, Phrase } from "../machine/layout.ts";
import { accessBytes, WORTH_EXPANDING } from "./access_bytes.ts";
import { AccessForms } from "./access_forms.ts";
import { EncodedValue, encodeValue } from "./codec.ts";

/** Rows and bytes after which a block may end, when the next instant begins: far from what a block may hold. */
const LONG_BLOCK = { rows: 1 << 15, bytes: 1 << 24 };
/** Room for what a block has before its rows: two keys, an instant, a count. */
const BLOCK_START = 64;
/** Fields of an event's row before those of its kind. */
const ADDRESS_FIELDS = 4;
/** Room for a row of numbers and texts that are kept encoded, in bytes: 32 fields at most, 40 bytes each. */
const ROW_ROOM = 32 * 40;
/** How many texts are kept encoded (names of devices and registers), and up to which length. */
const MOST_TEXTS = 1024, LONGEST_TEXT = 32;

/** Names of the fields of each kind, in table order. */
export const FIELD_NAMES: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>(
  EVENT_KIND_NAMES.map((name) => [name, Object.keys(EVENT_KINDS[name].fields)]),
);

/** Bytes of MessagePack, appended. Whoever appends numbers and headers has made room for them. */
class Packer {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length: number;
  readonly #texts = new Map<string, Uint8Array>();

  /** Keeps room for bytes in front. */
  constructor(private readonly margin = 0) {
    this.#length = margin;
  }

  get length(): number {
    return this.#length - this.margin;
  }

  clear(): void {
    this.#length = this.margin;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(this.margin, this.#length);
  }

  /** Bytes with others in front of them, where room was kept or where bytes are that nobody needs any more. */
  viewBehind(front: Uint8Array, from: number, to: number): Uint8Array {
    const start = this.margin + from - front.length;
    this.#bytes.set(front, start);
    return this.#bytes.subarray(start, this.margin + to);
  }

  makeRoom(count: number): void {
    const end = this.#length + count;
    if (end <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, end));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** The header of an array. */
  array(count: number): void {
    const at = this.#length;
    if (count < 16) {
      this.#bytes[at] = 0x90 | count;
      this.#length = at + 1;
    } else if (count < 65536) {
      this.#bytes[at] = 0xdc;
      this.#view.setUint16(at + 1, count);
      this.#length = at + 3;
    } else {
      this.#bytes[at] = 0xdd;
      this.#view.setUint32(at + 1, count);
      this.#length = at + 5;
    }
  }

  /** Bytes that are encoded already, however many. */
  raw(bytes: Uint8Array): void {
    this.makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Few bytes that are encoded already, in room made for them and 3 more. */
  phrase(phrase: Phrase): void {
    phrase.put(this.#view, this.#length);
    this.#length += phrase.length;
  }

  /** Any value. */
  value(value: unknown): void {
    if (typeof value === "number") this.number(value);
    else if (typeof value === "bigint") this.#bigint(value);
    else if (typeof value === "string") this.#text(value);
    else this.#other(value);
  }

  #other(value: unknown): void {
    this.raw(encodeValue(value));
    this.makeRoom(ROW_ROOM);
  }

  /** A number, in the fewest bytes. */
  number(value: number): void {
    const bytes = this.#bytes, at = this.#length;
    if (value >>> 0 !== value) {
      bytes[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
      this.#length = at + 9;
    } else if (value < 0x80) {
      bytes[at] = value;
      this.#length = at + 1;
    } else if (value < 0x100) {
      bytes[at] = 0xcc;
      bytes[at + 1] = value;
      this.#length = at + 2;
    } else if (value < 0x1_0000) {
      bytes[at] = 0xcd;
      this.#view.setUint16(at + 1, value);
      this.#length = at + 3;
    } else {
      bytes[at] = 0xce;
      this.#view.setUint32(at + 1, value);
      this.#length = at + 5;
    }
  }

  /** An int64 where it is one, else a uint64: below 2^63 both have the same eight bytes. */
  #bigint(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) return this.#other(value);
    const at = this.#length;
    this.#view.setBigUint64(at + 1, value);
    this.#bytes[at] = (this.#bytes[at + 1] as number) < 0x80 ? 0xd3 : 0xcf;
    this.#length = at + 9;
  }

  /** The same for a number in halves. */
  halves(low: number, high: number): void {
    const at = this.#length;
    this.#bytes[at] = high < 0x8000_0000 ? 0xd3 : 0xcf;
    this.#view.setUint32(at + 1, high);
    this.#view.setUint32(at + 5, low);
    this.#length = at + 9;
  }

  /** A few bytes that are encoded already; there is room for them. */
  few(encoded: Uint8Array): void {
    const bytes = this.#bytes, at = this.#length, { length } = encoded;
    for (let index = 0; index < length; index++) bytes[at + index] = encoded[index] as number;
    this.#length = at + length;
  }

  #text(text: string): void {
    const known = this.#texts.get(text);
    if (known === undefined) return this.#newText(text);
    this.few(known);
  }

  #newText(text: string): void {
    const encoded = encodeValue(text).slice();
    const isShort = encoded.length <= LONGEST_TEXT;
    if (isShort && this.#texts.size < MOST_TEXTS) this.#texts.set(text, encoded);
    this.raw(encoded);
    this.makeRoom(ROW_ROOM);
  }
}

/** What rows of a kind begin with, the header of an array and the kind's name, and the names of its fields. */
interface RowForm {
  readonly start: Uint8Array;
  readonly names: readonly string[];
  /** The start again, and the forms of the fields where all are numbers, names already encoded. */
  readonly phrase: Phrase;
  readonly words: readonly ("wide" | "narrow" | readonly Phrase[])[];
}

/** How a field in words is written. */
function wordForm(form: NumberForm): RowForm["words"][number] {
  if (form === "u64") return "wide";
  if (typeof form === "string") return "narrow";
  return form.map((name) => new Phrase(encodeValue(name).slice()));
}

const ROW_FORMS: ReadonlyMap<EventKind, RowForm> = new Map<EventKind, RowForm>(
  EVENT_KIND_NAMES.map((kind) => {
    const names = FIELD_NAMES.get(kind) as readonly string[];
    const start = new Packer();
    start.array(ADDRESS_FIELDS + names.length);
    start.raw(encodeValue(kind));
    const words = hasNumberForms(kind) ? numberForms(kind).map(wordForm) : [];
    return [kind, { start: start.view(), names, phrase: new Phrase(start.view()), words }];
  }),
);

/** What an access's row has before its instant, its CPU, and what it has after its index and before its value. */
interface AccessForm {
  readonly start: Phrase;
  readonly cpu: number;
  readonly middle: Phrase;
}

function accessForm({ kind, cpu, device, address, size }: DeviceAccess): AccessForm {
  const { start } = ROW_FORMS.get(kind) as RowForm, middle = new Packer();
  for (const value of [device, address, size]) middle.value(value);
  return { start: new Phrase(start), cpu, middle: new Phrase(middle.view()) };
}

/** Rows and bytes before a point, and the instant that begins there. */
interface BlockPoint {
  readonly rows: number;
  readonly bytes: number;
  readonly instant: number;
}

const BEGINNING: BlockPoint = { rows: 0, bytes: 0, instant: 0 };

/** Gathers the rows of blocks of events. */
export class RowPacker {
  readonly #rows = new Packer(BLOCK_START);
  readonly #start = new Packer();
  readonly #forms = new AccessForms(accessForm);
  #count = 0;
  #firstInstant = 0;
  #lastInstant = 0;
  /** Where blocks end before the last. */
  readonly #ends: BlockPoint[] = [];
  /** Where the last block begins. */
  #begin: BlockPoint = BEGINNING;

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
    this.#look(instant);
    if (this.#count++ === 0) this.#firstInstant = instant;
    const rows = this.#rows, { start, names } = ROW_FORMS.get(kind) as RowForm;
    rows.makeRoom(ROW_ROOM);
    rows.few(start);
    rows.number(instant);
    rows.number(cpu);
    rows.number(index);
    for (let at = 0; at < names.length; at++) rows.value(fields[names[at] as string]);
  }

  /** As `add`, with fields in words (`EventObserver.observeWords`). */
  addWords(kind: EventKind, instant: number, cpu: number, index: number, words: Uint32Array): void {
    this.#look(instant);
    if (this.#count++ === 0) this.#firstInstant = instant;
    const rows = this.#rows, { phrase, words: forms } = ROW_FORMS.get(kind) as RowForm;
    rows.makeRoom(ROW_ROOM);
    rows.phrase(phrase);
    rows.number(instant);
    rows.number(cpu);
    rows.number(index);
    for (let at = 0; at < forms.length; at++) {
      const form = forms[at], low = words[at * 2] as number;
      if (form === "wide") rows.halves(low, words[at * 2 + 1] as number);
      else if (form === "narrow") rows.number(low);
      else rows.phrase((form as readonly Phrase[])[low] as Phrase);
    }
  }

  /** The same for an access to a device. */
  addAccess(access: DeviceAccess, instant: number, index: number, value: number): void {
    this.#look(instant);
    if (this.#count++ === 0) this.#firstInstant = instant;
    const rows = this.#rows, { start, cpu, middle } = this.#forms.of(access);
    rows.makeRoom(ROW_ROOM);
    rows.phrase(start);
    rows.number(instant);
    rows.number(cpu);
    rows.number(index);
    rows.phrase(middle);
    rows.halves(value, 0);
  }

  /** The same for many. */
  addAccesses(log: AccessLog): void {
    if (log.count < WORTH_EXPANDING) {
      return log.forEach((access, instant, index, value) => this.addAccess(access, instant, index, value));
    }
    this.#look(log.instantOf(0));
    if (this.#count === 0) this.#firstInstant = log.instantOf(0);
    this.#count += log.count;
    this.#lastInstant = log.instantOf(log.count - 1);
    accessBytes().expand("row", log, (bytes) => this.#rows.raw(bytes));
  }

  /** Before a row: a long block ends where an instant begins. */
  #look(instant: number): void {
    const { count, length } = this, { rows, bytes } = this.#begin;
    const isLong = count - rows >= LONG_BLOCK.rows || length - bytes >= LONG_BLOCK.bytes;
    if (isLong && instant > this.#lastInstant) {
      this.#begin = { rows: count, bytes: length, instant };
      this.#ends.push(this.#begin);
    }
    this.#lastInstant = instant;
  }

  /**
   * Gives payloads of blocks with what was gathered (`StoredEvents`), which are good during the call only, and the first
   * and last instants that they are about; the last goes up to `through`. Starts over.
   */
  take(through: number, give: (payload: EncodedValue, first: number, last: number) => void): void {
    const end: BlockPoint = { rows: this.#count, bytes: this.length, instant: through + 1 };
    let from: BlockPoint = { ...BEGINNING, instant: this.#count === 0 ? through : this.#firstInstant };
    for (const to of [...this.#ends, end]) {
      give(this.#payload(from, to), from.instant, to.instant - 1);
      from = to;
    }
    this.#rows.clear();
    this.#ends.length = 0;
    this.#begin = BEGINNING;
    this.#count = this.#firstInstant = this.#lastInstant = 0;
  }

  #payload(from: BlockPoint, to: BlockPoint): EncodedValue {
    const start = this.#start;
    start.clear();
    start.makeRoom(ROW_ROOM);
    start.raw(TWO_KEYS);
    start.value("through");
    start.value(to.instant - 1);
    start.value("rows");
    start.array(to.rows - from.rows);
    return new EncodedValue(this.#rows.viewBehind(start.view(), from.bytes, to.bytes));
  }
}

/** A map of two keys. */
const TWO_KEYS = Uint8Array.of(0x82);
