/** Writes symbols as an ELF file that gdb takes by `symbol-file`, for names that came from a System.map or an assembler. */

/** A name and its address. */
export interface NamedAddress {
  /** As gdb is to know it. */
  readonly name: string;
  /** Virtual address. */
  readonly address: bigint;
}

const HEADER_SIZE = 64, SECTION_SIZE = 64, SYMBOL_SIZE = 24;
const ET_EXEC = 2, EM_AARCH64 = 183;
const SHT_SYMTAB = 2, SHT_STRTAB = 3, SHT_NOBITS = 8;
const SHF_ALLOC_EXECINSTR = 6n;
/** Binding global, no type: a function and an object look the same. */
const GLOBAL_NOTYPE = 0x10;
/** Number of the section that all symbols are in. */
const TEXT = 1;
const NAMES = "\0.text\0.symtab\0.strtab\0";

interface SectionHeader {
  readonly name: string;
  readonly type: number;
  readonly flags?: bigint;
  readonly address?: bigint;
  readonly offset: number;
  readonly size: bigint;
  readonly link?: number;
  readonly info?: number;
  readonly entry?: number;
}

function writeSection(view: DataView, at: number, section: SectionHeader): void {
  view.setUint32(at, NAMES.indexOf(section.name), true);
  view.setUint32(at + 4, section.type, true);
  view.setBigUint64(at + 8, section.flags ?? 0n, true);
  view.setBigUint64(at + 16, section.address ?? 0n, true);
  view.setBigUint64(at + 24, BigInt(section.offset), true);
  view.setBigUint64(at + 32, section.size, true);
  view.setUint32(at + 40, section.link ?? 0, true);
  view.setUint32(at + 44, section.info ?? 0, true);
  view.setBigUint64(at + 48, 8n, true);
  view.setBigUint64(at + 56, BigInt(section.entry ?? 0), true);
}

function writeHeader(view: DataView, sections: number, at: number): void {
  // 0x7f ELF, 64 bits, little-endian, version 1.
  view.setUint32(0, 0x7f454c46);
  view.setUint32(4, 0x02010100);
  view.setUint16(16, ET_EXEC, true);
  view.setUint16(18, EM_AARCH64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(at), true);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(58, SECTION_SIZE, true);
  view.setUint16(60, sections, true);
  // The names of sections stand in the table of the symbols' names.
  view.setUint16(62, sections - 1, true);
}

/** The file, without contents: the names alone. */
export function symbolElf(symbols: readonly NamedAddress[]): Uint8Array {
  const addresses = symbols.map(({ address }) => address);
  const first = addresses.reduce((least, address) => address < least ? address : least, 2n ** 64n - 1n);
  const last = addresses.reduce((most, address) => address > most ? address : most, first);
  const encoder = new TextEncoder();
  const texts = symbols.map(({ name }) => encoder.encode(`${name}\0`));
  const symbolsAt = HEADER_SIZE, symbolsSize = (symbols.length + 1) * SYMBOL_SIZE;
  const stringsAt = symbolsAt + symbolsSize;
  const stringsSize = texts.reduce((sum, text) => sum + text.length, NAMES.length);
  const sectionsAt = Math.ceil((stringsAt + stringsSize) / 8) * 8;
  const sections: readonly SectionHeader[] = [
    {
      name: ".text",
      type: SHT_NOBITS,
      flags: SHF_ALLOC_EXECINSTR,
      address: first,
      offset: 0,
      size: last - first + 8n,
    },
    {
      name: ".symtab",
      type: SHT_SYMTAB,
      offset: symbolsAt,
      size: BigInt(symbolsSize),
      link: 3,
      info: 1,
      entry: SYMBOL_SIZE,
    },
    { name: ".strtab", type: SHT_STRTAB, offset: stringsAt, size: BigInt(stringsSize) },
  ];
  const bytes = new Uint8Array(sectionsAt + (sections.length + 1) * SECTION_SIZE),
    view = new DataView(bytes.buffer);
  writeHeader(view, sections.length + 1, sectionsAt);
  bytes.set(encoder.encode(NAMES), stringsAt);
  let name = NAMES.length;
  for (const [index, { address }] of symbols.entries()) {
    const at = symbolsAt + (index + 1) * SYMBOL_SIZE;
    view.setUint32(at, name, true);
    view.setUint8(at + 4, GLOBAL_NOTYPE);
    view.setUint16(at + 6, TEXT, true);
    view.setBigUint64(at + 8, address, true);
    bytes.set(texts[index]!, stringsAt + name);
    name += texts[index]!.length;
  }
  sections.forEach((section, index) => writeSection(view, sectionsAt + (index + 1) * SECTION_SIZE, section));
  return bytes;
}
