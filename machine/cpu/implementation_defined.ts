/** The table of choices: what the Arm ARM (DDI 0487, sections as in issue F) leaves to a CPU, what this one does, and what QEMU 7.2 does. */

/** One choice. */
export interface ArchitectureChoice {
  /** What is chosen. */
  readonly topic: string;
  /** Section of the Arm ARM that leaves it open, or that decides it where QEMU differs. */
  readonly section: string;
  /** How open it is; `decided` is not open at all, but QEMU 7.2 does something else. */
  readonly kind: "IMPLEMENTATION DEFINED" | "CONSTRAINED UNPREDICTABLE" | "UNKNOWN" | "decided";
  /** What this CPU does. */
  readonly choice: string;
  /** What QEMU 7.2 does; `same` when it is that. */
  readonly qemu: string;
}

type Kind = ArchitectureChoice["kind"];

/** A row; `qemu` only where QEMU does something else. */
export function choice(
  topic: string,
  section: string,
  kind: Kind,
  what: string,
  qemu = "same",
): ArchitectureChoice {
  return { topic, section, kind, choice: what, qemu };
}

const DEFINED = "IMPLEMENTATION DEFINED", UNPREDICTABLE = "CONSTRAINED UNPREDICTABLE", UNKNOWN = "UNKNOWN";

/** Every choice of the folder machine/cpu/ but those of memory accesses, which are in memory_choices.ts. */
// deno-fmt-ignore
export const ARCHITECTURE_CHOICES: readonly ArchitectureChoice[] = [
  // What exists.
  choice("AArch32", "D1.6", DEFINED, "at no level: HCR_EL2.RW and SCR_EL3.RW are RAO/WI, returns to AArch32 are illegal", "at every level"),
  choice("values of AArch32 ID registers", "D13.2, ID_PFR0_EL1", UNKNOWN, "QEMU's"),
  choice("DACR32_EL2, IFSR32_EL2, FPEXC32_EL2, DBGVCR32_EL2, SDER32_EL3, SPSR_abt/fiq/irq/und", "D13.2", UNKNOWN, "storage without effect, since firmware saves them without asking"),
  choice("RMR_ELx", "D13.2, RMR_EL1", DEFINED, "not there: accesses are UNDEFINED"),
  choice("ACTLR, AFSR, AMAIR of any level, HACR_EL2", "D13.2", DEFINED, "zero, writes ignored"),
  choice("registers of the Cortex-A57 (S3_1_C11_*, S3_1_C15_*)", "D12.3", DEFINED, "those of QEMU: read as QEMU's constants, writes ignored"),
  choice("registers that QEMU lacks: DBGCLAIM*, DBGAUTHSTATUS_EL1, DBGPRCR_EL1, OSECCR_EL1, OSDTR*_EL1, DBGDTR*_EL0", "D13.3", "decided", "there", "UNDEFINED"),
  choice("DBGAUTHSTATUS_EL1", "D13.3, DBGAUTHSTATUS_EL1", DEFINED, "debug of each state is implemented and disabled", "UNDEFINED"),
  choice("extensions of max", "A2.2", DEFINED, "those of machine/a64/feature.ts; ID registers say so", "more, and not FEAT_FGT and FEAT_ECV"),
  choice("ID registers of AArch32 on max", "D13.2, ID_PFR0_EL1", UNKNOWN, "those of cortex-a57", "its own"),
  choice("names in _EL12 and _EL02", "D13.1.2", "decided", "UNDEFINED while HCR_EL2.E2H is 0", "there at EL2 and EL3"),
  choice("interrupt of the EL2 virtual timer", "D11.2", DEFINED, "PPI 12, as the Base System Architecture has it", "not connected"),
  // Fields and reset values.
  choice("RES0 and RES1 bits that can be written", "Glossary", DEFINED, "QEMU's: storage unless the row in the table has a mask"),
  choice("registers whose reset value is UNKNOWN", "D1.9", UNKNOWN, "zero, or QEMU's value"),
  choice("CNTFRQ_EL0 at reset", "D13.8, CNTFRQ_EL0", UNKNOWN, "62.5 MHz"),
  choice("MPIDR_EL1", "D13.2, MPIDR_EL1", DEFINED, "affinity 0 is the CPU's number, bits 31 set and U clear"),
  choice("DBGBCRn_EL1.BAS as stored", "D13.3, DBGBCRn_EL1", UNPREDICTABLE, "bits 3 and 1 copy bits 2 and 0"),
  choice("DBGWVRn_EL1 bits 63–49", "D13.3, DBGWVRn_EL1", DEFINED, "storage"),
  choice("VBAR_ELx bits 10–5", "D13.2, VBAR_EL1", UNKNOWN, "storage; vectors are at bits 63–11", "storage that moves the vectors"),
  choice("RVBAR_ELx", "D13.2, RVBAR_EL1", DEFINED, "zero; the board chooses where a CPU starts"),
  choice("L1 and L2 caches (CTR_EL0, CLIDR_EL1, CCSIDR_EL1)", "D13.2, CTR_EL0", DEFINED, "QEMU's values; CCSIDR_EL1 of a level that is not there is zero"),
  // Traps and UNDEFINED accesses.
  choice("IMPLEMENTATION DEFINED encodings at EL0 with HCR_EL2.TIDCP", "D13.2, HCR_EL2", DEFINED, "UNDEFINED"),
  choice("IMPLEMENTATION DEFINED encodings at EL1 with HCR_EL2.TIDCP", "D13.2, HCR_EL2", "decided", "trap to EL2, unallocated ones too", "no trap of the A57's own"),
  choice("reserved ID registers with HCR_EL2.TID3", "D13.2, HCR_EL2", DEFINED, "trap to EL2"),
  choice("MDSCR_EL1.TDCC", "D13.3, MDSCR_EL1", "decided", "traps MDCCSR_EL0 and DBGDTR*_EL0 at EL0", "no effect"),
  choice("MDCR_EL2.TPMCR", "D13.3, MDCR_EL2", "decided", "traps PMCR_EL0", "no effect"),
  choice("MDCR_EL2.TPM and MDCR_EL3.TPM with PMUSERENR_EL0.{ER,CR,SW}", "D13.3, MDCR_EL2", "decided", "trap what PMUSERENR_EL0 allows", "no trap"),
  choice("MDCR_EL3.TDA", "D13.3, MDCR_EL3", "decided", "traps MDCR_EL2 too", "does not"),
  choice("CNTHCTL_EL2 at EL0", "D13.8, CNTHCTL_EL2", "decided", "EL1PCTEN traps CNTPCT_EL0", "EL1PCEN does"),
  choice("OSDLR_EL1 with TDOSA", "D13.3, MDCR_EL2", DEFINED, "traps"),
  choice("HCR_EL2.TSC without EL3", "D13.2, HCR_EL2", DEFINED, "traps SMC to EL2, before built-in firmware answers it"),
  choice("AT S1E2* at EL3 with SCR_EL3.NS = 0", "C5.4", "decided", "UNDEFINED"),
  choice("TLBI of EL2 at EL3 with SCR_EL3.NS = 0", "C5.5", UNPREDICTABLE, "executed"),
  choice("HVC at EL3", "C6.2, HVC", "decided", "taken to EL3", "taken to EL2"),
  choice("HVC at Secure EL1", "C6.2, HVC", "decided", "UNDEFINED", "taken to EL2"),
  choice("syndrome of MSR DAIFSet and DAIFClr trapped by SCTLR_EL1.UMA", "D13.2, ESR_EL1", "decided", "Op1 and Op2 in their places", "exchanged"),
  choice("event counters at or above MDCR_EL2.HPMN, at EL1 and EL0", "D13.4", UNPREDICTABLE, "PMEVCNTRn_EL0 and PMEVTYPERn_EL0 are accessible"),
  choice("PMSELR_EL0.SEL beyond the counters", "D13.4, PMSELR_EL0", UNPREDICTABLE, "PMXEVTYPER_EL0 and PMXEVCNTR_EL0 are RAZ/WI"),
  // Exceptions.
  choice("PSTATE.DIT on exception entry", "D1.10, AArch64.TakeException", "decided", "kept", "cleared"),
  choice("SPSR_ELx.BTYPE of exceptions that do not define it", "D1.10, AArch64.TakeException", UNPREDICTABLE, "PSTATE.BTYPE"),
  choice("PSTATE.PAN after an illegal exception return", "D1.11, SetPSTATEFromPSR", "decided", "that of SPSR_ELx", "kept"),
  choice("PSTATE.SSBS, BTYPE, UAO and DIT after an illegal exception return", "D1.11, SetPSTATEFromPSR", UNKNOWN, "kept"),
  choice("PSTATE.SSBS and DIT", "C5.2", DEFINED, "fields without effect: nothing is speculative or takes time that depends on data; 0 after reset"),
  choice("priority of interrupts", "D1.13", DEFINED, "FIQ, IRQ, SError, then virtual IRQ, FIQ, SError; software step after all of them"),
  choice("PSTATE.NZCV on exception entry", "D1.10", "decided", "kept", "cleared"),
  choice("FAR_ELx for exceptions that do not define it", "D13.2, FAR_EL1", UNKNOWN, "unchanged"),
  choice("ISS of an SError", "D13.2, ESR_EL1", DEFINED, "zero, IDS included"),
  choice("SP alignment checks", "D1.8", "decided", "done", "not done"),
  choice("WFI", "D1.17", DEFINED, "waits for a pending interrupt, masked or not; traps only when it would wait"),
  choice("WFE", "D1.17", DEFINED, "waits for an event or an unmasked interrupt; traps only when it would wait", "ends the turn, never traps"),
  choice("HLT", "C6.2, HLT", "decided", "#0xF000 above EL0 is semihosting when it is on; otherwise UNDEFINED"),
  choice("SMC and HVC as the board's PSCI conduit", "D1.16", DEFINED, "answered as QEMU's firmware does, before HCD, HCE or SMD make them UNDEFINED"),
  choice("CRm of SB, CFINV, AXFLAG and XAFLAG that is not zero", "C1.1.3", UNPREDICTABLE, "UNDEFINED"),
  // Pointer authentication.
  choice("algorithm of pointer authentication", "A2.2, FEAT_PACQARMA5 and FEAT_PACIMP", DEFINED, "QARMA5, or QEMU's hash with pauth-impdef=on; a failed authentication leaves an error code in the pointer"),
  choice("range of a pointer to be signed whose bits 63 and 55 differ", "J1.1, AddPAC", "decided", "by bit 55 with TBI for either range, else by bit 63", "extension by bit 55 with TBI for the range of bit 55, else by bit 63; size by bit 55"),
  choice("XPACD, XPACI and XPACLRI while no key is enabled", "C6.2, XPACD", "decided", "strip", "do nothing"),
  // Debug.
  choice("ISV of the software step exception after a stepped ERET", "D2.12.7, SoftwareStep_DidNotStep", UNPREDICTABLE, "1"),
  choice("software step of an instruction that sets PSTATE.D", "D2.12.3", "decided", "no exception: the state is inactive after it", "an exception"),
  choice("software step while the OS lock is set", "D2.12", "decided", "inactive", "active"),
  choice("reserved combinations of HMC, SSC and PMC or PAC", "D2.9.4, D2.10.3", UNPREDICTABLE, "act by their fields: SSC 1 and 3 Non-secure state, 2 Secure state, HMC the levels above EL1"),
  choice("DBGBCRn_EL1.BT that is reserved, or of a breakpoint that does not compare contexts", "D2.9, DBGBCRn_EL1", UNPREDICTABLE, "the breakpoint is disabled; so is what is linked to one that compares no context"),
  choice("DBGBCRn_EL1.BAS", "D13.3, DBGBCRn_EL1", UNPREDICTABLE, "a breakpoint matches if bit 0 is set"),
  choice("breakpoints on contexts alone and on virtual machines", "D2.9, AArch64.BreakpointValueMatch", "decided", "match", "never match"),
  choice("DBGWCRn_EL1.MASK of 1 or 2, beside BAS, or with address bits set", "D2.10, DBGWCRn_EL1", UNPREDICTABLE, "disabled; BAS ignored; those bits ignored"),
  choice("DBGWCRn_EL1.BAS with gaps", "D2.10, DBGWCRn_EL1", UNPREDICTABLE, "the bytes before the first gap"),
  choice("tags of addresses and watchpoints", "D2.10, AArch64.WatchpointByteMatch", "decided", "are not compared", "are compared"),
  choice("watchpoint of an atomic instruction", "D13.2, ESR_EL1, WnR", "decided", "WnR is 0 if a load would match"),
  choice("watchpoint of DC IVAC", "D2.10.4", "decided", "matches as a store", "never"),
  choice("store-exclusive that fails", "D2.10.4", DEFINED, "matches no watchpoint"),
  choice("FAR_ELx after a breakpoint exception", "D13.2, FAR_EL1", UNKNOWN, "zero"),
  choice("vector catch", "D2.11", "decided", "nothing to catch: AArch32 is not there"),
  choice("debug communications channel", "H4.1", DEFINED, "empty: MDCCSR_EL0 is zero, what is sent is gone"),
  // Performance monitors.
  choice("events", "D7.11", DEFINED, "SW_INCR, INST_RETIRED and CPU_CYCLES, at one cycle per nanosecond of virtual time, waiting included", "INST_RETIRED with -icount alone"),
  choice("INST_RETIRED", "D7.11", DEFINED, "the CPU's steps but for interrupts and for instructions that will be executed again; SVC, HVC and SMC count"),
  choice("overflow interrupt of the counters", "D7.5", DEFINED, "PPI 7, at the instant of the overflow; of EL2's counters while MDCR_EL2.HPME is 1", "while PMCR_EL0.E is 1"),
  // CPU interface of a GICv3; sections of Arm IHI 0069.
  choice("ICC_SRE_ELx", "IHI 0069, 12.2.24", DEFINED, "SRE, DFB, DIB and Enable are RAO/WI: there is no other way to the CPU interface"),
  choice("priorities of the CPU interface, physical and virtual", "IHI 0069, 4.8", DEFINED, "5 bits, all of which preempt; AP0Rn and AP1Rn from 1 on are UNDEFINED; 4 list registers"),
  choice("interrupts of one priority", "IHI 0069, 4.8", DEFINED, "the lowest number first, list registers in order"),
  choice("ends of interrupts out of order", "IHI 0069, 4.1.2", UNPREDICTABLE, "the most urgent active priority of the group drops; the interrupt that is named becomes inactive"),
  choice("Non-secure writes of ICC_AP1R0_EL1 where EL3 exists", "IHI 0069, 12.2.2", DEFINED, "priorities of the Non-secure half", "ignored"),
  choice("ICC_CTLR_EL3.EOImode_EL1S and CBPR_EL1S when read", "IHI 0069, 12.2.8", "decided", "those of Secure EL1", "those of Non-secure EL1"),
  choice("ICH_MISR_EL2.VGrp0D", "IHI 0069, 12.4.7", "decided", "goes by ICH_VMCR_EL2.VENG0", "goes by VENG1"),
  choice("RES0 bits of GICD_IROUTERn, GICR_PROPBASER, GICR_PENDBASER, ICH_LRn_EL2 and ICH_VMCR_EL2", "IHI 0069, 12.9.22", DEFINED, "zero", "storage"),
  choice("bits of HFGRTR_EL2 and HFGWTR_EL2 of ICC_IGRPENn_EL1", "D13.2, HFGRTR_EL2", "decided", "there with a GICv3"),
];
