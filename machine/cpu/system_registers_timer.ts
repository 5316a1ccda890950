/** Registers of the generic timers (Arm ARM D13.8), in front of the CPU's timer device. */
import type { Cpu } from "./cpu.ts";
import {
  type AccessName,
  computed,
  constant,
  HIGHEST,
  type RowOptions,
  stored,
  type SystemRegister,
} from "./system_register_row.ts";
import type { CpuTimerName } from "./timer.ts";
import { physicalOffset, updatePhysicalOffset } from "./physical_offset.ts";
import { type TrapName, trapOf } from "./system_register_traps.ts";
import { isHost, isInHost, isSecureBelowEl3 } from "./translation_regime.ts";

const low32 = (value: bigint): number => Number(BigInt.asUintN(32, value));

/** The timer that a name leads to; a host's names for EL1's timers lead to EL2's. */
type TimerOf = (cpu: Cpu) => CpuTimerName;

/** At EL2 of a host and at EL0 of its applications names of EL1's timers lead to EL2's. */
function redirected(name: CpuTimerName, hosts: CpuTimerName): TimerOf {
  return (cpu) => (cpu.el === 2 && isHost(cpu)) || (cpu.el === 0 && isInHost(cpu)) ? hosts : name;
}

/** EL2 and EL3 see the timer values of EL1's physical timer without CNTPOFF_EL2. */
function offsetHere(cpu: Cpu, name: CpuTimerName): bigint {
  return name === "physical" && cpu.el >= 2 ? physicalOffset(cpu) : 0n;
}

/** TVAL, CTL and CVAL of one timer. */
function timer(
  prefix: string,
  suffix: string,
  of: TimerOf,
  access: AccessName,
  options: RowOptions,
): SystemRegister[] {
  const row = (field: string, read: (cpu: Cpu) => bigint, write: (cpu: Cpu, value: bigint) => void) =>
    computed(`${prefix}_${field}_${suffix}`, access, read, write, options);
  const writeTimerValue = (cpu: Cpu, value: bigint) => {
    const name = of(cpu), offset = offsetHere(cpu, name);
    if (offset === 0n) return cpu.timer.writeTimerValue(name, low32(value));
    cpu.timer.writeCompareValue(name, BigInt.asUintN(64, cpu.timer.count() + BigInt.asIntN(32, value)));
  };
  return [
    row(
      "TVAL",
      (cpu) => BigInt.asUintN(32, BigInt(cpu.timer.readTimerValue(of(cpu))) - offsetHere(cpu, of(cpu))),
      writeTimerValue,
    ),
    row(
      "CTL",
      (cpu) => BigInt(cpu.timer.readControl(of(cpu))),
      (cpu, value) => cpu.timer.writeControl(of(cpu), low32(value)),
    ),
    row(
      "CVAL",
      (cpu) => cpu.timer.readCompareValue(of(cpu)),
      (cpu, value) => cpu.timer.writeCompareValue(of(cpu), value),
    ),
  ];
}

/** A view of the system counter: CNTPCT_EL0 or CNTVCT_EL0. */
export type CounterView = "physical" | "virtual";

/** What a view at the present level is less than the system counter, modulo 2^64; constant until a burst ends. */
export function counterOffset(cpu: Cpu, view: CounterView): bigint {
  if (view === "physical") return cpu.el < 2 ? physicalOffset(cpu) : 0n;
  // A host and its applications see the physical count.
  const isHosts = (cpu.el === 2 && isHost(cpu)) || (cpu.el === 0 && isInHost(cpu));
  return isHosts ? 0n : cpu.timer.virtualOffset;
}

const COUNTER_TRAPS: Readonly<Record<CounterView, readonly TrapName[]>> = {
  physical: ["EL0PCTEN", "EL1PCTEN"],
  virtual: ["EL0VCTEN", "EL1TVCT"],
};

/** True when reads of a view trap at the present level by other than fine-grained traps; constant until a burst ends. */
export function isCounterTrapped(cpu: Cpu, view: CounterView): boolean {
  return trapOf(cpu, COUNTER_TRAPS[view], true) !== undefined;
}

/** A register that shows a view of the counter. */
function counter(name: string, view: CounterView, options: RowOptions = {}): SystemRegister {
  const read = (cpu: Cpu) => BigInt.asUintN(64, cpu.timer.count() - counterOffset(cpu, view));
  return constant(name, "EL0_RO", read, { traps: COUNTER_TRAPS[view], ...options });
}

/** EVNTIS with FEAT_ECV: EVNTI counts from bit 8 of the counter. */
const EVNTIS = 17, EVNTIS_SHIFT = 8;

/** EVNTEN, EVNTDIR, EVNTI and EVNTIS of CNTKCTL_EL1 and CNTHCTL_EL2. */
function controlStream(name: "virtual" | "physical"): (cpu: Cpu, value: bigint) => void {
  return (cpu, value) => {
    const bits = low32(value);
    const scale = cpu.implements("ECV") && (bits >> EVNTIS & 1) === 1 ? EVNTIS_SHIFT : 0;
    cpu.timer.setEventStream(name, (bits >> 2 & 1) === 1, (bits >> 4 & 15) + scale, (bits >> 3 & 1) === 1);
  };
}

/** The secure timer is EL3's; EL1 has it in Secure state when SCR_EL3.ST allows. */
const SECURE_TIMER: RowOptions = {
  needs: "el3",
  traps: ["ST"],
  isUndefined: (cpu) => cpu.el === 2 || (cpu.el === 1 && !isSecureBelowEl3(cpu)),
};

function controlHypervisor(cpu: Cpu, value: bigint): void {
  controlStream("physical")(cpu, value);
  updatePhysicalOffset(cpu);
}

/** Names that exist while HCR_EL2.E2H is 1. */
const HOST_ALIAS: RowOptions = { feature: "VHE", isUndefined: (cpu) => !isHost(cpu) };

const PHYSICAL = { traps: ["EL0PTEN", "EL1PCEN"] } as const satisfies { traps: readonly TrapName[] };
/** Counts per second of the system counter: one in 16 ns of virtual time. */
const COUNTER_FREQUENCY = 62_500_000n;
const RESET_CNTHCTL = 3n;

/** Generic timer registers. */
// deno-fmt-ignore
export const TIMER_REGISTERS: readonly SystemRegister[] = [
  stored("CNTFRQ_EL0", { read: 0, write: HIGHEST }, { reset: COUNTER_FREQUENCY, traps: ["EL0FRQ"] }),
  counter("CNTPCT_EL0", "physical"),
  counter("CNTVCT_EL0", "virtual"),
  counter("CNTPCTSS_EL0", "physical", { feature: "ECV" }),
  counter("CNTVCTSS_EL0", "virtual", { feature: "ECV" }),
  stored("CNTKCTL_EL1", "EL1_RW", { written: controlStream("virtual") }),
  stored("CNTHCTL_EL2", "EL2_RW", { reset: ({ features }) => (features.el2 ? RESET_CNTHCTL : 0n), written: controlHypervisor }),
  computed("CNTVOFF_EL2", "EL2_RW", (cpu) => cpu.timer.virtualOffset, (cpu, value) => cpu.timer.setVirtualOffset(value)),
  stored("CNTPOFF_EL2", "EL2_RW", { feature: "ECV", traps: ["ECVEn"], written: updatePhysicalOffset }),
  ...timer("CNTP", "EL0", redirected("physical", "hypervisor"), "EL0_RW", PHYSICAL),
  ...timer("CNTV", "EL0", redirected("virtual", "hypervisorVirtual"), "EL0_RW", { traps: ["EL0VTEN", "EL1TVT"] }),
  ...timer("CNTHP", "EL2", () => "hypervisor", "EL2_RW", {}),
  ...timer("CNTHV", "EL2", () => "hypervisorVirtual", "EL2_RW", { feature: "VHE" }),
  ...timer("CNTPS", "EL1", () => "securePhysical", "EL1_RW", SECURE_TIMER),
];

/** The timers of EL1 as a host at EL2, and EL3, see them by the names in _EL02. */
// deno-fmt-ignore
export const HOST_TIMER_REGISTERS: readonly SystemRegister[] = [
  ...timer("CNTP", "EL02", () => "physical", "EL2_RW", HOST_ALIAS),
  ...timer("CNTV", "EL02", () => "virtual", "EL2_RW", HOST_ALIAS),
];
