/** The physical interrupts of EL2: CNTHP's, the virtual timer's, the machine's line and the kick, acknowledged and ended. */
import { boardRow, PPI, PPI_BASE, SPI_BASE } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { HYPERVISOR_TIMER } from "../../hypervisor_timer.ts";
import { FIRST_SPECIAL, KICK_INTERRUPT, type PhysicalGic, physicalGic } from "../../physical_gic.ts";
import type { Vcpu } from "../../vcpu.ts";
import { NEVER, type OwnTime } from "./own_time.ts";

const VIRTUAL_TIMER: number = PPI_BASE + PPI.virtualTimer;

/** The physical interrupt controller as the hypervisor uses it. */
export class PhysicalInterrupts {
  /** The virtual timer's physical interrupt is enabled. */
  isTimerOpen = false;
  readonly #gic: PhysicalGic;

  /** `typed` takes what came on the machine's line; of the site only the board is used before the first call. */
  constructor(
    private readonly site: MonitorSite,
    private readonly time: OwnTime,
    private readonly typed: (cpu: Cpu) => void,
  ) {
    this.#gic = physicalGic(site.board);
  }

  /** For a CPU that starts: its first step is the kick's, so nothing is executed before somebody was chosen. */
  start(cpu: Cpu): void {
    this.#gic.start(cpu);
    this.#enable(cpu, HYPERVISOR_TIMER, true);
    this.kick(cpu);
  }

  #enable(cpu: Cpu, interrupt: number, isEnabled: boolean): void {
    const register = isEnabled ? "ISENABLER" : "ICENABLER";
    this.#gic.writeWord(cpu, cpu.index, register, interrupt >>> 5, 1 << (interrupt & 31));
  }

  /** Has the CPU come to EL2 in its next step. */
  kick(cpu: Cpu): void {
    this.#gic.kick(cpu, cpu.index);
  }

  /** Whether the virtual timer's physical interrupt is enabled: not while the virtual one is high. */
  openTimer(cpu: Cpu, isOpen: boolean): void {
    if (isOpen === this.isTimerOpen) return;
    this.isTimerOpen = isOpen;
    this.#enable(cpu, VIRTUAL_TIMER, isOpen);
  }

  /** Whether that of the machine's line is. */
  openLine(cpu: Cpu, isOpen: boolean): void {
    const { spi = 0 } = boardRow(this.site.board, "uart0");
    this.#enable(cpu, SPI_BASE + (spi ?? 0), isOpen);
  }

  /** Acknowledges all physical interrupts that there are. */
  drain(vcpu: Vcpu): void {
    const { cpu } = vcpu;
    for (;;) {
      const acknowledged = this.#gic.acknowledge(cpu), interrupt = acknowledged & 0x3ff;
      if (interrupt >= FIRST_SPECIAL) return;
      this.#gic.dropPriority(cpu, acknowledged);
      if (interrupt === HYPERVISOR_TIMER) this.time.program(vcpu, NEVER);
      else if (interrupt === VIRTUAL_TIMER) this.openTimer(cpu, false);
      else if (interrupt !== KICK_INTERRUPT) this.typed(cpu);
      this.#gic.deactivate(cpu, interrupt === KICK_INTERRUPT ? acknowledged : interrupt);
    }
  }
}
