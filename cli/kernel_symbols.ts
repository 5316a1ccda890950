/** Symbols inside an arm64 Image of Linux: what kallsyms has, and the exported variables, which it may leave out. */
import { UsageError } from "./errors.ts";
import { isProgramName, LONGEST_NAME, MOST_SYMBOLS, type ProgramSymbol } from "./symbols.ts";

// scripts/kallsyms.c of Linux 4.6 to 6.x, with CONFIG_KALLSYMS_BASE_RELATIVE, which arm64 always has: addresses are
// unsigned 32-bit distances from a base; names are sequences of bytes, each a number of a token.
const TOKENS = 256;
/** Names between two marks of where a name begins. */
const MARK_EVERY = 256;
/** The tokens that are single digits stand at their characters' numbers, since no name begins to repeat by them. */
const DIGITS = new TextEncoder().encode("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00");
const FIRST_DIGIT = 0x30;
/** Bytes of a symbol's compressed name, on average, least and most: by which most of what is no table is passed over. */
const NAME_BYTES = { least: 3, most: 48 };
const LEAST_SYMBOLS = 64;
/** Bytes of a token, about; most have two or three. */
const LONGEST_TOKEN = 128;

/** A dynamic relocation's type for an address within the image, R_AARCH64_RELATIVE (Arm IHI 0056). */
const RELATIVE = 1027;
/** An Image begins at a multiple of this. */
const ALIGNMENT = 0x20_0000n;
/** Bytes of an entry of the table of exports: value, name and name space, each relative to its own place. */
const EXPORT_SIZE = 12;
/** Fewer in a row are no table of exports. */
const LEAST_EXPORTS = 16;

const align8 = (at: number): number => Math.ceil(at / 8) * 8;

/** Where the parts of kallsyms are. */
interface Tables {
  readonly count: number;
  readonly namesAt: number;
  readonly tokens: readonly Uint8Array[];
  readonly offsetsAt: number;
  readonly baseAt: number;
}

/** Whether the bytes are an arm64 Image (Documentation/arm64/booting.rst). */
export function isKernelImage(bytes: Uint8Array): boolean {
  return bytes.length > 64 && [0x41, 0x52, 0x4d, 0x64].every((byte, index) => bytes[56 + index] === byte);
}

class Image {
  readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(at: number): number {
    return at >= 0 && at + 4 <= this.bytes.length ? this.view.getUint32(at, true) : 0;
  }

  u64(at: number): bigint {
    return at >= 0 && at + 8 <= this.bytes.length ? this.view.getBigUint64(at, true) : 0n;
  }

  /** The text that ends before a zero. */
  text(at: number): Uint8Array {
    const end = this.bytes.indexOf(0, at);
    return this.bytes.subarray(at, end < 0 ? at : end);
  }

  indexOf(pattern: Uint8Array, from: number): number {
    for (
      let at = this.bytes.indexOf(pattern[0]!, from);
      at >= 0;
      at = this.bytes.indexOf(pattern[0]!, at + 1)
    ) {
      if (pattern.every((byte, index) => this.bytes[at + index] === byte)) return at;
    }
    return -1;
  }
}

/** The table of tokens, and where the index behind it ends. */
interface Tokens {
  readonly at: number;
  readonly end: number;
  readonly tokens: readonly Uint8Array[];
}

/** The tokens from a place on, if they are followed by an index that agrees. */
function tokensAt(image: Image, at: number): Tokens | undefined {
  const tokens: Uint8Array[] = [], starts: number[] = [];
  let end = at;
  for (let token = 0; token < TOKENS; token++) {
    starts.push(end - at);
    tokens.push(image.text(end));
    end += tokens.at(-1)!.length + 1;
  }
  const indexAt = align8(end);
  const isRight = starts.every((start, index) => (image.u32(indexAt + 2 * index) & 0xffff) === start);
  return isRight ? { at, end: indexAt + 2 * TOKENS, tokens } : undefined;
}

/** The tokens around those of digits, found at a place. */
function tokensAround(image: Image, digitsAt: number): Tokens | undefined {
  let second = digitsAt;
  for (let token = 1; token < FIRST_DIGIT; token++) second = image.bytes.lastIndexOf(0, second - 2) + 1;
  // What is before the first need not be a zero, but it begins at a multiple of 8.
  for (let at = second - 8 + (8 - second % 8) % 8; at >= Math.max(0, second - LONGEST_TOKEN); at -= 8) {
    const found = tokensAt(image, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where names end that begin at a place, with the marks that ought to follow; undefined when they reach too far. */
function endOfNames(
  { bytes }: Image,
  at: number,
  count: number,
  limit: number,
): { end: number; marks: number[] } | undefined {
  const marks: number[] = [];
  const begin = at;
  for (let index = 0; index < count; index++) {
    if (index % MARK_EVERY === 0) marks.push(at - begin);
    const length = bytes[at]!;
    // Names of 128 tokens and more have a second byte for their length (Linux 6.1).
    at += (length & 0x80) === 0 ? 1 + length : 2 + ((length & 0x7f) | bytes[at + 1]! << 7);
    if (at >= limit) return undefined;
  }
  return { end: at, marks };
}

/** Whether the count of symbols stands here, and their names and marks lead up to the tokens. */
function isCountAt(image: Image, at: number, tokensAt: number): boolean {
  const count = image.u32(at), room = tokensAt - at;
  if (count < LEAST_SYMBOLS || count > MOST_SYMBOLS || image.u32(at + 4) !== 0) return false;
  if (room < count * NAME_BYTES.least || room > count * NAME_BYTES.most) return false;
  const names = endOfNames(image, at + 8, count, tokensAt);
  if (names === undefined) return false;
  const marksAt = align8(names.end), afterMarks = align8(marksAt + 4 * names.marks.length);
  // Linux 6.2 to 6.3 have three bytes more for each symbol: their order by name.
  const isBefore = afterMarks === tokensAt || align8(afterMarks + 3 * count) === tokensAt;
  return isBefore && names.marks.every((mark, index) => image.u32(marksAt + 4 * index) === mark);
}

/** Whether distances stand here: they never fall. */
function areOffsets(image: Image, at: number, count: number): boolean {
  if (at < 0 || at + 4 * count > image.bytes.length) return false;
  for (let index = 1; index < count; index++) {
    if (image.u32(at + 4 * index) < image.u32(at + 4 * (index - 1))) return false;
  }
  return image.u32(at + 4 * (count - 1)) > 0;
}

function tablesOf(image: Image): Tables | undefined {
  for (let found = image.indexOf(DIGITS, 0); found >= 0; found = image.indexOf(DIGITS, found + 1)) {
    const tokens = tokensAround(image, found);
    if (tokens === undefined) continue;
    const least = Math.max(0, tokens.at - MOST_SYMBOLS * NAME_BYTES.most);
    for (let at = tokens.at - 8 - tokens.at % 8; at >= least; at -= 8) {
      if (!isCountAt(image, at, tokens.at)) continue;
      const count = image.u32(at), size = align8(4 * count);
      const table = { count, namesAt: at + 8, tokens: tokens.tokens };
      // Before the names, or (Linux 6.4 and later) behind the tokens.
      if (areOffsets(image, at - 8 - size, count)) {
        return { ...table, offsetsAt: at - 8 - size, baseAt: at - 8 };
      }
      if (areOffsets(image, tokens.end, count)) {
        return { ...table, offsetsAt: tokens.end, baseAt: tokens.end + size };
      }
    }
  }
  return undefined;
}

/** Where an image is linked. */
interface Link {
  /** Address of its first byte. */
  readonly start: bigint;
  /** Address from which distances count: at or soon after the start. */
  readonly base: bigint;
}

/** Where the image is linked: by the base of distances as it stands there, or by the relocation that will put it there. */
function linkOf(image: Image, { baseAt }: Tables): Link | undefined {
  const stored = image.u64(baseAt);
  if (stored !== 0n) return { start: stored - stored % ALIGNMENT, base: stored };
  for (let at = 8; at + 16 <= image.bytes.length; at += 8) {
    if (image.u32(at) !== RELATIVE || image.u32(at + 4) !== 0) continue;
    const start = image.u64(at - 8) - BigInt(baseAt), base = image.u64(at + 8);
    if (start > 0n && start % ALIGNMENT === 0n && base >= start && base - start < ALIGNMENT) {
      return { start, base };
    }
  }
  return undefined;
}

/** How symbols of a type rank among those of one address: functions, then data, global ones first. */
function rankOf(type: string): number {
  const rank = /[Tt]/.test(type) ? 3 : /[DdBbRrGgSs]/.test(type) ? 2 : 1;
  return 2 * rank + (type === type.toUpperCase() ? 1 : 0);
}

function listed(image: Image, tables: Tables, base: bigint): ProgramSymbol[] {
  const symbols: ProgramSymbol[] = [], { bytes } = image;
  const tokens = tables.tokens.map((token) => new TextDecoder().decode(token));
  let at = tables.namesAt;
  for (let index = 0; index < tables.count; index++) {
    const first = bytes[at]!, isLong = (first & 0x80) !== 0;
    const length = isLong ? (first & 0x7f) | bytes[at + 1]! << 7 : first;
    at += isLong ? 2 : 1;
    let text = "";
    for (const token of bytes.subarray(at, at + length)) text += tokens[token]!;
    at += length;
    const name = text.slice(1, 1 + LONGEST_NAME);
    if (!isProgramName(name)) continue;
    const address = BigInt.asUintN(64, base + BigInt(image.u32(tables.offsetsAt + 4 * index)));
    symbols.push({ name, address, size: 0n, rank: rankOf(text.slice(0, 1)) });
  }
  return symbols;
}

const isWordByte = (byte: number): boolean =>
  byte === 0x5f || (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) ||
  (byte >= 0x61 && byte <= 0x7a);

/** Where the name of an entry of the table of exports begins, if there is one at this place; −1 otherwise. */
function exportedName({ bytes, view }: Image, at: number): number {
  if (at + EXPORT_SIZE > bytes.length) return -1;
  const name = at + 4 + view.getInt32(at + 4, true), space = at + 8 + view.getInt32(at + 8, true);
  // A name may be the end of another's: nothing is said of the byte before it.
  if (!(name > 0 && name < bytes.length && space > 0 && space < bytes.length)) return -1;
  if (bytes[space] !== 0 && !isWordByte(bytes[space]!)) return -1;
  let end = name;
  while (end < bytes.length && end - name <= LONGEST_NAME && isWordByte(bytes[end]!)) end++;
  return end > name && bytes[end] === 0 ? name : -1;
}

/** What `EXPORT_SYMBOL` tells of variables and functions, by entries in rows. */
function exported(image: Image, start: bigint): ProgramSymbol[] {
  const symbols: ProgramSymbol[] = [], decoder = new TextDecoder();
  for (let at = 0; at + EXPORT_SIZE <= image.bytes.length; at += 4) {
    let end = at;
    while (exportedName(image, end) >= 0) end += EXPORT_SIZE;
    if (end - at < LEAST_EXPORTS * EXPORT_SIZE) continue;
    for (; at < end; at += EXPORT_SIZE) {
      const name = decoder.decode(image.text(exportedName(image, at)));
      if (!isProgramName(name) || name.length > LONGEST_NAME || symbols.length >= MOST_SYMBOLS) continue;
      const address = BigInt.asUintN(64, start + BigInt(at + image.view.getInt32(at, true)));
      symbols.push({ name, address, size: 0n, rank: 2 });
    }
  }
  return symbols;
}

/**
 * The symbols of an untrusted Image, at the addresses where it is linked: a kernel with KASLR that is not told `nokaslr`
 * is moved. Throws UsageError for one without kallsyms; `what` names it.
 */
export function kernelSymbols(bytes: Uint8Array, what: string): ProgramSymbol[] {
  const image = new Image(bytes);
  const tables = tablesOf(image), link = tables && linkOf(image, tables);
  if (tables === undefined || link === undefined) {
    throw new UsageError(
      `Cannot read symbols of ${what}: it is an arm64 Image without the tables of CONFIG_KALLSYMS; give its System.map`,
    );
  }
  const symbols = listed(image, tables, link.base), known = new Set(symbols.map(({ name }) => name));
  return [...symbols, ...exported(image, link.start).filter(({ name }) => !known.has(name))];
}
