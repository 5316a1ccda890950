/** What a CPU needs of its generic timers; the device that has them is in machine/devices/. */

import type { Section } from "../snapshot.ts";

/** A timer: EL1 physical, EL1 virtual, EL2 physical, EL3's secure physical, EL2 virtual (FEAT_VHE). */
export type CpuTimerName = "physical" | "virtual" | "hypervisor" | "securePhysical" | "hypervisorVirtual";

/** The counters, timers and event streams that system registers show (Arm ARM D11.2). */
export interface CpuTimer {
  /** CNTPCT_EL0. */
  count(): bigint;
  /** CNTVCT_EL0. */
  virtualCount(): bigint;
  /** CNTVOFF_EL2. */
  readonly virtualOffset: bigint;
  /** Sets CNTVOFF_EL2. */
  setVirtualOffset(offset: bigint): void;
  /** Sets what is taken from the physical count for the EL1 physical timer (FEAT_ECV). */
  setPhysicalOffset(offset: bigint): void;
  /** Reads a CTL register. */
  readControl(name: CpuTimerName): number;
  /** Writes a CTL register. */
  writeControl(name: CpuTimerName, value: number): void;
  /** Reads a CVAL register. */
  readCompareValue(name: CpuTimerName): bigint;
  /** Writes a CVAL register. */
  writeCompareValue(name: CpuTimerName, value: bigint): void;
  /** Reads a TVAL register, 32 bits unsigned. */
  readTimerValue(name: CpuTimerName): number;
  /** Writes a TVAL register, 32 bits. */
  writeTimerValue(name: CpuTimerName, value: number): void;
  /** Configures the event stream of CNTKCTL_EL1 (`virtual`) or CNTHCTL_EL2 (`physical`). */
  setEventStream(name: "virtual" | "physical", enabled: boolean, bit: number, fallingEdge: boolean): void;
  /** Asks for events of the streams while the CPU waits in WFE. */
  armEventStream(armed: boolean): void;
  /** Back to the reset state. */
  reset(): void;
  /** The timers' section. */
  save(): Section;
  /** Restores what `save` gave. */
  restore(section: Section): void;
}
