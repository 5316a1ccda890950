/**
 * Values to bytes and back: MessagePack as the journal allows it, every option explicit.
 *
 * Allowed are `null`, booleans, numbers (exact, but for `-0`, which becomes `0`), bigints of 64 bits, well-formed
 * strings, `Uint8Array`s, arrays, and plain objects; on the wire a number is an int of up to 32 bits or a float, a
 * bigint always an int64 or uint64, so each comes back as what it was. There is no `undefined` (leave the property
 * out), no extension type, no class and no code. Bytes are checked in one pass before the library sees them, when
 * reading and also when writing, so that what was written can be read.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import { Packr, Unpackr } from "msgpackr/index-no-eval";
import { JournalPayloadError } from "./errors.ts";

/** How deep arrays and objects may nest; a scalar alone has depth 0. */
export const MAX_DEPTH = 32;

/** How many values one payload may hold, keys and containers counted: bounds memory, which bytes alone do not. */
export const MAX_VALUES = 2 ** 21;

/** msgpackr decodes longer text by a `TextDecoder` that drops a leading U+FEFF. */
const MAX_TEXT_WITH_MARK = 64;

/** What a leading byte announces. */
enum Shape {
  /** Nothing that may stand here: an extension, or 0xc1. */
  Refused,
  /** A value of `width` more bytes. */
  Scalar,
  Text,
  Bytes,
  Array,
  Map,
}

/**
 * The MessagePack formats by leading byte. Width is the scalar's length, or that of the count that follows; where it
 * is 0 the count is in the leading byte's low bits.
 */
// deno-fmt-ignore
const FORMATS: readonly [first: number, last: number, shape: Shape, width: number, mask: number][] = [
  [0x00, 0x7f, Shape.Scalar, 0, 0],    // positive fixint
  [0x80, 0x8f, Shape.Map,    0, 0x0f],
  [0x90, 0x9f, Shape.Array,  0, 0x0f],
  [0xa0, 0xbf, Shape.Text,   0, 0x1f],
  [0xc0, 0xc0, Shape.Scalar, 0, 0],    // nil; 0xc1 is never used
  [0xc2, 0xc3, Shape.Scalar, 0, 0],    // false, true
  [0xc4, 0xc4, Shape.Bytes,  1, 0],
  [0xc5, 0xc5, Shape.Bytes,  2, 0],
  [0xc6, 0xc6, Shape.Bytes,  4, 0],    // 0xc7 to 0xc9 are extensions
  [0xca, 0xca, Shape.Scalar, 4, 0],    // float32
  [0xcb, 0xcb, Shape.Scalar, 8, 0],    // float64
  [0xcc, 0xcc, Shape.Scalar, 1, 0],    // uint8 to uint64
  [0xcd, 0xcd, Shape.Scalar, 2, 0],
  [0xce, 0xce, Shape.Scalar, 4, 0],
  [0xcf, 0xcf, Shape.Scalar, 8, 0],
  [0xd0, 0xd0, Shape.Scalar, 1, 0],    // int8 to int64
  [0xd1, 0xd1, Shape.Scalar, 2, 0],
  [0xd2, 0xd2, Shape.Scalar, 4, 0],
  [0xd3, 0xd3, Shape.Scalar, 8, 0],    // 0xd4 to 0xd8 are extensions
  [0xd9, 0xd9, Shape.Text,   1, 0],
  [0xda, 0xda, Shape.Text,   2, 0],
  [0xdb, 0xdb, Shape.Text,   4, 0],
  [0xdc, 0xdc, Shape.Array,  2, 0],
  [0xdd, 0xdd, Shape.Array,  4, 0],
  [0xde, 0xde, Shape.Map,    2, 0],
  [0xdf, 0xdf, Shape.Map,    4, 0],
  [0xe0, 0xff, Shape.Scalar, 0, 0],    // negative fixint
];

const SHAPE = new Uint8Array(256);
const WIDTH = new Uint8Array(256);
const MASK = new Uint8Array(256);
for (const [first, last, shape, width, mask] of FORMATS) {
  SHAPE.fill(shape, first, last + 1);
  WIDTH.fill(width, first, last + 1);
  MASK.fill(mask, first, last + 1);
}

const PROTOTYPE_KEY = new TextEncoder().encode("__proto__");

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: "bigint",
  moreTypes: false,
  structuredClone: false,
  bundleStrings: false,
  useToJSON: false,
  copyBuffers: false,
} as const;

const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/**
 * Encodes one value, which must be plain data: other objects are not all told apart (a `Set` comes back as an array).
 * Throws a `TypeError` for what a journal cannot hold: `undefined`, functions, dates, bigints beyond 64 bits, cycles,
 * nesting or size over the bounds, a key `__proto__`.
 */
export function encodeValue(value: unknown): Uint8Array {
  let bytes: Uint8Array;
  try {
    const packed = packr.pack(value);
    bytes = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
    checkPayload(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`Cannot encode payload: ${reason}`, { cause });
  }
  return bytes;
}

/** A value that is encoded already, by someone who knows what it is made of: `bytes` as `encodeValue` gives them. */
export class EncodedValue {
  /** The bytes are one whole value, which is not checked again. */
  constructor(readonly bytes: Uint8Array) {}
}

/**
 * Decodes exactly one value. Byte strings in it are views of `bytes`. Throws {@linkcode JournalPayloadError} for
 * anything that {@linkcode encodeValue} could not have meant, in time and memory linear in the length of `bytes`.
 * Of two equal keys in one object the later one counts. The caller validates the value (zod).
 */
export function decodeValue(bytes: Uint8Array): unknown {
  checkPayload(bytes);
  try {
    return unpackr.unpack(bytes.subarray()); // a view of our own: msgpackr hangs a property on what it reads
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new JournalPayloadError(`payload cannot be decoded: ${reason}`, { cause });
  }
}

/** Walks the bytes once without building anything; throws {@linkcode JournalPayloadError} at what is not allowed. */
function checkPayload(bytes: Uint8Array): void {
  const left = new Float64Array(MAX_DEPTH + 1); // values still to come at each depth
  const isMap = new Uint8Array(MAX_DEPTH + 1);
  let depth = 0;
  let position = 0;
  left[0] = 1;
  for (let values = 0;; values++) {
    while (depth > 0 && left[depth] === 0) depth--;
    if (left[depth] === 0) break;
    if (values === MAX_VALUES) refuse(`more than ${MAX_VALUES} values`, position);
    const isKey = isMap[depth] === 1 && left[depth]! % 2 === 0;
    left[depth]!--;

    const token = bytes[position];
    if (token === undefined) refuse("the payload is cut short", position);
    const start = position++;
    const shape: Shape = SHAPE[token]!;
    const width = WIDTH[token]!;
    if (shape === Shape.Refused) refuse(`extension or unused type 0x${token.toString(16)}`, start);
    if (isKey && shape !== Shape.Text) refuse("a key that is not text", start);
    if (position + width > bytes.length) refuse("the payload is cut short", start);
    if (shape === Shape.Scalar) {
      position += width;
      continue;
    }

    const count = width === 0 ? token & MASK[token]! : bigEndian(bytes, position, width);
    position += width;
    const items = shape === Shape.Map ? 2 * count : count; // each takes a byte at least
    if (items > bytes.length - position) refuse(`a length of ${count} where fewer bytes are left`, start);
    if (shape === Shape.Text) checkText(bytes, position, position + count, isKey);
    if (shape === Shape.Text || shape === Shape.Bytes) {
      position += count;
      continue;
    }
    if (depth === MAX_DEPTH) refuse(`nesting deeper than ${MAX_DEPTH}`, start);
    depth++;
    left[depth] = items;
    isMap[depth] = shape === Shape.Map ? 1 : 0;
  }
  if (position !== bytes.length) refuse("bytes after the value's end", position);
}

function checkText(bytes: Uint8Array, from: number, to: number, isKey: boolean): void {
  let ascii = true;
  for (let index = from; index < to && ascii; index++) ascii = bytes[index]! < 0x80;
  if (!ascii) {
    if (!isUtf8(bytes.subarray(from, to))) refuse("text that is not UTF-8", from);
    const marked = bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf;
    if (marked && to - from > MAX_TEXT_WITH_MARK) refuse("long text that begins with U+FEFF", from);
  }
  if (isKey && to - from === PROTOTYPE_KEY.length) {
    if (PROTOTYPE_KEY.every((byte, index) => byte === bytes[from + index])) refuse(`a key "__proto__"`, from);
  }
}

function bigEndian(bytes: Uint8Array, position: number, width: number): number {
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + bytes[position + index]!;
  return value;
}

function refuse(what: string, position: number): never {
  throw new JournalPayloadError(`${what} at byte ${position} of the payload`);
}
