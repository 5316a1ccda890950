/** Address spaces for tests of scans: random tables in a small memory, with and without stage 2. */
import { physicalAddress } from "../../../../machine/address.ts";
import type { Cpu } from "../../../../machine/cpu/cpu.ts";
import { peekSystemRegister } from "../../../../machine/cpu/system_registers.ts";
import type { ReadMemory, WalkedRegisters } from "../../../../cli/systems/gva_scan/table_walker.ts";
import { seededRandom } from "../../../journal/support.ts";
import { setRegisters } from "../../../machine/cpu/access_support.ts";
import { putAt, RAM, type TestCpus, testCpus } from "../../../machine/cpu/support.ts";

/** Log2 of the granules. */
export type Granule = 12 | 14 | 16;

/** Values of TCR_EL1.TG0 and TG1. */
export const TG0: Readonly<Record<Granule, bigint>> = { 12: 0n, 14: 2n, 16: 1n };
/** See {@linkcode TG0}. */
export const TG1: Readonly<Record<Granule, bigint>> = { 12: 2n, 14: 1n, 16: 3n };

/** A leaf that EL1 can read, Normal memory; its access flag. */
export const LEAF = 0x701n, ACCESSED = 0x400n;
/** HCR_EL2.RW and VM. */
export const HCR_VM = (1n << 31n) | 1n, HCR_RW = 1n << 31n;
/** Stage 2 of 40 bits in 4 KiB pages from level 1, two tables side by side, 48 bits out. */
export const VTCR = 24n | (1n << 6n) | (5n << 16n);
/** Stage 2 leaf: Normal Write-Back, inner shareable, read and write, access flag. */
export const SECOND = 0x7fdn;

/** A CPU at EL2 that holds a guest, and its memory. */
export interface GuestCpu extends TestCpus {
  /** Writes 64 bits. */
  put(address: number, word: bigint): void;
  /** Memory for the walker. */
  readonly read: ReadMemory;
}

/** A `-cpu max` at EL2 with RAM of 1 MiB. */
export function guestCpu(el2 = true): GuestCpu {
  const test = testCpus({ model: "max", el2 });
  const { memory } = test.cpu.surroundings;
  putAt(test.cpu, el2 ? 2 : 1);
  const offset = (address: number) => memory.hostOffset(physicalAddress(address), 8);
  return {
    ...test,
    put: (address, word) => memory.view.setBigUint64(offset(address), word, true),
    read: (address) => {
      const at = offset(Number(address));
      return at < 0 ? undefined : memory.view.getBigUint64(at, true);
    },
  };
}

/** The registers that the walker reads. */
export function walkedRegisters(cpu: Cpu): WalkedRegisters {
  // deno-fmt-ignore
  const names = ["SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "HCR_EL2", "VTCR_EL2", "VTTBR_EL2", "ID_AA64MMFR0_EL1"];
  const { el2 } = cpu.features;
  const values = names.map((name) => [name, name.endsWith("2") && !el2 ? 0n : peekSystemRegister(cpu, name)]);
  return Object.fromEntries(values) as WalkedRegisters;
}

/** Puts stage 1 in force: both halves of `inputSize` bits from two tables. */
export function enableStage1(
  { cpu }: TestCpus,
  granule: Granule,
  inputSize: number,
  tables: readonly [lower: number, upper: number],
): void {
  const size = BigInt(64 - inputSize);
  setRegisters(cpu, {
    TTBR0_EL1: BigInt(tables[0]),
    TTBR1_EL1: BigInt(tables[1]),
    TCR_EL1: size | (size << 16n) | (TG0[granule] << 14n) | (TG1[granule] << 30n) | (5n << 32n),
    MAIR_EL1: 0xbb_04_44_ffn,
    SCTLR_EL1: 0x30d0_0801n,
  });
}

/** Hands out zeroed pieces of the RAM, aligned to their size. */
function allocator(end: number): (size: number) => number | undefined {
  let next = RAM;
  return (size) => {
    const start = Math.ceil(next / size) * size;
    if (start + size > end) return undefined;
    next = start + size;
    return start;
  };
}

/** Draws what two base registers lead to, and stage 2; the same for the same seed. */
export function randomSpace(
  seed: number,
  granule: Granule,
  withStage2: boolean,
  inputSize: number,
): GuestCpu {
  const guest = guestCpu(), { put } = guest, random = seededRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  const take = allocator(RAM + Math.min(3 << 18, 12 << granule));
  const addresses = () => BigInt(RAM) + (BigInt(random(256)) << 12n);
  const entriesLog2 = granule - 3;
  const table = (entries: number): number | undefined => take(Math.max(entries * 8, 4096));
  const fill = (base: number, level: number, entries: number): void => {
    for (let drawn = 0; drawn < 8; drawn++) put(base + random(entries) * 8, descriptor(level));
    if (level < 3) return;
    // A row of neighbours, whose runs are one.
    const row = random(entries - 4), first = addresses() >> BigInt(granule) << BigInt(granule);
    for (let at = 0; at < 4; at++) {
      put(base + (row + at) * 8, first + (BigInt(at) << BigInt(granule)) | LEAF | 2n);
    }
  };
  const descriptor = (level: number): bigint => {
    const span = BigInt(granule + (3 - level) * entriesLog2), attribute = BigInt(random(4)) << 2n;
    const output = pick([addresses(), addresses(), BigInt(random(64)) << 30n, 0x0900_0000n]);
    const leaf = (output >> span << span) | LEAF | attribute | BigInt(random(4)) << 8n;
    const kinds = level < 3 ? ["table", "table", "table", "block", "lost", "odd"] : ["page", "page", "odd"];
    switch (pick(kinds)) {
      case "table":
        return child(level + 1);
      case "lost":
        return pick([0x7000_0000n, 0x0080_0000_0000n, BigInt(RAM + (3 << 18))]) | 3n;
      case "odd":
        return pick([leaf & ~ACCESSED | (level === 3 ? 2n : 0n), 2n, 1n, 3n, (1n << 47n) | LEAF | 2n]);
      case "page":
        return leaf | 2n;
      default:
        return leaf;
    }
  };
  const child = (level: number): bigint => {
    const base = table(2 ** entriesLog2);
    if (base !== undefined) fill(base, level, 2 ** entriesLog2);
    return BigInt(base ?? 0) | 3n;
  };
  const level = 4 - Math.ceil((inputSize - granule) / entriesLog2);
  const entries = 2 ** (inputSize - granule - (3 - level) * entriesLog2);
  const bases = [table(entries) as number, table(entries) as number] as const;
  for (const base of bases) fill(base, level, entries);
  enableStage1(guest, granule, inputSize, bases);
  setRegisters(guest.cpu, { HCR_EL2: HCR_RW });
  if (withStage2) randomStage2(guest, random);
  return guest;
}

/** Stage 2 in the last quarter of the RAM: most of the memory in pages, one page elsewhere, gaps, forbidden pages, a block. */
function randomStage2({ put, cpu }: GuestCpu, random: (bound: number) => number): void {
  const level1 = RAM + 0xe_0000, level2 = RAM + 0xe_2000, level3 = RAM + 0xe_3000;
  put(level1 + 8, BigInt(level2) | 3n);
  put(level1 + 16, 0x8000_0000n | (SECOND & ~2n));
  put(level1 + 24, 0x7800_0000n << 8n | 3n);
  put(level2, BigInt(level3) | 3n);
  for (let page = 0; page < 512; page++) {
    const address = BigInt(RAM + page * 4096);
    const chance = random(40);
    if (chance === 0) continue;
    const leaf = chance === 1 ? SECOND & ~0x40n : chance === 2 ? SECOND & ~ACCESSED : SECOND;
    const attribute = [0x3cn, 0x3cn, 0x14n, 0x28n, 0x4n][random(5)] as bigint;
    put(level3 + page * 8, (address + (chance === 3 ? 0x1000n : 0n)) | (leaf & ~0x3cn) | attribute | 3n);
  }
  setRegisters(cpu, { HCR_EL2: HCR_VM, VTCR_EL2: VTCR, VTTBR_EL2: BigInt(level1) });
}
