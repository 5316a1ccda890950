/**
 * dcc-hypercall (2): hypercalls from EL0 and EL1 by reads of a debug channel's status (US11169838B2, US20210224089A1).
 *
 * MDCR_EL2.TDA = 1 traps EL0's and EL1's accesses to debug registers (Arm ARM D13.3, MDCR_EL2): MRS of MDCCSR_EL0 comes
 * with exception class 0x18, and is a call if one of the monitor's systems says so. Any other is a read of the channel.
 * MDSCR_EL1.TDCC, which Linux sets, would send EL0's reads to EL1 before TDA is looked at. TDA traps MDSCR_EL1 too, so
 * the bit is kept here, beside the register: the guest reads what it wrote, EL0's reads come here, and those that call
 * nobody are injected to EL1 with the syndrome that they had. All other bits and debug registers are the guest's own,
 * so that its breakpoints and watchpoints act. With FEAT_FGT, MDCR_EL2.TDCC traps the channel alone, and HDFGRTR_EL2
 * and HDFGWTR_EL2 add MDSCR_EL1.
 */
import { hasFeature } from "../../../machine/a64/feature.ts";
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";
import { CPUS_MAX } from "../../../machine/devices/gic_interrupts.ts";
import { octets } from "../../../machine/devices/fixed_arrays.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { listOf, record } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { type Exit, systemAccessOf } from "../../exit.ts";
import { syndrome } from "../../injection.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import {
  type HypercallOutcome,
  type MonitorSystem,
  type SystemRow,
  systemRow,
  type TrappedRegister,
} from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { DebugConsoles } from "./console.ts";
import { CHANNEL_FIELDS } from "./debug_channel.ts";
import { type DccHypercallOptions, dccHypercallOptions } from "./options.ts";

const SLUG = "dcc-hypercall";

/** MDCR_EL2. */
const TDA = 1n << 9n, TDCC_EL2 = 1n << 27n;
/** MDSCR_EL1.TDCC. */
const TDCC = 1n << 12n;
/** HDFGRTR_EL2 and HDFGWTR_EL2: MDSCR_EL1. */
const FINE_MDSCR = 1n << 4n;

/** What MDSCR_EL1.TDCC keeps from EL0. */
const STATUS = encodingOfSystemRegister("MDCCSR_EL0");
const CHANNEL: ReadonlySet<number | undefined> = new Set(
  ["MDCCSR_EL0", "DBGDTR_EL0", "DBGDTRRX_EL0"].map(encodingOfSystemRegister),
);

const layout = sectionLayout("debug channel", 1, {
  hidden: octets(CPUS_MAX),
  channels: listOf(record(CHANNEL_FIELDS), CPUS_MAX),
});

/** The system in one monitor. */
export class DccHypercall implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    systemRegisterTrapped: (vcpu, exit) => this.#trapped(vcpu, exit),
  };
  readonly registers: readonly TrappedRegister[];
  /** MDSCR_EL1.TDCC as the guest wrote it, by CPU. */
  readonly #hidden = new Uint8Array(CPUS_MAX);
  readonly #consoles: DebugConsoles | undefined;

  /** `reset` must be called before it is used. */
  constructor(
    private readonly options: DccHypercallOptions,
    private readonly monitor: El2Monitor,
  ) {
    const { board, events } = monitor.site;
    if (options.tde) monitor.debug.use();
    if (options.console) this.#consoles = new DebugConsoles(board.configuration.cpus, events);
    this.registers = [
      ...options.shadow || options.console ? [this.#control()] : [],
      ...this.#consoles?.registers ?? [],
    ];
  }

  /** MDSCR_EL1, with what is kept here. */
  #control(): TrappedRegister {
    const kept = this.options.shadow ? TDCC : 0n;
    return {
      name: "MDSCR_EL1",
      read: (vcpu) => {
        const value = vcpu.get("MDSCR_EL1") | (this.isChannelKernels(vcpu) ? kept : 0n);
        return this.#consoles?.control(vcpu, value) ?? value;
      },
      write: (vcpu, value) => {
        this.#hidden[vcpu.index] = (value & kept) === 0n ? 0 : 1;
        vcpu.set("MDSCR_EL1", value & ~kept);
        this.#consoles?.written(vcpu, value);
      },
    };
  }

  /** The guest keeps the channel from its EL0, by the bit that is hidden here. */
  isChannelKernels({ index }: Vcpu): boolean {
    return this.#hidden[index] === 1;
  }

  reset(): void {
    this.#hidden.fill(0);
    this.#consoles?.reset();
  }

  started(vcpu: Vcpu): void {
    this.#hidden[vcpu.index] = 0;
    this.#consoles?.started(vcpu);
    if (this.options.trap === "tda") return vcpu.change("MDCR_EL2", TDA);
    vcpu.change("MDCR_EL2", TDCC_EL2);
    if (!this.options.shadow && !this.options.console) return;
    vcpu.change("HDFGRTR_EL2", FINE_MDSCR);
    vcpu.change("HDFGWTR_EL2", FINE_MDSCR);
  }

  #trapped(vcpu: Vcpu, exit: Exit): boolean {
    const { encoding, Rt, isRead } = systemAccessOf(exit);
    if (!CHANNEL.has(encoding)) return false;
    const isRefused = vcpu.level === 0 && this.isChannelKernels(vcpu);
    if (encoding === STATUS && isRead) {
      const tell = this.#teller(vcpu), outcome = this.monitor.hypercall(vcpu, "mrs");
      tell(outcome === "declined" && isRefused ? "refused" : outcome);
      if (outcome === "answered") {
        vcpu.setX(Rt, this.#consoles?.status(vcpu) ?? vcpu.get("MDCCSR_EL0"));
        vcpu.skip();
      }
      if (outcome !== "declined") return true;
    }
    if (!isRefused) return false;
    vcpu.inject({ syndrome: syndrome("systemRegisterTrapped", exit.iss) });
    return true;
  }

  /** Tells of a call as it came in, once it is known what became of it. */
  #teller(vcpu: Vcpu): (outcome: HypercallOutcome | "refused") => void {
    const { index, level } = vcpu, x = (n: number) => vcpu.x(n);
    const passed = { x0: x(0), x1: x(1), x2: x(2), x3: x(3), x4: x(4), x5: x(5), x6: x(6), x7: x(7) };
    return (outcome) =>
      this.monitor.site.events.emit("debugChannelTrapped", index, { level, outcome, ...passed });
  }

  prepareCommand(_vcpu: Vcpu, words: readonly string[]): () => void {
    if (this.#consoles !== undefined) return this.#consoles.prepare(words);
    throw new InputRefusedError("Cannot send to a debug channel: use --monitor el2:dcc-hypercall,console=on");
  }

  save(): Section {
    const channels = this.#consoles?.state ?? [];
    return layout.encode(this.monitor.sectionName(SLUG), { hidden: this.#hidden, channels });
  }

  restore(section: Section): void {
    const { hidden, channels } = layout.decode(section);
    this.#hidden.set(hidden);
    if (this.#consoles !== undefined) this.#consoles.state = channels;
  }
}

/** The row of the system. */
export const DCC_HYPERCALL: SystemRow = systemRow<DccHypercallOptions>({
  slug: SLUG,
  levels: [2],
  options: dccHypercallOptions,
  build(options, monitor) {
    if (!(monitor instanceof El2Monitor)) {
      throw new ConfigurationError("dcc-hypercall is for a monitor at EL2");
    }
    if (options.trap === "tdcc" && !hasFeature(monitor.site.board.configuration.cpuModel, "FGT")) {
      throw new ConfigurationError("dcc-hypercall: trap=tdcc needs FEAT_FGT; use -cpu max, or trap=tda");
    }
    return new DccHypercall(options, monitor);
  },
});
