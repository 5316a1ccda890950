/** Finds the sections of ELF files that packages hold. */

const ELF_HEADER = { sections: 40, sectionBytes: 58, sectionCount: 60, names: 62 } as const;
const ELF_SECTION = { name: 0, offset: 24, size: 32 } as const;

/** What is in a section of a little-endian ELF64 file; nothing when there is no such section. */
export function section(elf: Uint8Array, wanted: string): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
  const table = Number(view.getBigUint64(ELF_HEADER.sections, true));
  const bytes = view.getUint16(ELF_HEADER.sectionBytes, true);
  const bounds = (index: number): [start: number, end: number, name: number] => {
    const at = table + index * bytes, start = Number(view.getBigUint64(at + ELF_SECTION.offset, true));
    const size = Number(view.getBigUint64(at + ELF_SECTION.size, true));
    return [start, start + size, view.getUint32(at + ELF_SECTION.name, true)];
  };
  const [names, namesEnd] = bounds(view.getUint16(ELF_HEADER.names, true));
  const strings = new TextDecoder("latin1").decode(elf.subarray(names, namesEnd));
  for (let index = 0; index < view.getUint16(ELF_HEADER.sectionCount, true); index++) {
    const [start, end, name] = bounds(index);
    if (strings.slice(name, strings.indexOf("\0", name)) === wanted) return elf.subarray(start, end);
  }
  return new Uint8Array();
}
