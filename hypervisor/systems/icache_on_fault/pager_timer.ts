/** The pager's clock: EL2's physical timer of CPU 0, which fires every so many steps (Arm ARM D11.2, CNTHP_CVAL_EL2). */
import { PPI, PPI_BASE } from "../../../machine/board.ts";
import { COUNTER_FREQUENCY } from "../../../machine/devices/generic_timer.ts";
import type { VirtualGic } from "../../virtual_gic.ts";
import type { Vcpu } from "../../vcpu.ts";

/** INTID of the timer. */
export const PAGER_INTERRUPT: number = PPI_BASE + PPI.hypervisorTimer;

const NANOSECONDS_PER_COUNT = 1e9 / COUNTER_FREQUENCY;
const ENABLE = 1n;

/** Fires on CPU 0 alone. */
export class PagerTimer {
  readonly #counts: bigint;

  /** `nanoseconds` between two interrupts, rounded up to counts; 0 for none. */
  constructor(private readonly gic: VirtualGic, nanoseconds: number) {
    this.#counts = BigInt(Math.ceil(nanoseconds / NANOSECONDS_PER_COUNT));
    if (nanoseconds > 0) gic.claim(PAGER_INTERRUPT);
  }

  /** A CPU starts. */
  started(vcpu: Vcpu): void {
    if (vcpu.index !== 0 || this.#counts === 0n) return;
    this.gic.physical.writeWord(vcpu.cpu, vcpu.index, "ISENABLER", 0, 1 << PAGER_INTERRUPT);
    this.again(vcpu);
  }

  /** Sets the time of the next interrupt, which ends the present one. */
  again(vcpu: Vcpu): void {
    vcpu.set("CNTHP_CVAL_EL2", vcpu.get("CNTPCT_EL0") + this.#counts);
    vcpu.set("CNTHP_CTL_EL2", ENABLE);
  }
}
