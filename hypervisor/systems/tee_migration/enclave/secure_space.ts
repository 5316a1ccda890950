/**
 * Secure memory of an enclave and its translation tables for the Secure EL1&0 regime (Arm ARM D5.2, D5.3): granules of 4,
 * 16 or 64 KiB, addresses of 39 bits by TTBR0_EL1, and above EL0 nothing but a page of vectors that call EL3.
 */
import type { PhysicalAddress } from "../../../../machine/address.ts";
import type { BoardRow } from "../../../../machine/board.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../../../../machine/memory/physical.ts";
import { placedBytes, placeOf, type ProgramHeader, WINDOW_BASE } from "./program_image.ts";

/** Bits of an address in a page, by what the option says. */
export const GRANULES = { "4K": 12, "16K": 14, "64K": 16 } as const;

/** Bits of virtual addresses; levels end at 3. */
const ADDRESS_BITS = 39;
/** Where the vectors are. */
export const VECTORS_VA: number = WINDOW_BASE - 0x1_0000;
/** Slots of 0x80 bytes in a vector table. */
const SLOTS = 16, SLOT_BYTES = 0x80, USED_AT = SLOTS * SLOT_BYTES;
/** SMC and B to itself. */
const SMC = 0xd400_0003, BRANCH_SELF = 0x1400_0000;
/** The parts of Secure memory: vectors, tables, program. */
const TABLES_AT = 0x1_0000, PROGRAM_AT = 0x20_0000;

/** Table and page descriptors: valid and of that kind; AF, inner-shareable; NS is 0: Secure memory. */
const DESCRIPTOR = 3n, PAGE = 3n | 1n << 10n | 3n << 8n;
const READ_ONLY = 1n << 7n, EL0 = 1n << 6n, PXN = 1n << 53n, UXN = 1n << 54n;
const CODE = PAGE | READ_ONLY | EL0 | PXN, DATA = PAGE | EL0 | PXN | UXN, VECTORS = PAGE | READ_ONLY | UXN;

/** TCR_EL1.TG0 by bits of a page. */
const TG0: Readonly<Record<number, bigint>> = { 12: 0n, 14: 2n, 16: 1n };
/** TCR_EL1: T0SZ and T1SZ for 39 bits, tables Write-Back inner-shareable, EPD1, TG1 4 KiB, addresses of 32 bits. */
const TCR = 25n | 25n << 16n | 1n << 8n | 1n << 10n | 3n << 12n | 1n << 23n | 2n << 30n;
/** SCTLR_EL1: RES1 and SPAN, I, C, M; EL0 has no WFI, WFE, cache maintenance, CTR_EL0, DC ZVA or DAIF. */
const SCTLR = 0x30d0_0800n | 1n << 12n | 1n << 2n | 1n;

/** An enclave's memory. */
export class SecureSpace {
  readonly #bits: number;

  /** `row` is the board's Secure memory. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly row: BoardRow,
    granule: keyof typeof GRANULES,
  ) {
    this.#bits = GRANULES[granule];
  }

  /** Bytes of a page. */
  get granule(): number {
    return 2 ** this.#bits;
  }

  /** Bytes that there are for programs. */
  get capacity(): number {
    return this.row.size - PROGRAM_AT;
  }

  /** A physical range is within it, wholly or in part. */
  touches(address: number, size: number): boolean {
    return address < this.row.base + this.row.size && address + size > this.row.base;
  }

  /** Physical address of a program's byte. */
  #place(header: ProgramHeader, address: number): PhysicalAddress {
    return (this.row.base + PROGRAM_AT +
      (placeOf(header, address, this.granule) as number)) as PhysicalAddress;
  }

  /** The 4 KiB at an address. */
  read(header: ProgramHeader, address: number): Uint8Array {
    return this.memory.viewBytes(this.#place(header, address), PAGE_SIZE);
  }

  /** Puts bytes at an address, within one range. */
  write(header: ProgramHeader, address: number, contents: Uint8Array): void {
    this.memory.patchBytes(this.#place(header, address), contents);
  }

  /** Zeros throughout. */
  clear(): void {
    const { base } = this.row;
    // What `lay` has used is said behind the vectors, which are cleared last: without them nothing is there.
    const used = Number(new DataView(this.memory.viewBytes(base, 0x1000).buffer).getBigUint64(USED_AT, true));
    clearMemory(this.memory, base, used);
  }

  /** Lays vectors and tables down for a program; all of the memory is clear. Throws RangeError when it does not fit. */
  lay(header: ProgramHeader): void {
    const bytes = placedBytes(header, this.granule);
    if (bytes > this.capacity) throw new RangeError(`${bytes} bytes do not fit in Secure memory`);
    this.memory.patchBytes(this.row.base, vectors(PROGRAM_AT + bytes));
    const tables = new Tables(this.#bits, this.row.base + TABLES_AT);
    tables.map(VECTORS_VA, this.row.base, VECTORS);
    for (const { base, size, writable } of header.ranges) {
      const first = base - base % this.granule;
      for (let address = first; address < base + size; address += this.granule) {
        tables.map(
          address,
          this.#place(header, Math.max(address, base)) - Math.max(0, base - address),
          writable ? DATA : CODE,
        );
      }
    }
    for (const [at, table] of tables.all) this.memory.patchBytes(at as PhysicalAddress, table);
  }

  /** The registers that put it in force, by name. */
  get registers(): Readonly<Record<string, bigint>> {
    return {
      SCTLR_EL1: SCTLR,
      TCR_EL1: TCR | (TG0[this.#bits] as bigint) << 14n,
      TTBR0_EL1: BigInt(this.row.base + TABLES_AT),
      TTBR1_EL1: 0n,
      MAIR_EL1: 0xffn,
      VBAR_EL1: BigInt(VECTORS_VA),
    };
  }
}

/** A vector table of which each slot calls EL3 with its number, and behind it how much memory is used. */
function vectors(used: number): Uint8Array {
  const bytes = new Uint8Array(USED_AT + 8), view = new DataView(bytes.buffer);
  view.setBigUint64(USED_AT, BigInt(used), true);
  for (let slot = 0; slot < SLOTS; slot++) {
    view.setUint32(slot * SLOT_BYTES, (SMC | slot << 5) >>> 0, true);
    view.setUint32(slot * SLOT_BYTES + 4, BRANCH_SELF, true);
  }
  return bytes;
}

/** Tables of a granule, as bytes by physical address. */
class Tables {
  readonly all = new Map<number, Uint8Array>();

  constructor(private readonly bits: number, private readonly base: number) {
    this.#add();
  }

  #add(): number {
    const at = this.base + this.all.size * 2 ** this.bits;
    this.all.set(at, new Uint8Array(2 ** this.bits));
    return at;
  }

  /** Maps the page at a virtual address. */
  map(address: number, physical: number, attributes: bigint): void {
    const stride = this.bits - 3, levels = Math.ceil((ADDRESS_BITS - this.bits) / stride);
    let at = this.base;
    for (let level = levels - 1; level >= 0; level--) {
      const view = new DataView((this.all.get(at) as Uint8Array).buffer);
      const index = Math.floor(address / 2 ** (this.bits + level * stride)) % 2 ** stride;
      if (level === 0) return view.setBigUint64(index * 8, BigInt(physical) | attributes, true);
      const next = view.getBigUint64(index * 8, true);
      if (next === 0n) view.setBigUint64(index * 8, BigInt(at = this.#add()) | DESCRIPTOR, true);
      else at = Number(next & ~DESCRIPTOR);
    }
  }
}

/** Writes zeros to all pages of a range that have anything else, from its end on. */
export function clearMemory(memory: PhysicalMemory, base: number, size: number): void {
  const zeros = new Uint8Array(PAGE_SIZE), each = PAGE_SIZE / 4;
  const words = new Uint32Array(memory.viewBytes(base as PhysicalAddress, size).buffer);
  for (let at = words.length - 1; at >= 0; at--) {
    if (words[at] === 0) continue;
    const page = Math.floor(at / each);
    memory.patchBytes((base + page * PAGE_SIZE) as PhysicalAddress, zeros);
    at = page * each;
  }
}
