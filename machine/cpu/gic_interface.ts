/** What a CPU asks of its interface to a GICv3, which is in machine/devices/ (Arm IHI 0069, chapter 12). */

/** Registers of the physical CPU interface. */
// deno-fmt-ignore
export const ICC_REGISTERS = [
  "ICC_PMR_EL1", "ICC_IAR0_EL1", "ICC_EOIR0_EL1", "ICC_HPPIR0_EL1", "ICC_BPR0_EL1", "ICC_AP0R0_EL1", "ICC_AP1R0_EL1",
  "ICC_DIR_EL1", "ICC_RPR_EL1", "ICC_SGI1R_EL1", "ICC_ASGI1R_EL1", "ICC_SGI0R_EL1", "ICC_IAR1_EL1", "ICC_EOIR1_EL1",
  "ICC_HPPIR1_EL1", "ICC_BPR1_EL1", "ICC_CTLR_EL1", "ICC_IGRPEN0_EL1", "ICC_IGRPEN1_EL1", "ICC_CTLR_EL3", "ICC_IGRPEN1_EL3",
] as const;

/** Registers of the virtual CPU interface, which a guest reaches by the names of the physical one's. */
// deno-fmt-ignore
export const ICV_REGISTERS = [
  "ICV_PMR_EL1", "ICV_IAR0_EL1", "ICV_EOIR0_EL1", "ICV_HPPIR0_EL1", "ICV_BPR0_EL1", "ICV_AP0R0_EL1", "ICV_AP1R0_EL1",
  "ICV_DIR_EL1", "ICV_RPR_EL1", "ICV_IAR1_EL1", "ICV_EOIR1_EL1", "ICV_HPPIR1_EL1", "ICV_BPR1_EL1", "ICV_CTLR_EL1",
  "ICV_IGRPEN0_EL1", "ICV_IGRPEN1_EL1",
] as const;

/** Registers by which a hypervisor controls the virtual CPU interface. */
// deno-fmt-ignore
export const ICH_REGISTERS = [
  "ICH_AP0R0_EL2", "ICH_AP1R0_EL2", "ICH_HCR_EL2", "ICH_VTR_EL2", "ICH_MISR_EL2", "ICH_EISR_EL2", "ICH_ELRSR_EL2",
  "ICH_VMCR_EL2", "ICH_LR0_EL2", "ICH_LR1_EL2", "ICH_LR2_EL2", "ICH_LR3_EL2",
] as const;

/** Name of a register of a GICv3's CPU interface. */
export type GicRegister = (typeof ICC_REGISTERS | typeof ICV_REGISTERS | typeof ICH_REGISTERS)[number];

/** Who makes an access: what the interface shows depends on it. */
export interface GicAccess {
  /** Exception level, 1–3. */
  readonly level: number;
  /** Secure state: EL3, or a level below it while SCR_EL3.NS is 0. */
  readonly secure: boolean;
  /** SCR_EL3.NS is 0: EL3 and Secure EL1 use the Secure copies of registers. */
  readonly secureBank: boolean;
  /** FIQs go to EL3. */
  readonly fiqToMonitor: boolean;
  /** IRQs go to EL3. */
  readonly irqToMonitor: boolean;
  /** FIQs go to EL2. */
  readonly fiqToHypervisor: boolean;
  /** IRQs go to EL2. */
  readonly irqToHypervisor: boolean;
}

/** A CPU's interface to a GICv3. */
export interface GicCpuInterface {
  /** ICH_HCR_EL2, whose bits trap accesses of EL1. */
  readonly hypervisorControl: number;
  /** Reads a register; those that acknowledge do it. */
  read(register: GicRegister, access: GicAccess): bigint;
  /** Writes a register. */
  write(register: GicRegister, value: bigint, access: GicAccess): void;
  /** Back to the CPU's reset state; what the CPU does not have, such as pending interrupts, stays. */
  reset(): void;
}
