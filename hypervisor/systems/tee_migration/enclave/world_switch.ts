/**
 * A CPU between Non-secure and Secure state: registers of EL1 and EL0 are the same ones in both, so the monitor puts one
 * world's away and the other's in place (Arm ARM D1.2, D13.2 SCR_EL3), and nothing of the one is left to the other.
 */
import { listOf, u64 } from "../../../../machine/layout.ts";
import type { Vcpu } from "../../../vcpu.ts";

/** What the Secure EL1&0 regime has registers in common with, and what EL0 of it can see. */
// deno-fmt-ignore
const REGISTERS: readonly string[] = [
  "ELR_EL3", "SPSR_EL3", "SCR_EL3", "MDCR_EL3",
  "SP_EL0", "SP_EL1", "ELR_EL1", "SPSR_EL1", "SCTLR_EL1", "CPACR_EL1", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1",
  "MAIR_EL1", "AMAIR_EL1", "VBAR_EL1", "ESR_EL1", "FAR_EL1", "AFSR0_EL1", "AFSR1_EL1", "CONTEXTIDR_EL1",
  "TPIDR_EL0", "TPIDRRO_EL0", "TPIDR_EL1", "PAR_EL1", "CNTKCTL_EL1", "MDSCR_EL1", "PMUSERENR_EL0", "FPCR", "FPSR",
];
/** Keys of pointer authentication. */
const KEYS: readonly string[] = ["APIA", "APIB", "APDA", "APDB", "APGA"].flatMap((
  key,
) => [`${key}KeyLo_EL1`, `${key}KeyHi_EL1`]);

/** SCR_EL3.NS; IRQ, FIQ and EA bring interrupts and SErrors to EL3. */
const NS = 1n, TO_EL3 = 7n << 1n;
/** MDCR_EL3.SDD: no debug exceptions of Secure state; SPME, which would let events be counted there. */
const SDD = 1n << 16n, SPME = 1n << 17n;
/** CPACR_EL1.FPEN: EL0 has floating point. */
const FPEN = 3n << 20n;

/** Layout of what is put away: X0 to X30, halves of V0 to V31, the registers. */
export const worldLayout = listOf(u64, 31 + 64 + REGISTERS.length + KEYS.length);

function namesOf({ cpu }: Vcpu): readonly string[] {
  return cpu.implements("PAuth") ? [...REGISTERS, ...KEYS] : REGISTERS;
}

/** Puts the Non-secure world of a CPU at EL3 away. */
export function putWorldAway(vcpu: Vcpu): bigint[] {
  const { registers } = vcpu.cpu;
  return [
    ...registers.slots.subarray(0, 31),
    ...registers.v,
    ...namesOf(vcpu).map((name) => vcpu.get(name)),
  ];
}

/** Brings it back: there is nothing left of what was there between. */
export function bringWorldBack(vcpu: Vcpu, world: readonly bigint[]): void {
  const { registers } = vcpu.cpu;
  for (let n = 0; n < 31; n++) registers.setX(n, world[n] as bigint);
  registers.v.set(world.slice(31, 95));
  for (const [at, name] of namesOf(vcpu).entries()) vcpu.set(name, world[95 + at] as bigint);
}

/** Has a CPU in Secure state with an enclave's translation and nothing of the Non-secure world's. */
export function enterSecureWorld(vcpu: Vcpu, translation: Readonly<Record<string, bigint>>): void {
  vcpu.change("SCR_EL3", TO_EL3, NS);
  vcpu.change("MDCR_EL3", SDD, SPME);
  for (const name of namesOf(vcpu)) if (!name.endsWith("_EL3")) vcpu.set(name, 0n);
  vcpu.set("CPACR_EL1", FPEN);
  for (const [name, value] of Object.entries(translation)) vcpu.set(name, value);
}

/** The CPU is in Secure state below EL3. */
export function isInSecureWorld(vcpu: Vcpu): boolean {
  return (vcpu.get("SCR_EL3") & NS) === 0n;
}
