/** A small linker of ELF64 AArch64 objects, so that what other assemblers write can be compared with programs of ours. */

/** Sections in the order in which they are laid out, with the alignment each has at least, as firmware/README.md says. */
const LAYOUT: readonly [name: string, alignment: number][] = [
  [".text", 4],
  [".rodata", 8],
  [".data", 8],
  [".bss", 16],
];

/** Linked bytes from `base` on, without `.bss`, and the addresses of the labels. */
export interface Linked {
  readonly bytes: Uint8Array;
  readonly symbols: ReadonlyMap<string, bigint>;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly contents: Uint8Array<ArrayBuffer>;
  readonly size: number;
  readonly alignment: number;
  readonly info: number;
  address: bigint;
}

interface Symbol {
  readonly name: string;
  readonly type: number;
  readonly section: number;
  readonly value: bigint;
}

const SHT_SYMTAB = 2, SHT_RELA = 4, SHT_NOBITS = 8, STT_SECTION = 3, SHN_LORESERVE = 0xff00;

/** Field of a relocated place: `size` bytes of data, or bits of an instruction. */
type Relocate = (word: bigint, target: bigint, place: bigint) => bigint;

function data(bits: bigint, isRelative = false): Relocate {
  return (_word, target, place) => BigInt.asUintN(Number(bits), isRelative ? target - place : target);
}

/** `bits` bits of the value from bit `from` on go to bit `to` of the instruction. */
function field(
  value: (target: bigint, place: bigint) => bigint,
  from: bigint,
  bits: number,
  to: bigint,
): Relocate {
  return (word, target, place) => {
    const mask = (1n << BigInt(bits)) - 1n;
    return word & ~(mask << to) | (value(target, place) >> from & mask) << to;
  };
}

const absolute = (target: bigint): bigint => target;
const relative = (target: bigint, place: bigint): bigint => target - place;

/** ADR's split immediate: two low bits at 29, the rest at 5. */
function adr(value: (target: bigint, place: bigint) => bigint): Relocate {
  return (word, target, place) =>
    field(value, 2n, 19, 5n)(field(value, 0n, 2, 29n)(word, target, place), target, place);
}

const pages = (target: bigint, place: bigint): bigint => (target >> 12n) - (place >> 12n);

/** The low twelve bits, in units of the access; a linker refuses what is not aligned. */
function low(shift: bigint): Relocate {
  const bits = field((target) => target & 0xfffn, shift, 12, 10n);
  return (word, target, place) => {
    if (target % (1n << shift) !== 0n) {
      throw new Error(`0x${target.toString(16)} is not aligned to its access`);
    }
    return bits(word, target, place);
  };
}

/** ELF for the Arm 64-bit Architecture, 5.7: bytes of the place, and what goes there. */
const RELOCATIONS: Record<number, [size: 2 | 4 | 8, relocate: Relocate]> = {
  257: [8, data(64n)],
  258: [4, data(32n)],
  259: [2, data(16n)],
  260: [8, data(64n, true)],
  261: [4, data(32n, true)],
  262: [2, data(16n, true)],
  263: [4, field(absolute, 0n, 16, 5n)],
  264: [4, field(absolute, 0n, 16, 5n)],
  265: [4, field(absolute, 16n, 16, 5n)],
  266: [4, field(absolute, 16n, 16, 5n)],
  267: [4, field(absolute, 32n, 16, 5n)],
  268: [4, field(absolute, 32n, 16, 5n)],
  269: [4, field(absolute, 48n, 16, 5n)],
  273: [4, field(relative, 2n, 19, 5n)],
  274: [4, adr(relative)],
  275: [4, adr(pages)],
  276: [4, adr(pages)],
  277: [4, low(0n)],
  278: [4, low(0n)],
  279: [4, field(relative, 2n, 14, 5n)],
  280: [4, field(relative, 2n, 19, 5n)],
  282: [4, field(relative, 2n, 26, 0n)],
  283: [4, field(relative, 2n, 26, 0n)],
  284: [4, low(1n)],
  285: [4, low(2n)],
  286: [4, low(3n)],
  299: [4, low(4n)],
};

/** Lays the object's sections out from `base` on and applies its relocations. */
export function linkObject(object: Uint8Array<ArrayBuffer>, base: bigint): Linked {
  const sections = readSections(object), symbols = readSymbols(sections);
  let end = base;
  const placed = LAYOUT.flatMap(([name, least]) => {
    const section = sections.find((candidate) => candidate.name === name);
    if (!section) return [];
    const alignment = section.size === 0 ? 1n : BigInt(Math.max(least, section.alignment));
    section.address = (end + alignment - 1n) / alignment * alignment;
    end = section.address + BigInt(section.size);
    return [section];
  });
  for (const section of sections) {
    if (section.type === SHT_RELA) relocate(section, sections, symbols);
  }
  const filled = placed.filter(({ type, size }) => type !== SHT_NOBITS && size > 0), last = filled.at(-1);
  const bytes = new Uint8Array(last ? Number(last.address - base) + last.size : 0);
  for (const { contents, address } of filled) bytes.set(contents, Number(address - base));
  const labels = symbols.filter(({ name, type, section }) =>
    type !== STT_SECTION && section > 0 && section < SHN_LORESERVE && !/^(\$[xd]|\.L|$)/.test(name)
  );
  return { bytes, symbols: new Map(labels.map((symbol) => [symbol.name, addressOf(symbol, sections)])) };
}

function readSections(object: Uint8Array<ArrayBuffer>): Section[] {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const start = Number(view.getBigUint64(40, true)), count = view.getUint16(60, true);
  const raw = Array.from({ length: count }, (_, index) => {
    const at = start + 64 * index, type = view.getUint32(at + 4, true);
    const offset = Number(view.getBigUint64(at + 24, true)), size = Number(view.getBigUint64(at + 32, true));
    const contents = type === SHT_NOBITS ? new Uint8Array() : object.slice(offset, offset + size);
    const info = view.getUint32(at + 44, true), alignment = Number(view.getBigUint64(at + 48, true));
    return { nameAt: view.getUint32(at, true), type, contents, size, info, alignment, address: 0n };
  });
  const names = raw[view.getUint16(62, true)]?.contents ?? new Uint8Array();
  return raw.map(({ nameAt, ...section }) => ({ name: stringAt(names, nameAt), ...section }));
}

function readSymbols(sections: readonly Section[]): Symbol[] {
  const { contents } = sections.find(({ type }) => type === SHT_SYMTAB) as Section;
  const names = (sections.find(({ name }) => name === ".strtab") as Section).contents;
  const view = new DataView(contents.buffer);
  return Array.from({ length: contents.length / 24 }, (_, index) => ({
    name: stringAt(names, view.getUint32(24 * index, true)),
    type: view.getUint8(24 * index + 4) & 15,
    section: view.getUint16(24 * index + 6, true),
    value: view.getBigUint64(24 * index + 8, true),
  }));
}

function stringAt(bytes: Uint8Array, start: number): string {
  return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
}

function addressOf({ name, section, value }: Symbol, sections: readonly Section[]): bigint {
  if (section === 0) throw new Error(`the object leaves "${name}" undefined`);
  return section < SHN_LORESERVE ? (sections[section] as Section).address + value : value;
}

function relocate(table: Section, sections: readonly Section[], symbols: readonly Symbol[]): void {
  const target = sections[table.info] as Section, view = new DataView(target.contents.buffer);
  const entries = new DataView(table.contents.buffer);
  for (let at = 0; at < table.contents.length; at += 24) {
    const offset = Number(entries.getBigUint64(at, true)), type = entries.getUint32(at + 8, true);
    const symbol = symbols[entries.getUint32(at + 12, true)] as Symbol;
    const value = addressOf(symbol, sections) + entries.getBigInt64(at + 16, true);
    const [size, apply] = RELOCATIONS[type] ?? [0, undefined];
    if (!apply) throw new Error(`relocation ${type} is not known here`);
    const place = target.address + BigInt(offset);
    if (size === 8) view.setBigUint64(offset, apply(view.getBigUint64(offset, true), value, place), true);
    else if (size === 4) {
      view.setUint32(offset, Number(apply(BigInt(view.getUint32(offset, true)), value, place)), true);
    } else view.setUint16(offset, Number(apply(0n, value, place)), true);
  }
}
