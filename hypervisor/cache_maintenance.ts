/**
 * Maintenance that makes instructions visible which were written as data, by line: DC CVAU and IC IVAU as CTR_EL0 says
 * (Arm ARM B2.4.4, D7.5, CTR_EL0). DSBs between need nothing here: maintenance is complete when it has been performed.
 */
import type { Cpu } from "../machine/cpu/cpu.ts";
import { patchSystemRegister, peekSystemRegister } from "../machine/cpu/system_registers.ts";
import { performSystem } from "./own_memory.ts";

/** What CTR_EL0 says. */
export interface CacheType {
  /** Bytes of the smallest line of data and unified caches: DminLine. */
  readonly dataLine: number;
  /** Bytes of the smallest line of instruction caches: IminLine. */
  readonly instructionLine: number;
  /** Data need not be cleaned for instructions to be coherent: IDC. */
  readonly dataIsCoherent: boolean;
  /** Instruction caches need not be invalidated: DIC. */
  readonly instructionsAreCoherent: boolean;
  /** One address finds all lines of a physical one (L1Ip is PIPT); others are invalidated as a whole. */
  readonly byAddress: boolean;
}

const WORD = 4, PIPT = 3n;

/** Takes CTR_EL0 apart. */
export function cacheTypeOf(ctr: bigint): CacheType {
  const line = (lowest: bigint): number => WORD * 2 ** Number(ctr >> lowest & 15n);
  return {
    dataLine: line(16n),
    instructionLine: line(0n),
    dataIsCoherent: (ctr >> 28n & 1n) === 1n,
    instructionsAreCoherent: (ctr >> 29n & 1n) === 1n,
    byAddress: (ctr >> 14n & 3n) === PIPT,
  };
}

/** Performs an instruction on every line of a range; how many. The CPU is at a level where addresses are physical. */
function byLine(cpu: Cpu, name: string, physical: number, size: number, line: number): number {
  const first = physical - physical % line;
  for (let at = first; at < physical + size; at += line) performSystem(cpu, name, BigInt(at));
  return Math.ceil((physical + size - first) / line);
}

/** Cleans a range to the point of unification (DC CVAU); lines cleaned. */
export function cleanData(cpu: Cpu, type: CacheType, physical: number, size: number): number {
  return type.dataIsCoherent ? 0 : byLine(cpu, "dc cvau", physical, size, type.dataLine);
}

/** Cleans a range to the point of coherency and invalidates it (DC CIVAC): for who reads past the caches; lines. */
export function writeBackData(cpu: Cpu, type: CacheType, physical: number, size: number): number {
  return byLine(cpu, "dc civac", physical, size, type.dataLine);
}

/** Invalidates a range in instruction caches of all CPUs (IC IVAU, or IC IALLUIS); lines, −1 for all of them. */
export function invalidateInstructions(cpu: Cpu, type: CacheType, physical: number, size: number): number {
  if (type.instructionsAreCoherent) return 0;
  if (type.byAddress) return byLine(cpu, "ic ivau", physical, size, type.instructionLine);
  performSystem(cpu, "ic ialluis");
  return -1;
}

/** CLIDR_EL1.Ctype of a level: data, separate, or unified caches are there. */
const HAS_DATA = 2;
const LEVELS = 7;

/** Sets, ways and line of a cache, by CSSELR_EL1 and CCSIDR_EL1 (32-bit format). */
function geometryOf(
  cpu: Cpu,
  selector: bigint,
): { readonly sets: number; readonly ways: number; readonly lineLog2: number } {
  patchSystemRegister(cpu, "CSSELR_EL1", selector);
  const size = peekSystemRegister(cpu, "CCSIDR_EL1");
  return {
    sets: Number(size >> 13n & 0x7fffn) + 1,
    ways: Number(size >> 3n & 0x3ffn) + 1,
    lineLog2: Number(size & 7n) + 4,
  };
}

/**
 * Cleans and invalidates all data caches by set and way, and invalidates all instruction caches: what a monitor that
 * knows no ranges has to do. How many lines these caches have. CSSELR_EL1 stays the guest's.
 */
export function flushEverything(cpu: Cpu): { readonly data: number; readonly instruction: number } {
  const selected = peekSystemRegister(cpu, "CSSELR_EL1"), levels = peekSystemRegister(cpu, "CLIDR_EL1");
  let data = 0;
  for (let level = 0; level < LEVELS; level++) {
    if (Number(levels >> BigInt(level * 3) & 7n) < HAS_DATA) continue;
    const { sets, ways, lineLog2 } = geometryOf(cpu, BigInt(level << 1));
    const wayShift = BigInt(Math.clz32(ways - 1));
    for (let way = 0; way < ways; way++) {
      for (let set = 0; set < sets; set++) {
        const operand = BigInt(way) << wayShift | BigInt(set) << BigInt(lineLog2) | BigInt(level << 1);
        performSystem(cpu, "dc cisw", operand);
      }
    }
    data += sets * ways;
  }
  const { sets, ways } = geometryOf(cpu, 1n);
  patchSystemRegister(cpu, "CSSELR_EL1", selected);
  performSystem(cpu, "ic ialluis");
  return { data, instruction: sets * ways };
}
