/**
 * What of its guest a monitor traps, switch by switch: exclusive-probe (US20190213095A1).
 *
 * The guest finds out by its exclusive monitor: every trap ends with an exception return, which clears it (Arm ARM B2.9.2).
 * Each word of `traps` sets, or clears, one bit of the monitor's level; the monitor then answers the accesses as it answers
 * all others, with the register's own value. With `stealth=on` it carries out what follows up to the store-exclusive itself.
 */
import { z } from "zod";
import { ConfigurationError } from "../../machine/errors.ts";
import type { TrapMonitor } from "../monitor.ts";
import { completeExclusive } from "../exclusive_forward.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../system.ts";
import type { Vcpu } from "../vcpu.ts";

/** One switch: the bits it changes. */
interface TrapSwitch {
  readonly register: string;
  readonly set?: bigint;
  readonly clear?: bigint;
}

/** The switches of each level, by name (Arm ARM D17.2, under the register). */
// deno-fmt-ignore
const SWITCHES: Readonly<Record<2 | 3, Readonly<Record<string, TrapSwitch>>>> = {
  2: {
    tid3:   { register: "HCR_EL2",     set: 1n << 18n },  // ID registers of group 3, at EL1
    tid2:   { register: "HCR_EL2",     set: 1n << 17n },  // CTR_EL0 and the cache ID registers
    tacr:   { register: "HCR_EL2",     set: 1n << 21n },  // ACTLR_EL1
    tda:    { register: "MDCR_EL2",    set: 1n << 9n },   // debug registers, the channel's status among them
    cntpct: { register: "CNTHCTL_EL2", clear: 1n << 0n }, // EL1PCTEN: the physical counter
    cntvct: { register: "CNTHCTL_EL2", set: 1n << 14n },  // EL1TVCT, with FEAT_ECV: the virtual counter
  },
  3: {
    ea:     { register: "SCR_EL3",     set: 1n << 3n },   // external aborts and SErrors: no register's access
    tda:    { register: "MDCR_EL3",    set: 1n << 9n },   // debug registers that EL2 does not trap
  },
};

/** The words of a text between plus signs; each at most once. */
const words = z.string().transform((text) => text === "" ? [] : text.split("+")).refine(
  (list) => new Set(list).size === list.length,
  "a switch is given twice",
);

const options = z.strictObject({
  traps: words.default([]),
  stealth: z.enum(["on", "off"], "stealth is on or off").default("off"),
});

/** Sets a monitor's switches, and where it is to go unnoticed, goes on for its guest up to the store. */
class ExclusiveProbe implements MonitorSystem {
  readonly slug = "exclusive-probe";
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    systemRegisterTrapped: (vcpu) => {
      this.#trappedAt = vcpu.returnAddress;
      return false;
    },
  };
  /** Where the present exit is a trapped access; within one handler run. */
  #trappedAt: bigint | undefined;

  constructor(
    private readonly switches: readonly TrapSwitch[],
    private readonly isStealthy: boolean,
    private readonly monitor: TrapMonitor,
  ) {}

  started(vcpu: Vcpu): void {
    for (const { register, set = 0n, clear = 0n } of this.switches) vcpu.change(register, set, clear);
  }

  returning(vcpu: Vcpu): void {
    const at = this.#trappedAt;
    this.#trappedAt = undefined;
    // Only behind an access that was answered: what was made an exception goes to its vector.
    if (!this.isStealthy || at === undefined || vcpu.returnAddress !== BigInt.asUintN(64, at + 4n)) return;
    const completed = completeExclusive(vcpu);
    if (completed === undefined) return;
    this.monitor.site.events.emit("exclusiveCompleted", vcpu.index, { ...completed });
  }
}

function switchesOf(names: readonly string[], { level }: TrapMonitor): TrapSwitch[] {
  const there = SWITCHES[level];
  return names.map((name) => {
    const found = Object.hasOwn(there, name) ? there[name] : undefined;
    if (found !== undefined) return found;
    throw new ConfigurationError(
      `exclusive-probe: there is no trap "${name}" at EL${level}: write traps=${
        Object.keys(there).join("+")
      }`,
    );
  });
}

/** The row. */
export const EXCLUSIVE_PROBE: SystemRow = systemRow<z.output<typeof options>>({
  slug: "exclusive-probe",
  levels: [2, 3],
  options: options as unknown as z.ZodType<z.output<typeof options>>,
  build: ({ traps, stealth }, monitor) =>
    new ExclusiveProbe(switchesOf(traps, monitor), stealth === "on", monitor),
});
