/** What the consoles wait for, by the hypervisor's timer: the rest of an escape sequence, a terminal's answer, a new status. */
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Vcpu } from "../../vcpu.ts";

/** What is waited for. */
export const DEADLINES = ["escape", "identification", "refresh"] as const;
/** One of them. */
export type Deadline = (typeof DEADLINES)[number];

const none = (): Record<Deadline, bigint> => ({ escape: 0n, identification: 0n, refresh: 0n });

/** Deadlines in counts of CNTPCT_EL0; 0 for none. */
export class Deadlines {
  #counts = none();

  /** `user` is who the timer is used by, `handling` the CPU that is in the handler. */
  constructor(
    private readonly monitor: El2Monitor,
    private readonly user: string,
    private readonly handling: () => Vcpu,
  ) {}

  /** Waits for some milliseconds to go by, or no more. */
  wait(what: Deadline, milliseconds: number | undefined): void {
    if (milliseconds === undefined && this.#counts[what] === 0n) return;
    const vcpu = this.handling(), now = vcpu.get("CNTPCT_EL0");
    const counts = vcpu.get("CNTFRQ_EL0") * BigInt(milliseconds ?? 0) / 1000n;
    this.#counts[what] = milliseconds === undefined ? 0n : now + (counts > 0n ? counts : 1n);
    this.#program();
  }

  #program(): void {
    const counts = Object.values(this.#counts).filter((count) => count !== 0n);
    const first = counts.length === 0 ? undefined : counts.reduce((a, b) => a < b ? a : b);
    this.monitor.timer.set(this.handling(), this.user, first);
  }

  /** The timer fired: acts for each that is over. */
  due(act: (what: Deadline) => void): void {
    const now = this.handling().get("CNTPCT_EL0");
    for (const what of DEADLINES) {
      const deadline = this.#counts[what];
      if (deadline === 0n || deadline > now) continue;
      this.#counts[what] = 0n;
      act(what);
    }
    this.#program();
  }

  /** Nothing is waited for. */
  reset(): void {
    this.#counts = none();
  }

  /** In the order of DEADLINES. */
  save(): bigint[] {
    return DEADLINES.map((name) => this.#counts[name]);
  }

  /** Restores what `save` gave. */
  restore(counts: readonly bigint[]): void {
    for (const [index, name] of DEADLINES.entries()) this.#counts[name] = counts[index] ?? 0n;
  }
}
