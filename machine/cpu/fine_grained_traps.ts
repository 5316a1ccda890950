/** FEAT_FGT: the registers whose bits send single system registers and instructions of EL1 and EL0 to EL2 (Arm ARM D13.2). */
import { encodingOfSystemRegister, SYSTEM_INSTRUCTIONS } from "../a64/system_names.ts";
import { hasBit, monitorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { INDEX, type StoredRegister } from "./system_register_index.ts";
import { isEl2Enabled, isInHost } from "./translation_regime.ts";

/** Which bit traps an access to something; undefined where none does. */
interface FineGrainedTrap {
  readonly bit: number;
  readonly read?: StoredRegister;
  readonly write?: StoredRegister;
}

/** What a bit is about: names joined by `+`. Bits that are not listed are about what does not exist here, and RES0. */
type Bits = Readonly<Record<number, string>>;

const numbered = (prefix: string, count: number, suffix: string): string =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}${suffix}`).join("+");

/** HFGRTR_EL2 and HFGWTR_EL2. */
// deno-fmt-ignore
const GENERAL: Bits = {
  0: "AFSR0_EL1", 1: "AFSR1_EL1", 2: "AIDR_EL1", 3: "AMAIR_EL1",
  4: "APDAKeyLo_EL1+APDAKeyHi_EL1", 5: "APDBKeyLo_EL1+APDBKeyHi_EL1", 6: "APGAKeyLo_EL1+APGAKeyHi_EL1",
  7: "APIAKeyLo_EL1+APIAKeyHi_EL1", 8: "APIBKeyLo_EL1+APIBKeyHi_EL1",
  9: "CCSIDR_EL1", 10: "CLIDR_EL1", 11: "CONTEXTIDR_EL1", 12: "CPACR_EL1", 13: "CSSELR_EL1", 14: "CTR_EL0", 15: "DCZID_EL0",
  16: "ESR_EL1", 17: "FAR_EL1", 18: "ISR_EL1", 24: "MAIR_EL1", 25: "MIDR_EL1", 26: "MPIDR_EL1", 27: "PAR_EL1",
  28: "REVIDR_EL1", 29: "SCTLR_EL1", 32: "TCR_EL1", 33: "TPIDR_EL1", 34: "TPIDRRO_EL0", 35: "TPIDR_EL0",
  36: "TTBR0_EL1", 37: "TTBR1_EL1", 38: "VBAR_EL1",
};
/** The same, where there is a GICv3. */
const GENERAL_GIC: Bits = { 39: "ICC_IGRPEN0_EL1+ICC_IGRPEN1_EL1" };
/** HDFGRTR_EL2 and HDFGWTR_EL2, the latter also with what is written only, or trapped only when written. */
// deno-fmt-ignore
const DEBUG: Bits = {
  0: numbered("DBGBCR", 6, "_EL1"), 1: numbered("DBGBVR", 6, "_EL1"), 2: numbered("DBGWCR", 4, "_EL1"), 3: numbered("DBGWVR", 4, "_EL1"),
  4: "MDSCR_EL1", 5: "DBGCLAIMSET_EL1+DBGCLAIMCLR_EL1", 6: "DBGAUTHSTATUS_EL1", 7: "DBGPRCR_EL1", 9: "OSLSR_EL1",
  10: "OSECCR_EL1", 11: "OSDLR_EL1", 12: `PMXEVCNTR_EL0+${numbered("PMEVCNTR", 6, "_EL0")}`,
  13: `PMXEVTYPER_EL0+${numbered("PMEVTYPER", 6, "_EL0")}`, 14: "PMCCFILTR_EL0", 15: "PMCCNTR_EL0",
  16: "PMCNTENSET_EL0+PMCNTENCLR_EL0", 17: "PMINTENSET_EL1+PMINTENCLR_EL1", 18: "PMOVSSET_EL0+PMOVSCLR_EL0", 19: "PMSELR_EL0",
  57: "PMUSERENR_EL0", 58: "PMCEID0_EL0+PMCEID1_EL0",
};
const DEBUG_WRITES: Bits = { 8: "OSLAR_EL1", 20: "PMSWINC_EL0", 21: "PMCR_EL0" };
/** What can only be read, so that its bit in the registers of writes is RES0. */
// deno-fmt-ignore
const READ_ONLY = new Set([
  "AIDR_EL1", "CCSIDR_EL1", "CLIDR_EL1", "CTR_EL0", "DCZID_EL0", "ISR_EL1", "MIDR_EL1", "MPIDR_EL1", "REVIDR_EL1",
  "DBGAUTHSTATUS_EL1", "OSLSR_EL1", "PMCEID0_EL0", "PMCEID1_EL0",
]);
/** HFGITR_EL2; bits 51 to 53 are ERET_TRAP, SVC_EL0_TRAP and SVC_EL1_TRAP. */
// deno-fmt-ignore
const INSTRUCTIONS: Bits = {
  0: "ic ialluis", 1: "ic iallu", 2: "ic ivau", 3: "dc ivac", 4: "dc isw", 5: "dc csw", 6: "dc cisw", 7: "dc cvau",
  8: "dc cvap", 9: "dc cvadp", 10: "dc civac", 11: "dc zva", 12: "at s1e1r", 13: "at s1e1w", 14: "at s1e0r", 15: "at s1e0w",
  16: "at s1e1rp", 17: "at s1e1wp", 28: "tlbi vmalle1is", 29: "tlbi vae1is", 30: "tlbi aside1is", 31: "tlbi vaae1is",
  32: "tlbi vale1is", 33: "tlbi vaale1is", 42: "tlbi vmalle1", 43: "tlbi vae1", 44: "tlbi aside1", 45: "tlbi vaae1",
  46: "tlbi vale1", 47: "tlbi vaale1", 54: "dc cvac",
};

const GIC_BITS = Object.keys(GENERAL_GIC).reduce((bits, bit) => bits | 1n << BigInt(bit), 0n);
const ERET_TRAP = 51, SVC_EL0_TRAP = 52, SVC_EL1_TRAP = 53;

const TRAPS = new Map<number, FineGrainedTrap>();
const masks: Partial<Record<StoredRegister, bigint>> = {
  HFGITR_EL2: 1n << BigInt(ERET_TRAP) | 1n << BigInt(SVC_EL0_TRAP) | 1n << BigInt(SVC_EL1_TRAP),
};

function encodingOf(name: string): number {
  const encoding = SYSTEM_INSTRUCTIONS[name]?.encoding ?? encodingOfSystemRegister(name);
  if (encoding === undefined) throw new RangeError(`Cannot trap "${name}": no such register or instruction`);
  return encoding;
}

function define(bits: Bits, read: StoredRegister | undefined, write: StoredRegister): void {
  for (const [key, names] of Object.entries(bits)) {
    const bit = Number(key);
    for (const name of names.split("+")) {
      const writes = READ_ONLY.has(name) ? undefined : write;
      TRAPS.set(encodingOf(name), { bit, ...(read && { read }), ...(writes && { write: writes }) });
      for (const register of [read, writes]) {
        if (register !== undefined) masks[register] = (masks[register] ?? 0n) | 1n << BigInt(bit);
      }
    }
  }
}

define(GENERAL, "HFGRTR_EL2", "HFGWTR_EL2");
define(GENERAL_GIC, "HFGRTR_EL2", "HFGWTR_EL2");
define(DEBUG, "HDFGRTR_EL2", "HDFGWTR_EL2");
define(DEBUG_WRITES, undefined, "HDFGWTR_EL2");
define(INSTRUCTIONS, undefined, "HFGITR_EL2");

/** The bits of a register of FEAT_FGT that trap something which exists; the others are RES0. */
export function fineGrainedBits(cpu: Cpu, register: StoredRegister): bigint {
  const bits = masks[register] ?? 0n;
  const isGeneral = register === "HFGRTR_EL2" || register === "HFGWTR_EL2";
  return isGeneral && cpu.surroundings.gic === undefined ? bits & ~GIC_BITS : bits;
}

/** Traps act below EL2, where EL2 is enabled, EL3 allows them, and EL0 is not the host's. */
function isActive(cpu: Cpu): boolean {
  if (cpu.el > 1 || !isEl2Enabled(cpu) || (cpu.features.el3 && !monitorBit(cpu, SCR.FGTEn))) return false;
  return !(cpu.el === 0 && isInHost(cpu));
}

const REGISTERS = Object.keys(masks) as StoredRegister[];

/** True when some bit of FEAT_FGT traps something at the present level. */
export function mayTrapFineGrained(cpu: Cpu): boolean {
  return isActive(cpu) && REGISTERS.some((register) => cpu.registers.system[INDEX[register]] !== 0n);
}

/** True when a bit of FEAT_FGT sends the access to EL2; `encoding` as `systemEncoding` has it, SYS being a write. */
export function isFineGrainedTrapped(cpu: Cpu, encoding: number, isRead: boolean): boolean {
  const trap = TRAPS.get(encoding);
  const register = isRead ? trap?.read : trap?.write;
  return trap !== undefined && register !== undefined && hasBit(cpu, register, trap.bit) && isActive(cpu);
}

/** True when HFGITR_EL2 sends SVC of the present level to EL2. */
export function isSupervisorCallTrapped(cpu: Cpu): boolean {
  return hasBit(cpu, "HFGITR_EL2", cpu.el === 0 ? SVC_EL0_TRAP : SVC_EL1_TRAP) && isActive(cpu);
}

/** True when HFGITR_EL2 sends ERET, ERETAA and ERETAB of EL1 to EL2. */
export function isExceptionReturnTrapped(cpu: Cpu): boolean {
  return cpu.el === 1 && hasBit(cpu, "HFGITR_EL2", ERET_TRAP) && isActive(cpu);
}
