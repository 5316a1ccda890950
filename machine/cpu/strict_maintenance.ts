/** What TLBI, IC and DC do to the caches of strict models; without such a model they have nothing to do. */
import type { PhysicalAddress } from "../address.ts";
import {
  DATA_CACHE_OPERATIONS as DATA,
  type DataCacheOperation,
  GEOMETRY,
} from "../memory/strict_data_cache_operations.ts";
import { LINE_SIZE } from "../memory/strict_cache_page.ts";
import { canonical, type TlbTag } from "../memory/strict_tlb.ts";
import type { Regime } from "../memory/translation_controls.ts";
import { hypervisorBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { controlsOf, isInHost, isSecureBelowEl3, regimeOf } from "./translation_regime.ts";

/** Bits of HCR_EL2: VM, SWIO, FB, DC. */
const VM = 0, SWIO = 1, FB = 9, DC = 12;

/** Which entries a TLBI drops. */
interface Invalidation {
  /** The lowest level of the regime. */
  readonly level: 1 | 2 | 3;
  /** Entries of stage 1, combined ones with it, of stage 2, or of both. */
  readonly stages: "1" | "2" | "both";
  /** Entries of the present VMID, or of every one. */
  readonly vmid: "present" | "every";
  /** `operand`: that ASID's and global ones; `operandOnly`: that ASID's; `every`: whatever they are of. */
  readonly asid: "operand" | "operandOnly" | "every";
  /** Entries that translate the operand's address, or all. */
  readonly address: "virtual" | "intermediate" | "all";
}

function drops(
  level: Invalidation["level"],
  stages: Invalidation["stages"],
  vmid: Invalidation["vmid"],
  asid: Invalidation["asid"],
  address: Invalidation["address"],
): Invalidation {
  return { level, stages, vmid, asid, address };
}

/** By name without IS; those for the last level alone are those for all levels, since tables are not cached (Arm ARM C5.5). */
// deno-fmt-ignore
const INVALIDATIONS: Readonly<Record<string, Invalidation>> = {
  VMALLE1:    drops(1, "1",    "present", "every",       "all"),
  VAE1:       drops(1, "1",    "present", "operand",     "virtual"),
  ASIDE1:     drops(1, "1",    "present", "operandOnly", "all"),
  VAAE1:      drops(1, "1",    "present", "every",       "virtual"),
  VALE1:      drops(1, "1",    "present", "operand",     "virtual"),
  VAALE1:     drops(1, "1",    "present", "every",       "virtual"),
  IPAS2E1:    drops(1, "2",    "present", "every",       "intermediate"),
  IPAS2LE1:   drops(1, "2",    "present", "every",       "intermediate"),
  VMALLS12E1: drops(1, "both", "present", "every",       "all"),
  ALLE1:      drops(1, "both", "every",   "every",       "all"),
  ALLE2:      drops(2, "1",    "every",   "every",       "all"),
  VAE2:       drops(2, "1",    "every",   "operand",     "virtual"),
  VALE2:      drops(2, "1",    "every",   "operand",     "virtual"),
  ALLE3:      drops(3, "1",    "every",   "every",       "all"),
  VAE3:       drops(3, "1",    "every",   "operand",     "virtual"),
  VALE3:      drops(3, "1",    "every",   "operand",     "virtual"),
};

/** The regime that a TLBI for a level is about; with HCR_EL2.E2H and TGE, one for EL1 is about EL2's. */
function regimeFor(cpu: Cpu, level: 1 | 2 | 3): Regime {
  return level === 1 && cpu.el > 1 && isInHost(cpu) ? "EL2&0" : regimeOf(cpu, level);
}

/** Bits of an operand: ASID, VA[55:12], IPA[47:12]. */
const ASID_SHIFT = 48n, VA_BITS = 44, IPA_BITS = 36;

function addressOf(operand: bigint, kind: Invalidation["address"], regime: Regime): number | undefined {
  if (kind === "all") return undefined;
  if (kind === "intermediate") return Number(BigInt.asUintN(IPA_BITS, operand)) * 4096;
  const address = BigInt.asUintN(VA_BITS, operand) << 12n;
  const high = Number(address >> 32n), low = Number(BigInt.asUintN(32, address));
  return canonical(high, low, regime.endsWith("&0"));
}

/** Who has entries that a TLBI may drop. */
function matcher(
  cpu: Cpu,
  { level, stages, vmid, asid }: Invalidation,
  operand: bigint,
): (tag: TlbTag) => boolean {
  const regime = regimeFor(cpu, level);
  const controls = controlsOf(cpu, regime);
  const secure = level === 1 ? isSecureBelowEl3(cpu) : controls.stage1.secure;
  // Bits of an ASID that are not in use are ignored.
  const bits = BigInt.asUintN(controls.asidBits, operand >> ASID_SHIFT);
  return (tag) =>
    tag.regime === regime && tag.secure === secure &&
    (stages === "both" || tag.stage === Number(stages)) &&
    (vmid === "every" || tag.vmid === controls.vmid) &&
    (asid === "every" || tag.asid === Number(bits) || (asid === "operand" && tag.asid === -1));
}

/** Above EL1 nothing makes local maintenance go to all CPUs. */
function isBroadcastForced(cpu: Cpu): boolean {
  return cpu.el === 1 && hypervisorBit(cpu, FB);
}

/** Performs a TLBI, by its name in capitals, on the strict TLBs that it concerns. */
export function invalidateTranslations(cpu: Cpu, operation: string, operand: bigint): void {
  const { cpus, strict } = cpu.surroundings;
  if (strict?.tlbs === undefined) return;
  const isShared = operation.endsWith("IS");
  const row = INVALIDATIONS[isShared ? operation.slice(0, -2) : operation];
  if (row === undefined) return;
  const address = addressOf(operand, row.address, regimeFor(cpu, row.level));
  const matches = matcher(cpu, row, operand);
  for (const other of isShared || isBroadcastForced(cpu) ? cpus : [cpu]) {
    strict.tlbs[other.index]?.drop(matches, address);
    other.tlb.drop();
  }
}

/** IC IALLU and, for all CPUs, IC IALLUIS. */
export function invalidateInstructions(cpu: Cpu, isShared: boolean): void {
  const { cpus, memory, strict } = cpu.surroundings;
  if (strict?.instructionCaches === undefined) return;
  for (const { index } of isShared || isBroadcastForced(cpu) ? cpus : [cpu]) {
    strict.instructionCaches[index]?.dropAll();
  }
  memory.codeObserver?.dropped();
}

/** IC IVAU of a physical address, for all CPUs. */
export function invalidateInstructionLine(cpu: Cpu, _name: string, physical: number): void {
  const { memory, strict } = cpu.surroundings;
  if (strict?.instructionCaches === undefined) return;
  for (const cache of strict.instructionCaches) cache.drop(physical);
  const start = memory.hostOffset(physical - physical % LINE_SIZE as PhysicalAddress, LINE_SIZE);
  if (start >= 0) memory.codeObserver?.written(start, LINE_SIZE);
}

/** Below a hypervisor that translates, invalidating is cleaning as well (Arm ARM HCR_EL2.VM, DC, SWIO). */
function isCleaningForced(cpu: Cpu, isBySet: boolean): boolean {
  const has = (bit: number): boolean => hypervisorBit(cpu, bit);
  return cpu.el === 1 && (has(VM) || has(DC) || (isBySet && has(SWIO)));
}

/** Operations of DC by address, by name. */
// deno-fmt-ignore
const BY_ADDRESS: Readonly<Record<string, DataCacheOperation>> = {
  "dc ivac": DATA.invalidate, "dc cvac": DATA.clean, "dc cvau": DATA.cleanToUnification,
  "dc civac": DATA.cleanAndInvalidate, "dc cvap": DATA.clean, "dc cvadp": DATA.clean,
};

/** Operations of DC by set and way, by name. */
// deno-fmt-ignore
const BY_SET: Readonly<Record<string, readonly DataCacheOperation[]>> = {
  "dc isw": DATA.bySet.invalidate, "dc csw": DATA.bySet.clean, "dc cisw": DATA.bySet.cleanAndInvalidate,
};

/** DC by address, translated already. */
export function maintainDataLine(cpu: Cpu, name: string, physical: number): void {
  const cache = cpu.surroundings.strict?.dataCacheFor(cpu.index);
  const operation = BY_ADDRESS[name];
  if (cache === undefined || operation === undefined) return;
  cache.maintain(
    physical,
    name === "dc ivac" && isCleaningForced(cpu, false) ? DATA.cleanAndInvalidate : operation,
  );
}

/** Bit of the level, and of the first set, in the operand of DC by set and way. */
const LEVEL_SHIFT = 1n, SET_SHIFT = 6n;

/** DC by set and way: Level in bits 3–1, the set from the line's size up, the way at the top of 32 bits. */
export function maintainDataSet(cpu: Cpu, name: string, operand: bigint): void {
  const cache = cpu.surroundings.strict?.dataCacheFor(cpu.index);
  const level = Number(operand >> LEVEL_SHIFT & 7n);
  const shape = GEOMETRY[level];
  const rows = name === "dc isw" && isCleaningForced(cpu, true) ? BY_SET["dc cisw"] : BY_SET[name];
  const operation = rows?.[level];
  if (cache === undefined || shape === undefined || operation === undefined) return;
  const set = Number(BigInt.asUintN(32, operand) >> SET_SHIFT) % shape.sets;
  const way = Number(BigInt.asUintN(32, operand) >> (32n - BigInt(Math.clz32(1) - Math.clz32(shape.ways))));
  cache.maintainSet(level, set, way, operation);
}
