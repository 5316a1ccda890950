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
import type { TrapName } from "./system_register_traps.ts";
import { isSecureBelowEl3 } from "./translation_regime.ts";

const low32 = (value: bigint): number => Number(BigInt.asUintN(32, value));

/** TVAL, CTL and CVAL of one timer. */
function timer(
  prefix: string,
  suffix: string,
  name: CpuTimerName,
  access: AccessName,
  options: RowOptions,
): SystemRegister[] {
  const row = (field: string, read: (cpu: Cpu) => bigint, write: (cpu: Cpu, value: bigint) => void) =>
    computed(`${prefix}_${field}_${suffix}`, access, read, write, options);
  return [
    row(
      "TVAL",
      (cpu) => BigInt(cpu.timer.readTimerValue(name)),
      (cpu, value) => cpu.timer.writeTimerValue(name, low32(value)),
    ),
    row(
      "CTL",
      (cpu) => BigInt(cpu.timer.readControl(name)),
      (cpu, value) => cpu.timer.writeControl(name, low32(value)),
    ),
    row(
      "CVAL",
      (cpu) => cpu.timer.readCompareValue(name),
      (cpu, value) => cpu.timer.writeCompareValue(name, value),
    ),
  ];
}

/** EVNTEN, EVNTDIR and EVNTI of CNTKCTL_EL1 and CNTHCTL_EL2. */
function controlStream(name: "virtual" | "physical"): (cpu: Cpu, value: bigint) => void {
  return (cpu, value) => {
    const bits = low32(value);
    cpu.timer.setEventStream(name, (bits >> 2 & 1) === 1, bits >> 4 & 15, (bits >> 3 & 1) === 1);
  };
}

/** The secure timer is EL3's; EL1 has it in Secure state when SCR_EL3.ST allows. */
const SECURE_TIMER: RowOptions = {
  needs: "el3",
  traps: ["ST"],
  isUndefined: (cpu) => cpu.el === 2 || (cpu.el === 1 && !isSecureBelowEl3(cpu)),
};

const PHYSICAL = { traps: ["EL0PTEN", "EL1PCEN"] } as const satisfies { traps: readonly TrapName[] };
/** Counts per second of the system counter: one in 16 ns of virtual time. */
const COUNTER_FREQUENCY = 62_500_000n;
const RESET_CNTHCTL = 3n;

/** Generic timer registers. */
// deno-fmt-ignore
export const TIMER_REGISTERS: readonly SystemRegister[] = [
  stored("CNTFRQ_EL0", { read: 0, write: HIGHEST }, { reset: COUNTER_FREQUENCY, traps: ["EL0FRQ"] }),
  constant("CNTPCT_EL0", "EL0_RO", (cpu) => cpu.timer.count(), { traps: ["EL0PCTEN", "EL1PCTEN"] }),
  constant("CNTVCT_EL0", "EL0_RO", (cpu) => cpu.timer.virtualCount(), { traps: ["EL0VCTEN"] }),
  stored("CNTKCTL_EL1", "EL1_RW", { written: controlStream("virtual") }),
  stored("CNTHCTL_EL2", "EL2_RW", { reset: ({ features }) => (features.el2 ? RESET_CNTHCTL : 0n), written: controlStream("physical") }),
  computed("CNTVOFF_EL2", "EL2_RW", (cpu) => cpu.timer.virtualOffset, (cpu, value) => cpu.timer.setVirtualOffset(value)),
  ...timer("CNTP", "EL0", "physical", "EL0_RW", PHYSICAL),
  ...timer("CNTV", "EL0", "virtual", "EL0_RW", { traps: ["EL0VTEN"] }),
  ...timer("CNTHP", "EL2", "hypervisor", "EL2_RW", {}),
  ...timer("CNTPS", "EL1", "securePhysical", "EL1_RW", SECURE_TIMER),
];
