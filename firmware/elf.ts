/** ELF executables: a program as a static AArch64 file for `qemu-aarch64`, `-kernel` and debuggers. */
import type { Program } from "../machine/a64/program.ts";
import { ByteWriter } from "../machine/layout.ts";

const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SECTION_HEADER_SIZE = 64;
const SYMBOL_SIZE = 24;

/** File offsets and addresses of a segment agree modulo this: the largest page of a loader (ELF for AArch64, 6.2). */
const PAGE = 0x1_0000;

const ET_EXEC = 2, EM_AARCH64 = 183, PT_LOAD = 1, RWX = 7;
const SHT_SYMTAB = 2, SHT_STRTAB = 3, SHT_PROGBITS = 1;
const STB_GLOBAL = 1 << 4, SHN_ABS = 0xfff1;

/**
 * A static ELF64 executable (System V gABI 4.1, ELF for the Arm 64-bit Architecture): one segment that can be read,
 * written and executed, `.bss` as its tail without bytes, and a symbol table of the program's labels.
 */
export function elfExecutable(program: Program): Uint8Array<ArrayBuffer> {
  const { bytes } = program;
  const contents = HEADER_SIZE + PROGRAM_HEADER_SIZE + Number((program.base - 120n) & BigInt(PAGE - 1));
  const { symbols, strings } = symbolTable(program);
  const symbolsAt = alignUp(contents + bytes.length, 8), stringsAt = symbolsAt + symbols.length;
  const names = new TextEncoder().encode("\0.text\0.symtab\0.strtab\0.shstrtab\0");
  const namesAt = stringsAt + strings.length, headersAt = alignUp(namesAt + names.length, 8);

  const file = new ByteWriter();
  elfHeader(file, program.entry, headersAt);
  programHeader(file, program, contents);
  padTo(file, contents);
  file.raw(bytes);
  padTo(file, symbolsAt);
  file.raw(symbols);
  file.raw(strings);
  file.raw(names);
  padTo(file, headersAt);
  const section = (values: SectionHeader): void => sectionHeader(file, values);
  section({ name: 0, type: 0 });
  section({
    name: 1,
    type: SHT_PROGBITS,
    flags: RWX,
    address: program.base,
    offset: contents,
    size: bytes.length,
  });
  const global = { link: 3, info: 1, alignment: 8, entrySize: SYMBOL_SIZE };
  section({ name: 7, type: SHT_SYMTAB, offset: symbolsAt, size: symbols.length, ...global });
  section({ name: 15, type: SHT_STRTAB, offset: stringsAt, size: strings.length });
  section({ name: 23, type: SHT_STRTAB, offset: namesAt, size: names.length });
  return file.bytes();
}

function elfHeader(file: ByteWriter, entry: bigint, sectionHeaders: number): void {
  file.raw(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])); // ELF64, little-endian
  file.u16(ET_EXEC);
  file.u16(EM_AARCH64);
  file.u32(1);
  file.u64(entry);
  file.u53(HEADER_SIZE); // program headers follow
  file.u53(sectionHeaders);
  file.u32(0);
  for (const value of [HEADER_SIZE, PROGRAM_HEADER_SIZE, 1, SECTION_HEADER_SIZE, 5, 4]) file.u16(value);
}

function programHeader(file: ByteWriter, { base, bytes, size }: Program, offset: number): void {
  file.u32(PT_LOAD);
  file.u32(RWX);
  file.u53(offset);
  file.u64(base); // virtual
  file.u64(base); // physical
  file.u53(bytes.length);
  file.u53(size);
  file.u53(PAGE);
}

interface SectionHeader {
  readonly name: number;
  readonly type: number;
  readonly flags?: number;
  readonly address?: bigint;
  readonly offset?: number;
  readonly size?: number;
  readonly link?: number;
  readonly info?: number;
  readonly alignment?: number;
  readonly entrySize?: number;
}

function sectionHeader(file: ByteWriter, header: SectionHeader): void {
  file.u32(header.name);
  file.u32(header.type);
  file.u53(header.flags ?? 0);
  file.u64(header.address ?? 0n);
  file.u53(header.offset ?? 0);
  file.u53(header.size ?? 0);
  file.u32(header.link ?? 0);
  file.u32(header.info ?? 0);
  file.u53(header.alignment ?? 1);
  file.u53(header.entrySize ?? 0);
}

/** The null symbol, then every label; those of `.bss` lie behind the section's bytes, so all are absolute. */
function symbolTable({ symbols: labels }: Program): { symbols: Uint8Array; strings: Uint8Array } {
  const symbols = new ByteWriter(), strings = new ByteWriter();
  symbols.raw(new Uint8Array(SYMBOL_SIZE));
  strings.u8(0);
  for (const [name, address] of labels) {
    symbols.u32(strings.length);
    symbols.u8(STB_GLOBAL);
    symbols.u8(0);
    symbols.u16(SHN_ABS);
    symbols.u64(address);
    symbols.u53(0);
    strings.raw(new TextEncoder().encode(`${name}\0`));
  }
  return { symbols: symbols.bytes(), strings: strings.bytes() };
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function padTo(file: ByteWriter, offset: number): void {
  file.raw(new Uint8Array(offset - file.length));
}
