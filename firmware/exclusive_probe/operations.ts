/** The operations that the probe puts between a load-exclusive and its store: reads of registers that may be trapped. */

/** One operation of the probe. */
export interface ProbeOperation {
  /** The exception level that carries it out. */
  readonly level: 0 | 1;
  /** The register that is read; undefined is the control, a NOP, which nothing can trap. */
  readonly register: string | undefined;
  /** Whether the operating system, not a hypervisor, carries it out anyway: it says nothing, and does not count. */
  readonly isKernels?: boolean;
}

/**
 * All operations, in the order in which the probe carries them out; the control of each level comes first there. An ID
 * register is UNDEFINED at EL0 (Arm ARM D17.3.1) and read for programs by the kernel (Linux,
 * Documentation/arm64/cpu-feature-registers.rst): the return from that clears the monitor on any machine.
 */
export const PROBE_OPERATIONS: readonly ProbeOperation[] = [
  { level: 1, register: undefined },
  { level: 1, register: "ID_AA64PFR0_EL1" },
  { level: 1, register: "ID_AA64MMFR1_EL1" },
  { level: 1, register: "CTR_EL0" },
  { level: 1, register: "ACTLR_EL1" },
  { level: 1, register: "CNTPCT_EL0" },
  { level: 1, register: "CNTVCT_EL0" },
  { level: 1, register: "MDCCSR_EL0" },
  { level: 0, register: undefined },
  { level: 0, register: "ID_AA64PFR0_EL1", isKernels: true },
  { level: 0, register: "CTR_EL0" },
  { level: 0, register: "CNTPCT_EL0" },
  { level: 0, register: "CNTVCT_EL0" },
  { level: 0, register: "MDCCSR_EL0" },
];

/** An operation as the probe prints it: `el1 CTR_EL0`. */
export function operationName({ level, register }: ProbeOperation): string {
  return `el${level} ${register ?? "NOP"}`;
}
