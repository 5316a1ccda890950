/** Locality-specific interrupts as an ITS sees them: what it asks of the redistributors (Arm IHI 0069, chapter 5). */

/** Number of the first LPI. */
export const LPI_BASE = 8192;

/** GICD_TYPER.IDbits + 1: interrupt numbers, those of LPIs included, have this many bits (QEMU 7.2). */
export const ID_BITS = 16;

/**
 * The redistributors of a GICv3. A CPU is its processor number, as collections name it with GITS_TYPER.PTA 0. LPIs
 * beyond what a redistributor's tables hold, and LPIs of one whose GICR_CTLR.EnableLPIs is 0, are ignored, as in
 * QEMU 7.2; so are CPUs that do not exist.
 */
export interface LpiTarget {
  /** Redistributors, 1–8. */
  readonly cpuCount: number;
  /** Makes an LPI (8192–65535) pending at a CPU, or no longer; `source` is what events name as its cause. */
  setPending(cpu: number, lpi: number, pending: boolean, source: string): void;
  /** INV and INVALL: what the configuration table says of an LPI, or of all, is read anew. */
  configurationChanged(cpu: number, lpi: number | "all"): void;
  /** MOVI: an LPI that is pending at one CPU becomes pending at another instead. */
  move(from: number, to: number, lpi: number, source: string): void;
  /** MOVALL: so do all of them, in order, until `isEnough` says after one that the rest waits; true when none does. */
  moveAll(from: number, to: number, source: string, isEnough: () => boolean): boolean;
}
