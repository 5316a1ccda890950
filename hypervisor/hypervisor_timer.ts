/** EL2's physical timer, shared by systems: it fires at the first count that one of them waits for (Arm ARM D11.2.4, CNTHP_CVAL_EL2). */
import { PPI, PPI_BASE } from "../machine/board.ts";
import { CPUS_MAX } from "../machine/devices/gic_interrupts.ts";
import { listOf, record, text, u64, u8 } from "../machine/layout.ts";
import { type Section, sectionLayout } from "../machine/snapshot.ts";
import type { Vcpu } from "./vcpu.ts";
import type { VirtualGic } from "./virtual_gic.ts";

/** INTID of the timer. */
export const HYPERVISOR_TIMER: number = PPI_BASE + PPI.hypervisorTimer;

const ENABLE = 1n;
/** Systems of a monitor. */
const MOST_USERS = 32;

const layout = sectionLayout("hypervisor timer", 1, {
  deadlines: listOf(record({ user: text(32), cpu: u8, count: u64 }), MOST_USERS * CPUS_MAX),
});

/** The timer of each CPU. */
export class HypervisorTimer {
  /** What each user waits for, by CPU; users in the order in which they asked. */
  readonly #deadlines = new Map<string, Map<number, bigint>>();

  /** `gic` is the monitor's. */
  constructor(private readonly gic: VirtualGic) {}

  /** A system is going to use the timer: its interrupt is the monitor's. Before CPUs start. */
  use(user: string): void {
    this.#deadlines.set(user, new Map());
    this.gic.claim(HYPERVISOR_TIMER);
  }

  /** Somebody uses it. */
  get isUsed(): boolean {
    return this.#deadlines.size > 0;
  }

  /** A CPU starts: nobody waits for anything on it. */
  started(vcpu: Vcpu): void {
    if (!this.isUsed) return;
    for (const counts of this.#deadlines.values()) counts.delete(vcpu.index);
    this.gic.physical.writeWord(vcpu.cpu, vcpu.index, "ISENABLER", 0, 1 << HYPERVISOR_TIMER);
    this.#program(vcpu);
  }

  /** A user waits for a count of CNTPCT_EL0 on the CPU, or for none. Throws RangeError for who has not asked to use it. */
  set(vcpu: Vcpu, user: string, count: bigint | undefined): void {
    const counts = this.#deadlines.get(user);
    if (counts === undefined) {
      throw new RangeError(`Cannot set the timer: "${user}" has not asked to use it`);
    }
    if (count === undefined) counts.delete(vcpu.index);
    else counts.set(vcpu.index, BigInt.asUintN(64, count));
    this.#program(vcpu);
  }

  /** The users whose counts are reached; they wait for none any more, and the line is low. */
  take(vcpu: Vcpu): string[] {
    const now = vcpu.get("CNTPCT_EL0"), due: string[] = [];
    for (const [user, counts] of this.#deadlines) {
      const count = counts.get(vcpu.index);
      if (count === undefined || count > now) continue;
      counts.delete(vcpu.index);
      due.push(user);
    }
    this.#program(vcpu);
    return due;
  }

  #program(vcpu: Vcpu): void {
    let first: bigint | undefined;
    for (const counts of this.#deadlines.values()) {
      const count = counts.get(vcpu.index);
      if (count !== undefined && (first === undefined || count < first)) first = count;
    }
    if (first !== undefined) vcpu.set("CNTHP_CVAL_EL2", first);
    vcpu.set("CNTHP_CTL_EL2", first === undefined ? 0n : ENABLE);
  }

  /** Nobody waits for anything. */
  reset(): void {
    for (const counts of this.#deadlines.values()) counts.clear();
  }

  /** The section of this name, if anybody uses the timer. */
  save(name: string): Section[] {
    if (!this.isUsed) return [];
    const deadlines = [...this.#deadlines].flatMap(([user, counts]) =>
      [...counts].sort(([a], [b]) => a - b).map(([cpu, count]) => ({ user, cpu, count }))
    );
    return [layout.encode(name, { deadlines })];
  }

  /** Restores what `save` gave; throws RangeError for a user that there is not. */
  restore(name: string, section: (name: string) => Section): void {
    if (!this.isUsed) return;
    this.reset();
    for (const { user, cpu, count } of layout.decode(section(name)).deadlines) {
      const counts = this.#deadlines.get(user);
      if (counts === undefined) {
        throw new RangeError(`Cannot restore section "${name}": there is no system ${user}`);
      }
      counts.set(cpu, count);
    }
  }
}
