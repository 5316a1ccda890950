/** What an exception is before it is taken; taking, routing and returning are in the files beside this one. */

/** An exception level. */
export type ExceptionLevel = 0 | 1 | 2 | 3;

/** An exception that is pending in the present step: a value, never a host exception. */
export interface Exception {
  /** Selects the vector offset (Arm ARM D1.4.2). */
  readonly kind: "synchronous" | "irq" | "fiq" | "serror";
  /** Level it is taken to, after routing. */
  readonly target: 1 | 2 | 3;
  /** Value for ESR_ELx: EC in bits 31–26, IL in bit 25, ISS in bits 24–0; not written for irq and fiq. */
  readonly syndrome: number;
  /** Preferred return address, for ELR_ELx. */
  readonly returnAddress: bigint;
  /** Value for FAR_ELx, when the class defines one. */
  readonly faultAddress?: bigint;
  /** Faulting intermediate physical address, for HPFAR_EL2. */
  readonly faultIpa?: number;
}
