/** What a system of the monitors is: hooks that a monitor calls, and the row by which a configuration names it. */
import type { z } from "zod";
import type { Exception } from "../machine/cpu/exception.ts";
import type { Board } from "../machine/board.ts";
import type { ExceptionClass } from "../machine/cpu/syndrome.ts";
import type { DeviceTreeNode } from "../machine/device_tree.ts";
import type { Section } from "../machine/snapshot.ts";
import type { Exit } from "./exit.ts";
import type { TrapMonitor } from "./monitor.ts";
import type { Vcpu } from "./vcpu.ts";

/** Handles an exit; false leaves it to the next system, and at last to the monitor. */
export type ExitHandler = (vcpu: Vcpu, exit: Exit) => boolean;

/** A system register whose trapped accesses somebody answers; an access of the other direction goes to the register itself. */
export interface TrappedRegister {
  /** Name in the Arm ARM. */
  readonly name: string;
  /** What MRS gives. */
  readonly read?: (vcpu: Vcpu) => bigint;
  /** What MSR does. */
  readonly write?: (vcpu: Vcpu, value: bigint) => void;
}

/** The instruction by which software below a monitor called it: MRS of MDCCSR_EL0, HVC, or BRK. */
export type HypercallTrigger = "mrs" | "hvc" | "brk";

/**
 * What became of a call: it was answered, and the guest goes on behind the instruction; the guest was made to take an
 * exception at it; or nobody knows the call.
 */
export type HypercallOutcome = "answered" | "injected" | "declined";

/** One system, enabled in one monitor. */
export interface MonitorSystem {
  /** Its name. */
  readonly slug: string;
  /** Power-on and reset, before any CPU starts. */
  reset?(): void;
  /** A CPU starts: sets what traps to the monitor's level. */
  started?(vcpu: Vcpu): void;
  /** Exits by exception class. */
  readonly exits?: Readonly<Partial<Record<ExceptionClass, ExitHandler>>>;
  /** Trapped registers. */
  readonly registers?: readonly TrappedRegister[];
  /**
   * Answers a call if it is this system's: arguments and results are in general registers, `vcpu.level` has the caller's
   * level, and ELR_ELx of the monitor's level is at the instruction, whatever the trigger. Must not go on behind it.
   */
  hypercall?(vcpu: Vcpu, trigger: HypercallTrigger): HypercallOutcome;
  /** A physical interrupt was acknowledged at the monitor's level; true when it is the system's own. */
  interrupt?(vcpu: Vcpu, interrupt: number): boolean;
  /** An interrupt or SError came to EL3, which acknowledges none; true when the system has dealt with it. */
  asynchronous?(vcpu: Vcpu, exception: Exception): boolean;
  /** After every exit, before the guest goes on. */
  returning?(vcpu: Vcpu): void;
  /** Checks an operator's command, split at spaces without the slug; throws InputRefusedError, or returns what does it. */
  prepareCommand?(vcpu: Vcpu, words: readonly string[]): () => void;
  /**
   * Checks a message from another machine, and returns what takes it; throws InputRefusedError. Undefined for a port
   * that is not the system's.
   */
  prepareMessage?(vcpu: Vcpu, port: string, bytes: Uint8Array): (() => void) | undefined;
  /** Checks an operator's time scale; throws InputRefusedError, or returns what applies it. */
  prepareTimeScale?(numerator: number, denominator: number): () => void;
  /** State of its own, in a section named `monitorN.SLUG`. */
  save?(): Section;
  /** Restores what `save` gave. */
  restore?(section: Section): void;
}

/** A system by name. */
export interface SystemRow<Options = unknown> {
  /** Its name. */
  readonly slug: string;
  /** The levels at which it can be. */
  readonly levels: readonly (2 | 3)[];
  /** What guests find as `compatible` of the device tree's node /hypervisor, where it is to be found so. */
  readonly brand?: string;
  /** Reads its options, which come as texts by name. */
  readonly options: z.ZodType<Options>;
  /** Adds to the device tree what guests are to find of it. */
  describe?(options: Options, board: Board, root: DeviceTreeNode): void;
  /** Enables it; throws ConfigurationError when the machine cannot have it. */
  build(options: Options, monitor: TrapMonitor): MonitorSystem;
}

/** A row, with the type of its options hidden. */
export function systemRow<Options>(row: SystemRow<Options>): SystemRow {
  return row as unknown as SystemRow;
}
