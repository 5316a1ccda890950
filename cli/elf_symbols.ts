/** Symbols of ELF files of AArch64: what `.symtab` and `.dynsym` say of functions, objects and labels. */
import { UsageError } from "./errors.ts";
import { isProgramName, LONGEST_NAME, MOST_SYMBOLS, type ProgramSymbol } from "./symbols.ts";

// ELF for the Arm 64-bit Architecture (Arm IHI 0056) and the generic ABI, chapter 4.
const CLASS_64 = 2, LITTLE_ENDIAN = 1, MACHINE_AARCH64 = 183, ET_REL = 1;
const HEADER_SIZE = 64, SECTION_HEADER_SIZE = 64, SYMBOL_SIZE = 24;
const SHT_SYMTAB = 2, SHT_STRTAB = 3, SHT_DYNSYM = 11;
const SHN_UNDEF = 0, SHN_COMMON = 0xfff2, STB_LOCAL = 0;

/** Which types of symbols are read, and which of them goes first for one address. */
// deno-fmt-ignore
const RANK_OF_TYPE: Readonly<Record<number, number>> = {
   0: 1, // STT_NOTYPE: a label of assembly
   1: 2, // STT_OBJECT
   2: 3, // STT_FUNC
  10: 3, // STT_GNU_IFUNC
};

interface Section {
  readonly index: number;
  readonly type: number;
  readonly link: number;
  readonly entrySize: bigint;
  readonly bytes: () => Uint8Array;
}

/** An ELF file whose parts are looked at only where they are inside of it. */
class ElfFile {
  readonly #view: DataView;

  constructor(private readonly bytes: Uint8Array, private readonly what: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.part(0n, BigInt(HEADER_SIZE), "ELF header");
    const isOurs = bytes[4] === CLASS_64 && bytes[5] === LITTLE_ENDIAN &&
      this.#view.getUint16(18, true) === MACHINE_AARCH64;
    if (!isOurs) this.refuse("it is an ELF file, but not one of 64-bit little-endian AArch64");
    if (this.#view.getUint16(16, true) === ET_REL) {
      this.refuse("it is an object file, whose addresses are not known before it is linked");
    }
  }

  refuse(reason: string): never {
    throw new UsageError(`Cannot read symbols of ${this.what}: ${reason}`);
  }

  /** Bytes of the file; refuses a part that is not inside. */
  part(offset: bigint, size: bigint, name: string): Uint8Array {
    if (offset + size <= BigInt(this.bytes.length)) {
      return this.bytes.subarray(Number(offset), Number(offset + size));
    }
    this.refuse(`it is cut or damaged: its ${name} ends past its ${this.bytes.length} bytes`);
  }

  /** The section headers; a count that does not fit its 16 bits is in the first one's size. */
  sections(): Section[] {
    const at = this.#view.getBigUint64(40, true);
    if (at === 0n) return [];
    const entrySize = this.#view.getUint16(58, true);
    if (entrySize !== SECTION_HEADER_SIZE) this.refuse(`its section headers have ${entrySize} bytes each`);
    const header = (index: number): DataView => {
      const bytes = this.part(at + BigInt(index * SECTION_HEADER_SIZE), 64n, "section header table");
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    };
    const few = this.#view.getUint16(60, true);
    const count = few > 0 ? BigInt(few) : header(0).getBigUint64(32, true);
    this.part(at, count * BigInt(SECTION_HEADER_SIZE), "section header table");
    return Array.from({ length: Number(count) }, (_, index): Section => {
      const view = header(index);
      return {
        index,
        type: view.getUint32(4, true),
        link: view.getUint32(40, true),
        entrySize: view.getBigUint64(56, true),
        bytes: () => this.part(view.getBigUint64(24, true), view.getBigUint64(32, true), `section ${index}`),
      };
    });
  }
}

/** The name at an offset of a string table, cut to the longest; undefined where it ends past the table. */
function nameAt(strings: Uint8Array, offset: number): string | undefined {
  const bytes = strings.subarray(offset, offset + LONGEST_NAME);
  const end = bytes.indexOf(0);
  if (end < 0 && bytes.length < LONGEST_NAME) return undefined;
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Adds the symbols of one table. */
function readTable(file: ElfFile, table: Section, strings: Uint8Array, found: ProgramSymbol[]): void {
  const bytes = table.bytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SYMBOL_SIZE; at + SYMBOL_SIZE <= bytes.length; at += SYMBOL_SIZE) {
    const info = view.getUint8(at + 4), section = view.getUint16(at + 6, true);
    const rank = RANK_OF_TYPE[info & 0xf];
    if (rank === undefined || section === SHN_UNDEF || section === SHN_COMMON) continue;
    const name = nameAt(strings, view.getUint32(at, true));
    if (name === undefined) file.refuse(`the name of symbol ${at / SYMBOL_SIZE} ends past its string table`);
    if (!isProgramName(name)) continue;
    if (found.length >= MOST_SYMBOLS) file.refuse(`it has more than ${MOST_SYMBOLS}`);
    found.push({
      name,
      address: view.getBigUint64(at + 8, true),
      size: view.getBigUint64(at + 16, true),
      rank: 2 * rank + (info >> 4 === STB_LOCAL ? 0 : 1),
    });
  }
}

/**
 * Reads the symbols of an untrusted ELF file; none where it has been stripped. `what` names it in messages. Throws
 * UsageError when it is cut or malformed, not linked, or for another machine than little-endian AArch64.
 */
export function elfSymbols(bytes: Uint8Array, what: string): ProgramSymbol[] {
  const file: ElfFile = new ElfFile(bytes, what);
  const sections = file.sections();
  const found: ProgramSymbol[] = [];
  for (const section of sections) {
    if (section.type !== SHT_SYMTAB && section.type !== SHT_DYNSYM) continue;
    if (section.entrySize !== BigInt(SYMBOL_SIZE)) {
      file.refuse(`the symbols of its section ${section.index} have ${section.entrySize} bytes each`);
    }
    const strings = sections[section.link];
    if (strings === undefined || strings.type !== SHT_STRTAB) {
      file.refuse(`its section ${section.index} has symbols, but its section ${section.link} no names`);
    }
    readTable(file, section, strings.bytes(), found);
  }
  return found;
}
