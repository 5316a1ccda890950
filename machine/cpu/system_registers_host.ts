/** FEAT_VHE: EL1's registers seen from a host at EL2, where their own names lead to EL2's (Arm ARM D13.1.2). */
import { encodingOfSystemRegister } from "../a64/system_names.ts";
import type { Cpu } from "./cpu.ts";
import type { SystemRegister } from "./system_register_row.ts";
import { isHost } from "./translation_regime.ts";

/** Registers of EL1 and those of EL2 that a host at EL2 reaches by their encodings; timers are in their own rows. */
// deno-fmt-ignore
export const HOST_REGISTERS: readonly (readonly [of1: string, of2: string])[] = [
  ["SCTLR_EL1", "SCTLR_EL2"], ["CPACR_EL1", "CPTR_EL2"], ["TTBR0_EL1", "TTBR0_EL2"], ["TTBR1_EL1", "TTBR1_EL2"],
  ["TCR_EL1", "TCR_EL2"], ["AFSR0_EL1", "AFSR0_EL2"], ["AFSR1_EL1", "AFSR1_EL2"], ["ESR_EL1", "ESR_EL2"],
  ["FAR_EL1", "FAR_EL2"], ["MAIR_EL1", "MAIR_EL2"], ["AMAIR_EL1", "AMAIR_EL2"], ["VBAR_EL1", "VBAR_EL2"],
  ["CONTEXTIDR_EL1", "CONTEXTIDR_EL2"], ["CNTKCTL_EL1", "CNTHCTL_EL2"], ["SPSR_EL1", "SPSR_EL2"], ["ELR_EL1", "ELR_EL2"],
];

/** True at EL2 with HCR_EL2.E2H: encodings of EL1's registers are those of EL2's. */
export function isHostAccess(cpu: Cpu): boolean {
  return cpu.el === 2 && isHost(cpu);
}

function alias(row: SystemRegister, name: string): SystemRegister {
  const { index: _, reset: __, ...rest } = row;
  const encoding = encodingOfSystemRegister(name);
  if (encoding === undefined) throw new RangeError(`Cannot encode the system register ${name}`);
  return {
    ...rest,
    name,
    encoding,
    access: { read: 2, write: 2 },
    needs: "el2",
    feature: "VHE",
    isUndefined: (cpu) => !isHost(cpu),
  };
}

/** The rows of names in _EL12, which EL2 and EL3 have while HCR_EL2.E2H is 1. */
export function hostAliases(rows: readonly SystemRegister[]): SystemRegister[] {
  const named = (name: string) => rows.find((row) => row.name === name) as SystemRegister;
  return HOST_REGISTERS.map(([of1]) => alias(named(of1), `${of1}2`));
}
