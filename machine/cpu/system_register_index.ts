/** Where each stored system register lies in `cpu.registers.system`; imports nothing, so that everything may use it. */

/**
 * Names of stored registers by their Arm ARM spelling. The order is the layout of a CPU's state and of its
 * snapshot section, so a change here is a new version of that section.
 */
// deno-fmt-ignore
const STORED = [
  // Banked stack pointers; the selected one is live in slot 33 and stale here (see stack_pointer.ts).
  "SP_EL0", "SP_EL1", "SP_EL2", "SP_EL3",
  // Exceptions.
  "ELR_EL1", "ELR_EL2", "ELR_EL3",
  "SPSR_EL1", "SPSR_EL2", "SPSR_EL3", "SPSR_abt", "SPSR_und", "SPSR_irq", "SPSR_fiq",
  "ESR_EL1", "ESR_EL2", "ESR_EL3",
  "FAR_EL1", "FAR_EL2", "FAR_EL3", "HPFAR_EL2",
  "VBAR_EL1", "VBAR_EL2", "VBAR_EL3",
  // Translation.
  "SCTLR_EL1", "SCTLR_EL2", "SCTLR_EL3",
  "TCR_EL1", "TCR_EL2", "TCR_EL3", "VTCR_EL2",
  "TTBR0_EL1", "TTBR1_EL1", "TTBR0_EL2", "TTBR0_EL3", "VTTBR_EL2",
  "MAIR_EL1", "MAIR_EL2", "MAIR_EL3",
  "CONTEXTIDR_EL1", "PAR_EL1",
  // Control of other levels.
  "HCR_EL2", "SCR_EL3", "CPACR_EL1", "CPTR_EL2", "CPTR_EL3", "HSTR_EL2", "MDCR_EL2", "MDCR_EL3",
  "VPIDR_EL2", "VMPIDR_EL2",
  // Software thread identity.
  "TPIDR_EL0", "TPIDRRO_EL0", "TPIDR_EL1", "TPIDR_EL2", "TPIDR_EL3",
  // Caches.
  "CSSELR_EL1",
  // Timers; the rest of their state is the device's.
  "CNTFRQ_EL0", "CNTKCTL_EL1", "CNTHCTL_EL2",
  // Floating point.
  "FPCR", "FPSR",
  // AArch32 state that EL2 and EL3 see.
  "DACR32_EL2", "IFSR32_EL2", "FPEXC32_EL2", "SDER32_EL3",
  // Debug.
  "MDSCR_EL1", "MDCCINT_EL1", "OSLSR_EL1", "OSDLR_EL1", "OSECCR_EL1", "DBGPRCR_EL1", "DBGCLAIM_EL1", "DBGVCR32_EL2",
  "OSDTRRX_EL1", "OSDTRTX_EL1",
  "DBGBVR0_EL1", "DBGBVR1_EL1", "DBGBVR2_EL1", "DBGBVR3_EL1", "DBGBVR4_EL1", "DBGBVR5_EL1",
  "DBGBCR0_EL1", "DBGBCR1_EL1", "DBGBCR2_EL1", "DBGBCR3_EL1", "DBGBCR4_EL1", "DBGBCR5_EL1",
  "DBGWVR0_EL1", "DBGWVR1_EL1", "DBGWVR2_EL1", "DBGWVR3_EL1",
  "DBGWCR0_EL1", "DBGWCR1_EL1", "DBGWCR2_EL1", "DBGWCR3_EL1",
  // Performance monitors.
  "PMCR_EL0", "PMCNTENSET_EL0", "PMOVSSET_EL0", "PMSELR_EL0", "PMUSERENR_EL0", "PMINTENSET_EL1",
  "PMCCNTR_EL0", "PMCCFILTR_EL0",
  "PMEVCNTR0_EL0", "PMEVCNTR1_EL0", "PMEVCNTR2_EL0", "PMEVCNTR3_EL0", "PMEVCNTR4_EL0", "PMEVCNTR5_EL0",
  "PMEVTYPER0_EL0", "PMEVTYPER1_EL0", "PMEVTYPER2_EL0", "PMEVTYPER3_EL0", "PMEVTYPER4_EL0", "PMEVTYPER5_EL0",
  // Nanoseconds of virtual time up to which the counters above have counted; no register of the architecture.
  "PMU_ADVANCED_TO",
  // Virtualization Host Extensions, fine-grained traps, counter virtualization.
  "TTBR1_EL2", "CONTEXTIDR_EL2",
  "HFGRTR_EL2", "HFGWTR_EL2", "HFGITR_EL2", "HDFGRTR_EL2", "HDFGWTR_EL2",
  "CNTPOFF_EL2",
  // Instant up to which instructions are counted, all ones while other CPUs take the steps.
  "PMU_RETIRED_TO",
  // Keys of pointer authentication.
  "APIAKeyLo_EL1", "APIAKeyHi_EL1", "APIBKeyLo_EL1", "APIBKeyHi_EL1", "APDAKeyLo_EL1", "APDAKeyHi_EL1",
  "APDBKeyLo_EL1", "APDBKeyHi_EL1", "APGAKeyLo_EL1", "APGAKeyHi_EL1",
] as const;

/** Name of a system register that has storage. */
export type StoredRegister = (typeof STORED)[number];

/** The stored registers, in layout order. */
export const STORED_REGISTERS: readonly StoredRegister[] = STORED;

/** Index of a register in `cpu.registers.system`: `cpu.registers.system[INDEX.SCTLR_EL1]`. */
export const INDEX: Readonly<Record<StoredRegister, number>> = Object.fromEntries(
  STORED.map((name, index) => [name, index]),
) as Record<StoredRegister, number>;
