/** The software TLB: finished translations of virtual pages to bytes of the machine's memory. */

/** Cached translations of one CPU. */
export class Tlb {
  /** Forgets everything; results never depend on when. */
  drop(): void {}
}
