/**
 * An address space by its tables alone: the second opinion on what a scan by AT found. Written from the Arm ARM
 * (D8.2–D8.6) for this purpose; it shares no line with the machine's translation nor with the scan, and goes through
 * tables entry by entry where those ask address by address.
 */
import { RunCollector, type RunState, type ScanRun } from "../../../hypervisor/systems/gva_scan/runs.ts";

/** Registers of EL1&0 and stage 2, those of EL2 zero where there is no EL2. */
export interface WalkedRegisters {
  readonly SCTLR_EL1: bigint;
  readonly TCR_EL1: bigint;
  readonly TTBR0_EL1: bigint;
  readonly TTBR1_EL1: bigint;
  readonly MAIR_EL1: bigint;
  readonly HCR_EL2: bigint;
  readonly VTCR_EL2: bigint;
  readonly VTTBR_EL2: bigint;
  readonly ID_AA64MMFR0_EL1: bigint;
}

/** Little-endian 64 bits of physical memory; undefined where there is none. */
export type ReadMemory = (address: bigint) => bigint | undefined;

/** What the tables say. */
export interface Walked {
  /** Sorted, merged runs. */
  readonly runs: readonly ScanRun[];
  /** Stage 1 tables that can be reached, each as often as it is. */
  readonly tables: number;
  /** Leaves of both stages together, what a TLB would hold; with stage 2 off those of stage 1. */
  readonly leaves: number;
}

const bits = (value: bigint, high: number, low: number): number =>
  Number(value >> BigInt(low) & ((1n << BigInt(high - low + 1)) - 1n));
const GRANULES_BY_TG0 = [12, 16, 14], GRANULES_BY_TG1 = [0, 14, 12, 16];
const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 48];
const NON_SECURE = 1n << 9n;

/** Answer of stage 2 for an address, the same up to `end`. */
interface Second {
  readonly state: "mapped" | "unbacked" | "protected" | "hole";
  readonly pa: bigint;
  readonly end: bigint;
  readonly memAttr: number;
  readonly shareability: number;
}

/** Stage 2 as a function. */
function secondStage(registers: WalkedRegisters, read: ReadMemory): ((ipa: bigint) => Second) | undefined {
  const { HCR_EL2, VTCR_EL2, VTTBR_EL2, ID_AA64MMFR0_EL1 } = registers;
  if (bits(HCR_EL2, 0, 0) === 0) return undefined;
  const page = GRANULES_BY_TG0[bits(VTCR_EL2, 15, 14)]!, inputs = 64 - bits(VTCR_EL2, 5, 0);
  const first = (page === 12 ? 2 : 3) - bits(VTCR_EL2, 7, 6);
  const outputs = Math.min(
    OUTPUT_BITS[bits(VTCR_EL2, 18, 16)]!,
    OUTPUT_BITS[bits(ID_AA64MMFR0_EL1, 3, 0)]!,
  );
  const shiftOf = (level: number) => BigInt(page + (page - 3) * (3 - level));
  const alignment = BigInt(Math.max(4, 3 + inputs - Number(shiftOf(first))));
  const root = (VTTBR_EL2 & 0xffff_ffff_ffffn) >> alignment << alignment;
  const answer = (state: Second["state"], ipa: bigint, level: number, descriptor = 0n): Second => {
    const span = 1n << shiftOf(level), start = ipa - ipa % span;
    const output = descriptor & 0xffff_ffff_f000n & ~(span - 1n);
    const memAttr = bits(descriptor, 5, 2), shareability = bits(descriptor, 9, 8);
    return { state, pa: output + (ipa - start), end: start + span, memAttr, shareability };
  };
  return (ipa) => {
    if (ipa >> BigInt(inputs) > 0n) return answer("unbacked", ipa, 0);
    let table = root;
    for (let level = first; level <= 3; level++) {
      const within = level === first ? ipa : ipa & ((1n << shiftOf(level - 1)) - 1n);
      const descriptor = read(table + (within >> shiftOf(level)) * 8n);
      if (descriptor === undefined) return answer("hole", ipa, level);
      const isPage = level === 3, type = bits(descriptor, 1, 0);
      const isBlock = type === 1 && !isPage && level >= (page === 12 ? 1 : 2);
      if ((isPage && type !== 3) || (!isPage && type !== 3 && !isBlock)) {
        return answer("unbacked", ipa, level);
      }
      const next = descriptor & 0xffff_ffff_f000n >> BigInt(page) << BigInt(page);
      if (next >> BigInt(outputs) > 0n) return answer("hole", ipa, level);
      if (isPage || isBlock) {
        const readable = bits(descriptor, 6, 6) === 1 && bits(descriptor, 10, 10) === 1;
        return answer(readable ? "mapped" : "protected", ipa, level, descriptor);
      }
      table = next;
    }
    throw new RangeError("A walk ends at level 3");
  };
}

/** Half of a memory attribute: 1 Non-cacheable, 2 Write-Through, 3 Write-Back. */
function cacheabilityOf(nibble: number): number {
  return nibble === 4 ? 1 : [2, 3, 2, 3][nibble >> 2]!;
}

/** One cacheability of both stages; allocation hints and transience are stage 1's (D8.6.4). */
function combinedNibble(first: number, second: number): number {
  const result = Math.min(cacheabilityOf(first), second);
  if (result === 1) return 4;
  const isTransient = first < 8;
  return (isTransient ? 0 : 8) | (result === 3 ? 4 : 0) | (first & 3);
}

/** ATTR, NS and SH of PAR_EL1 for a leaf. */
function attributesOf(mair: bigint, descriptor: bigint, second: Second | undefined): bigint {
  const index = bits(descriptor, 4, 2);
  let attribute = bits(mair, index * 8 + 7, index * 8), shareability = bits(descriptor, 9, 8);
  if (second !== undefined && second.state === "mapped") {
    const { memAttr } = second;
    const isDevice1 = attribute < 0x10, isDevice2 = memAttr < 4;
    if (isDevice1 && isDevice2) attribute = Math.min(attribute & 0xc, memAttr << 2);
    else if (isDevice2) attribute = memAttr << 2;
    else if (!isDevice1) {
      attribute = combinedNibble(attribute >> 4, memAttr >> 2) << 4 |
        combinedNibble(attribute & 15, memAttr & 3);
    }
    const either = (value: number) => shareability === value || second.shareability === value;
    shareability = either(2) ? 2 : either(3) ? 3 : 0;
  }
  if (attribute < 0x10 || attribute === 0x44) shareability = 2;
  return (BigInt(attribute) << 56n) | NON_SECURE | (BigInt(shareability) << 7n);
}

/** One base register of stage 1. */
interface Tree {
  readonly base: bigint;
  readonly size: number;
  readonly page: number;
  readonly start: bigint;
}

class Walker {
  readonly runs: ScanRun[] = [];
  tables = 0;
  leaves = 0;
  readonly #collector = new RunCollector((run) => void this.runs.push(run));
  readonly #second: ((ipa: bigint) => Second) | undefined;
  readonly #outputs: number;
  readonly #isSwapped: boolean;

  constructor(private readonly registers: WalkedRegisters, private readonly read: ReadMemory) {
    const { TCR_EL1, SCTLR_EL1, ID_AA64MMFR0_EL1 } = registers;
    this.#second = secondStage(registers, read);
    this.#outputs = Math.min(
      OUTPUT_BITS[bits(TCR_EL1, 34, 32)]!,
      OUTPUT_BITS[bits(ID_AA64MMFR0_EL1, 3, 0)]!,
    );
    this.#isSwapped = bits(SCTLR_EL1, 25, 25) === 1;
  }

  walk(): Walked {
    const { SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1, ID_AA64MMFR0_EL1 } = this.registers;
    if (bits(SCTLR_EL1, 0, 0) === 0) {
      this.#add("identity", 0n, 1n << BigInt(OUTPUT_BITS[bits(ID_AA64MMFR0_EL1, 3, 0)]!));
    } else {
      const low = 64 - bits(TCR_EL1, 5, 0), high = 64 - bits(TCR_EL1, 21, 16);
      if (bits(TCR_EL1, 7, 7) === 0) {
        const page = GRANULES_BY_TG0[bits(TCR_EL1, 15, 14)]!;
        this.#tree({ base: TTBR0_EL1, size: low, page, start: 0n });
      }
      if (bits(TCR_EL1, 23, 23) === 0) {
        const page = GRANULES_BY_TG1[bits(TCR_EL1, 31, 30)]!;
        this.#tree({ base: TTBR1_EL1, size: high, page, start: (1n << 64n) - (1n << BigInt(high)) });
      }
    }
    this.#collector.end();
    return { runs: this.runs, tables: this.tables, leaves: this.leaves };
  }

  #tree({ base, size, page, start }: Tree): void {
    let level = 3, resolved = page + page - 3;
    for (; resolved < size; resolved += page - 3) level--;
    const entries = 2 ** (size - (resolved - (page - 3)));
    const alignment = BigInt(Math.max(4, Math.log2(entries) + 3));
    const table = (base & 0xffff_ffff_ffffn) >> alignment << alignment;
    if (table >> BigInt(this.#outputs) > 0n) this.#add("hole", start, 1n << BigInt(size));
    else this.#table(table, level, entries, page, start);
  }

  #table(table: bigint, level: number, entries: number, page: number, start: bigint): void {
    this.tables++;
    const shift = BigInt(page + (page - 3) * (3 - level)), span = 1n << shift;
    const mask = 0xffff_ffff_ffffn >> BigInt(page) << BigInt(page);
    for (let index = 0; index < entries; index++) {
      const gva = start + BigInt(index) * span;
      const descriptor = this.#descriptor(table + BigInt(index) * 8n);
      if (descriptor === undefined) {
        this.#add("hole", gva, span);
        continue;
      }
      const type = bits(descriptor, 1, 0);
      const isLeaf = level === 3 ? type === 3 : type === 1 && level >= (page === 12 ? 1 : 2);
      if (!isLeaf && (type !== 3 || level === 3)) continue;
      const output = descriptor & mask;
      if (output >> BigInt(this.#outputs) > 0n) this.#add("hole", gva, span);
      else if (isLeaf) this.#leaf(gva, span, output & ~(span - 1n), descriptor);
      else this.#table(output, level + 1, 2 ** (page - 3), page, gva);
    }
  }

  #leaf(gva: bigint, span: bigint, ipa: bigint, descriptor: bigint): void {
    const { MAIR_EL1 } = this.registers;
    if (bits(descriptor, 10, 10) === 0) return this.#add("unaccessed", gva, span, ipa);
    for (let at = 0n; at < span;) {
      const second = this.#second?.(ipa + at);
      const length = second === undefined || second.end - ipa > span ? span - at : second.end - ipa - at;
      const state = second?.state ?? "mapped";
      this.leaves++;
      const pa = state === "mapped" ? second?.pa ?? ipa : 0n;
      if (state === "hole") this.#add("hole", gva + at, length);
      else this.#add(state, gva + at, length, ipa + at, pa, attributesOf(MAIR_EL1, descriptor, second));
      at += length;
    }
  }

  /** A descriptor of stage 1, whose table stage 2 may put elsewhere or hide. */
  #descriptor(ipa: bigint): bigint | undefined {
    const second = this.#second?.(ipa);
    if (second !== undefined && second.state !== "mapped") return undefined;
    const raw = this.read(second?.pa ?? ipa);
    if (raw === undefined || !this.#isSwapped) return raw;
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, raw, true);
    return bytes.getBigUint64(0, false);
  }

  #add(state: RunState, gva: bigint, size: bigint, ipa = 0n, pa = 0n, attributes = 0n): void {
    this.#collector.add({ gva, size, state, ipa, pa, attributes });
  }
}

/** Goes through all tables of an address space whose sizes and granules are supported. */
export function walkTables(registers: WalkedRegisters, read: ReadMemory): Walked {
  return new Walker(registers, read).walk();
}
