/** ELF files of AArch64 as loaders read them: the segments to load, at physical addresses, and the entry. */
import { hex } from "./address.ts";
import { ConfigurationError } from "./errors.ts";

/** A segment of type PT_LOAD. */
export interface ElfSegment {
  /** Physical address of its first byte. */
  readonly address: number;
  /** Virtual address of its first byte. */
  readonly virtualAddress: bigint;
  /** Offset in the file of its first byte. */
  readonly offset: number;
  /** p_flags: PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
  /** Bytes that come from the file. */
  readonly bytes: Uint8Array;
  /** Bytes in memory; those past the file's are zero. */
  readonly memorySize: number;
}

/** What a loader needs of an ELF file. */
export interface ElfImage {
  /** Physical address of the entry. */
  readonly entry: number;
  /** Virtual address of the entry. */
  readonly virtualEntry: bigint;
  /** Offset in the file and number of the program headers, of 56 bytes each. */
  readonly programHeaders: { readonly offset: number; readonly count: number };
  /** Segments that occupy memory, in the file's order. */
  readonly segments: readonly ElfSegment[];
}

// ELF for the Arm 64-bit Architecture (Arm IHI 0056) and the generic ABI, chapters 4 and 5.
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const MACHINE_AARCH64 = 183;
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const PT_LOAD = 1;
const PF_X = 1;

/** No physical address is longer. */
const ADDRESS_LIMIT = 1n << 48n;

/** Whether the bytes start as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * Reads an untrusted ELF file; `what` names it in messages. Throws ConfigurationError when it is cut or malformed, or
 * for another machine than little-endian AArch64.
 */
export function parseElf(bytes: Uint8Array, what: string): ElfImage {
  const refuse = (reason: string): never => {
    throw new ConfigurationError(`Cannot load ${what}: ${reason}`);
  };
  const within = (offset: number | bigint, size: number | bigint, part: string): void => {
    if (BigInt(offset) + BigInt(size) > BigInt(bytes.length)) {
      refuse(`it is cut: its ${part} ends past its ${bytes.length} bytes`);
    }
  };
  within(0, HEADER_SIZE, "ELF header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[4] !== CLASS_64 || bytes[5] !== LITTLE_ENDIAN || view.getUint16(18, true) !== MACHINE_AARCH64) {
    refuse("it is an ELF file, but not one of 64-bit little-endian AArch64");
  }
  const virtualEntry = view.getBigUint64(24, true);
  const tableAt = view.getBigUint64(32, true);
  const [entrySize, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  if (count > 0 && entrySize !== PROGRAM_HEADER_SIZE) {
    refuse(`its program headers have ${entrySize} bytes each`);
  }
  within(tableAt, count * PROGRAM_HEADER_SIZE, "program header table");

  const segments: ElfSegment[] = [];
  let entry = virtualEntry;
  for (let index = 0; index < count; index++) {
    const at = Number(tableAt) + index * PROGRAM_HEADER_SIZE;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const flags = view.getUint32(at + 4, true), isExecutable = (flags & PF_X) !== 0;
    const field = (number: number): bigint => view.getBigUint64(at + 8 * number, true);
    const [offset, virtual, physical, fileSize, memorySize] = [
      field(1),
      field(2),
      field(3),
      field(4),
      field(5),
    ];
    within(offset, fileSize, `segment ${index}`);
    if (fileSize > memorySize) refuse(`its segment ${index} has more bytes in the file than in memory`);
    if (physical + memorySize > ADDRESS_LIMIT) {
      refuse(`its segment ${index} lies at ${hex(physical)}, past all memory`);
    }
    // The entry is a virtual address; loaders jump to where its segment is.
    if (isExecutable && virtualEntry >= virtual && virtualEntry < virtual + fileSize) {
      entry = virtualEntry - virtual + physical;
    }
    if (memorySize === 0n) continue;
    const contents = bytes.subarray(Number(offset), Number(offset + fileSize));
    segments.push({
      address: Number(physical),
      virtualAddress: virtual,
      offset: Number(offset),
      flags,
      bytes: contents,
      memorySize: Number(memorySize),
    });
  }
  if (segments.length === 0) refuse("it has no segment to load");
  if (entry >= ADDRESS_LIMIT) refuse(`its entry ${hex(entry)} lies in no segment, past all memory`);
  const programHeaders = { offset: Number(tableAt), count };
  return { entry: Number(entry), virtualEntry, programHeaders, segments };
}
