/** One processing element: its registers, PSTATE and pending state, and the context engines execute in. */
import type { Alarm, Clock } from "../clock.ts";
import type { EventHub } from "../events.ts";
import { type CpuModel, type Feature, hasFeature } from "../a64/feature.ts";
import type { HelperName } from "../ir/helpers.ts";
import type { Access, ExecutionContext } from "../ir/operations.ts";
import type { PhysicalMemory } from "../memory/physical.ts";
import type { ArmedEvents } from "./breakpoints.ts";
import type { Exception, ExceptionLevel } from "./exception.ts";
import type { GicCpuInterface } from "./gic_interface.ts";
import { ExclusiveMonitor } from "./exclusive_monitor.ts";
import { callHelper } from "./helpers.ts";
import * as memoryAccess from "./memory_access.ts";
import { isGuarded } from "./place.ts";
import { extensionFields, PSTATE_BIT } from "./pstate.ts";
import { CPU_STATE_SIZE, Registers } from "./registers.ts";
import type { StrictModels } from "./strict_models.ts";
import { INDEX } from "./system_register_index.ts";
import type { CpuTimer } from "./timer.ts";
import type { CpuWatches } from "./watches.ts";
import { Tlb, TLB_SIZE } from "../memory/tlb.ts";

/** What a CPU implements beyond Armv8.0-A, and which levels exist. */
export interface CpuFeatures {
  /** Name given to -cpu. */
  readonly model: CpuModel;
  /** EL2 exists (-M virt,virtualization=on). */
  readonly el2: boolean;
  /** EL3 exists (-M virt,secure=on). */
  readonly el3: boolean;
}

/** What the machine around a CPU does for it. */
export interface CpuSurroundings {
  /** Physical memory and devices. */
  readonly memory: PhysicalMemory;
  /** Virtual time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** All CPUs of the machine in order, for broadcasts. */
  readonly cpus: readonly Cpu[];
  /** Strict models, if there are any. */
  readonly strict?: StrictModels | undefined;
  /** The CPU's interface to a GICv3, if there is one: what the registers ICC and ICH are. */
  readonly gic?: GicCpuInterface | undefined;
  /** The performance monitors' overflow interrupt and the alarm that is due at an overflow; tests may do without. */
  readonly overflow?: { readonly line: { set(level: boolean): void }; readonly alarm: Alarm };
  /** Ends the run when an exception loops at its vector; undefined where that may go on. */
  readonly vectorLooped?: (() => void) | undefined;
  /** Answers an HVC or SMC as PSCI firmware; false when the instruction is not for it. */
  firmwareCall(cpu: Cpu, conduit: "hvc" | "smc"): boolean;
  /** Answers HLT #0xF000 as semihosting; false when semihosting is off. */
  semihostingCall(cpu: Cpu): boolean;
}

/** Software at EL2 or EL3 written in TypeScript (design: monitors); it takes the exceptions that target its level. */
export interface Monitor {
  /**
   * Handles an exception as part of the step that raised it: must leave PC, PSTATE and registers as after its return. With
   * false, what is at the vector is executed, as if there were no monitor.
   */
  handle(cpu: Cpu, exception: Exception): boolean | void;
}

/** Why a CPU is not executing. */
export type Waiting = "none" | "interrupt" | "event";

/** What an event for WFE comes from: SEV and whatever else software does, the timer's event stream, a monitor. */
export type EventSource = "event" | "eventStream" | "monitorCleared";

/** A processing element. */
export class Cpu implements ExecutionContext {
  /** Register file in the machine's memory. */
  readonly registers: Registers;
  /** Same slots as `registers.slots`, for operations. */
  readonly slots: BigUint64Array<ArrayBuffer>;
  /** Same halves as `registers.v`. */
  readonly v: BigUint64Array<ArrayBuffer>;
  /** Cached translations. */
  readonly tlb: Tlb;
  /** Local exclusive monitor. */
  readonly monitor: ExclusiveMonitor;
  /** TypeScript software installed at EL2 and EL3, by level. */
  readonly monitors: (Monitor | undefined)[] = [undefined, undefined, undefined, undefined];

  /** PSTATE.EL. */
  el: ExceptionLevel = 1;
  /** PSTATE.SP: 0 selects SP_EL0. */
  spSel: 0 | 1 = 1;
  /** PSTATE.IL. */
  illegal = false;
  /** PSTATE.SS. */
  singleStep = false;
  /** PSTATE.PAN; `setPan` sets it. */
  pan = false;
  /** PSTATE.UAO. */
  uao = false;
  /** PSTATE.DIT; nothing here takes time that depends on data. */
  dit = false;
  /** PSTATE.SSBS; nothing here is speculative. */
  ssbs = false;
  /** PSTATE.BTYPE of the next instruction, 0–3: how the last one branched; always 0 without FEAT_BTI. */
  branchType = 0;
  /** The instruction being executed is the one of a software step. */
  stepStarted = false;

  /** Breakpoints and watchpoints that may match, if there are any; `debugRegistersChanged` keeps it. */
  armed: ArmedEvents | undefined = undefined;

  /** Watch points of whoever runs the machine, if there are any: no part of the state. */
  watches: CpuWatches | undefined = undefined;

  /** Level of the performance monitors' overflow interrupt; follows from registers. */
  overflowSignalled = false;
  /** A counter of instructions raises an interrupt when it overflows; `planOverflow` keeps it. */
  samplesInstructions = false;

  /** Address of the next instruction; operations change it, the engine commits it. */
  nextPc = 0n;
  /** The exception raised by the present step, if any. */
  pending: Exception | undefined = undefined;

  /** The CPU is powered on. */
  on = false;
  /** What it waits for. */
  waiting: Waiting = "none";
  /** The event register of WFE. */
  eventRegister = false;
  /** What set the event register; "event" while it is clear. */
  eventSource: EventSource = "event";
  /** YIELD was executed: the turn ends after this step. */
  yielded = false;
  /** Interrupt inputs, driven by the interrupt controller. */
  irqLine = false;
  /** FIQ input. */
  fiqLine = false;
  /** An interrupt of Secure Group 1 of a GICv3: an IRQ for Secure software below EL3, an FIQ for others. */
  secureGroup1Line = false;
  /** One of Non-secure Group 1: an FIQ in Secure state, an IRQ in Non-secure state. */
  nonSecureGroup1Line = false;
  /** Virtual interrupt inputs, driven by the interrupt controller's virtual CPU interface. */
  virtualIrqLine = false;
  /** Virtual FIQ input. */
  virtualFiqLine = false;
  /** An asynchronous external abort waits to be taken; nothing on this board makes one yet. */
  serrorPending = false;

  /** Set by anything after which interrupts, the turn or the plan of a burst must be looked at again. */
  attention = false;

  /** Bits of SPSR_ELx that belong to extensions of the model (see pstate.ts). */
  readonly extensionFields: number;

  /** `index` is the CPU's number, its affinity 0 at QEMU's `virt`; the timer is the CPU's own. */
  constructor(
    readonly index: number,
    readonly features: CpuFeatures,
    readonly surroundings: CpuSurroundings,
    readonly timer: CpuTimer,
  ) {
    this.registers = new Registers(
      surroundings.memory.memory.buffer as ArrayBuffer,
      index * CPU_STATE_SIZE,
    );
    const { memory } = surroundings;
    this.tlb = new Tlb(memory.memory.buffer as ArrayBuffer, memory.reserveHost(TLB_SIZE));
    this.tlb.isQuick = surroundings.strict?.allowsQuickAccess !== false;
    this.extensionFields = extensionFields((feature) => this.implements(feature));
    this.slots = this.registers.slots;
    this.v = this.registers.v;
    this.daif = 15;
    this.monitor = new ExclusiveMonitor(this);
  }

  /** PSTATE.D, A, I, F in bits 3–0, kept with the registers, where generated code has them too. */
  get daif(): number {
    return this.registers.daif;
  }
  set daif(masks: number) {
    this.registers.daif = masks;
  }

  /** Address of the instruction being executed. */
  get pc(): bigint {
    return this.registers.pc;
  }

  /** FPCR. */
  get fpcr(): number {
    return Number(this.registers.system[INDEX.FPCR] as bigint);
  }

  /** Sets bits of FPSR. */
  accumulateFpsr(bits: number): void {
    const { system } = this.registers;
    system[INDEX.FPSR] = (system[INDEX.FPSR] as bigint) | BigInt(bits);
  }

  /** True when the model has an extension; its instructions are UNDEFINED otherwise. */
  implements(feature: Feature): boolean {
    return hasFeature(this.features.model, feature);
  }

  /** Makes an exception pending; the first one of a step stays. */
  raise(exception: Exception): void {
    this.pending ??= exception;
  }

  /** Sets the event register; the first source of an event is the one that is told. */
  signalEvent(source: EventSource): void {
    if (!this.eventRegister) this.eventSource = source;
    this.eventRegister = true;
  }

  /** Clears the event register; what had set it. */
  takeEvent(): EventSource {
    const source = this.eventSource;
    this.eventRegister = false;
    this.eventSource = "event";
    return source;
  }

  /** Reads memory as the present instruction (see memory_access.ts). */
  load(address: bigint, size: number, access: Access): bigint {
    return memoryAccess.load(this, address, size, access);
  }
  /** Writes memory as the present instruction. */
  store(address: bigint, size: number, value: bigint, access: Access): void {
    memoryAccess.store(this, address, size, value, access);
  }
  /** Load-exclusive. */
  loadExclusive(address: bigint, size: number, access: Access): bigint {
    return memoryAccess.loadExclusive(this, address, size, access);
  }
  /** Store-exclusive: 0n when written. */
  storeExclusive(address: bigint, size: number, value: bigint, access: Access): bigint {
    return memoryAccess.storeExclusive(this, address, size, value, access);
  }
  /** BTYPE for the next instruction; which one depends on whether this instruction is in a guarded page. */
  setBranchType(whenGuarded: number, otherwise: number): void {
    if ((this.extensionFields >> PSTATE_BIT.BTYPE & 3) === 0) return;
    this.branchType = whenGuarded !== otherwise && isGuarded(this) ? whenGuarded : otherwise;
  }
  /** Calls a helper (see helpers.ts). */
  helper(
    name: HelperName,
    immediates: readonly (number | bigint | string)[],
    a: bigint,
    b: bigint,
  ): bigint {
    return callHelper(this, name, immediates, a, b);
  }
}
