/** What the board asks of an interrupt controller, whichever generation it is. */
import type { GicCpuInterface } from "../cpu/gic_interface.ts";
import type { MappedDevice } from "../memory/physical.ts";
import type { Section } from "../snapshot.ts";
import type { InterruptLine } from "./device.ts";
import type { LpiTarget } from "./gic_v3_lpi.ts";

/** A register frame of an interrupt controller, placed by the row of the board that has its name. */
export interface InterruptControllerFrame {
  /** What answers; its name is the row's. */
  readonly device: MappedDevice;
  /** Bytes that answer; what is left of the row meets nothing. */
  readonly size: number;
}

/** An interrupt controller of the Arm Generic Interrupt Controller architecture. */
export interface InterruptController {
  /** Name of the section. */
  readonly name: string;
  /** Register frames by their names. */
  readonly frames: readonly InterruptControllerFrame[];
  /** Where an ITS sends LPIs; undefined when the controller has none. */
  readonly lpis?: LpiTarget | undefined;
  /** What the system registers of each CPU reach; undefined when the controller has none. */
  readonly cpuInterfaces?: readonly GicCpuInterface[] | undefined;
  /** Whether there is an interrupt of this number. */
  hasInterrupt(interrupt: number): boolean;
  /** The input of a shared peripheral interrupt; `source` is what events name as its cause. */
  sharedLine(interrupt: number, source: string): InterruptLine;
  /** The input of a private peripheral interrupt of a CPU. */
  privateLine(cpu: number, interrupt: number, source: string): InterruptLine;
  /** Makes an interrupt pending on behalf of the operator; throws RangeError when there is no such one. */
  inject(interrupt: number, cpu?: number): void;
  /** Power-on state; `nonSecure` as Secure firmware hands it on. */
  reset(nonSecure?: boolean): void;
  /** The whole controller, inputs included. */
  save(): Section;
  /** Restores what `save` gave and drives the outputs. */
  restore(section: Section): void;
}
