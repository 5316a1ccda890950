/** Raising synchronous exceptions and taking any exception (Arm ARM D1.10, D1.12). */
import { HCR, hypervisorBit, trapsGeneralExceptions } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { Exception, ExceptionLevel } from "./exception.ts";
import { advanceCounters, leaveStepOut, planOverflow } from "./performance_counters.ts";
import { enterExtensions, savedState, SPSR_SS } from "./pstate.ts";
import { selectStackPointer } from "./stack_pointer.ts";
import { pendingWrites, synchronizeContext } from "./strict_context.ts";
import { FLOATING_POINT_SYNDROME, syndromeOf } from "./syndrome.ts";
import { INDEX } from "./system_register_index.ts";

/** Offset of each kind of exception within its group of vectors. */
// deno-fmt-ignore
const KIND_OFFSET = { synchronous: 0x000, irq: 0x080, fiq: 0x100, serror: 0x180 } as const;

const VECTORS_SP0 = 0x000n, VECTORS_SPX = 0x200n, VECTORS_LOWER = 0x400n;
/** VBAR_ELx gives bits 63–11 of a vector's address. */
const VECTOR_BASE = ~0x7ffn;
/** HPFAR_EL2.FIPA starts at bit 4 and holds the address from bit 12 on. */
const FIPA_PAGE = 4096, FIPA_UNIT = 16;

interface BankedIndices {
  readonly elr: number;
  readonly spsr: number;
  readonly esr: number;
  readonly far: number;
  readonly vbar: number;
}

// deno-fmt-ignore
const BANKS: Readonly<Record<1 | 2 | 3, BankedIndices>> = {
  1: { elr: INDEX.ELR_EL1, spsr: INDEX.SPSR_EL1, esr: INDEX.ESR_EL1, far: INDEX.FAR_EL1, vbar: INDEX.VBAR_EL1 },
  2: { elr: INDEX.ELR_EL2, spsr: INDEX.SPSR_EL2, esr: INDEX.ESR_EL2, far: INDEX.FAR_EL2, vbar: INDEX.VBAR_EL2 },
  3: { elr: INDEX.ELR_EL3, spsr: INDEX.SPSR_EL3, esr: INDEX.ESR_EL3, far: INDEX.FAR_EL3, vbar: INDEX.VBAR_EL3 },
};

/** The level that takes an exception of the present instruction when nothing routes it elsewhere. */
export function generalTarget(cpu: Cpu): 1 | 2 | 3 {
  if (trapsGeneralExceptions(cpu)) return 2;
  return cpu.el === 0 ? 1 : cpu.el;
}

/** What a synchronous exception says beside its syndrome; the default return address is the present instruction. */
export interface SynchronousDetails {
  /** Preferred return address. */
  readonly returnAddress?: bigint;
  /** Value for FAR_ELx. */
  readonly faultAddress?: bigint;
}

/**
 * Makes a synchronous exception pending for `target`, or for EL2 where HCR_EL2.TGE takes what is for EL1; there the
 * trap of floating point has the syndrome of an unknown reason (Arm ARM D1.10).
 */
export function raiseSynchronous(
  cpu: Cpu,
  target: 1 | 2 | 3,
  syndrome: number,
  details: SynchronousDetails = {},
): void {
  const isMoved = target === 1 && trapsGeneralExceptions(cpu);
  cpu.raise({
    kind: "synchronous",
    target: isMoved ? 2 : target,
    syndrome: isMoved && syndrome === FLOATING_POINT_SYNDROME ? syndromeOf("unknown") : syndrome,
    returnAddress: cpu.pc,
    ...details,
  });
}

/** UNDEFINED: exception class 0. */
export function raiseUndefined(cpu: Cpu): void {
  raiseSynchronous(cpu, generalTarget(cpu), syndromeOf("unknown"));
}

/** An instruction while PSTATE.IL is 1; comes after aborts of its fetch and before anything it would do. */
export function raiseIllegalState(cpu: Cpu): void {
  raiseSynchronous(cpu, generalTarget(cpu), syndromeOf("illegalState"));
}

/** The exception of SP used as a base while misaligned, where checked. */
export function raiseSpAlignment(cpu: Cpu): void {
  raiseSynchronous(cpu, generalTarget(cpu), syndromeOf("spAlignment"));
}

function vectorOffset(cpu: Cpu, { kind, target }: Exception): bigint {
  const group = target > cpu.el ? VECTORS_LOWER : cpu.spSel === 1 ? VECTORS_SPX : VECTORS_SP0;
  return group + BigInt(KIND_OFFSET[kind]);
}

/** A physical SError is taken once; a virtual one (EL2 has the physical ones) clears HCR_EL2.VSE. */
function acknowledgeSerror(cpu: Cpu, target: number): void {
  if (target === 1 && hypervisorBit(cpu, HCR.AMO)) {
    const { system } = cpu.registers;
    system[INDEX.HCR_EL2] = (system[INDEX.HCR_EL2] as bigint) & ~(1n << BigInt(HCR.VSE));
  } else {
    cpu.serrorPending = false;
  }
}

/** A stepped instruction that is not to be executed again, such as SVC, leaves no step to do (Arm ARM D2.12). */
function isStepConsumed(cpu: Cpu, { kind, returnAddress }: Exception): boolean {
  return cpu.stepStarted && kind === "synchronous" && returnAddress !== cpu.pc;
}

/**
 * Taking the exception changes nothing: it comes from the instruction at its own vector, with registers as they are
 * already. Interrupts of the level are masked then, so that it will be taken for ever, unless another CPU, a device or
 * software at a higher level steps in.
 */
function isLoop(cpu: Cpu, exception: Exception, state: bigint, vector: bigint): boolean {
  const { kind, target, syndrome, returnAddress, faultAddress } = exception;
  const { system, pc } = cpu.registers, { elr, spsr, esr, far } = BANKS[target];
  return kind === "synchronous" && target === cpu.el && cpu.spSel === 1 && cpu.daif === 15 &&
    vector === returnAddress && pc === vector && system[elr] === vector && system[spsr] === state &&
    system[esr] === BigInt(syndrome) && (faultAddress === undefined || system[far] === faultAddress);
}

/** Writes the registers of the level that takes the exception. */
function saveContext(cpu: Cpu, exception: Exception, state: bigint): void {
  const { kind, target, syndrome, returnAddress, faultAddress, faultIpa } = exception;
  const { system } = cpu.registers;
  const bank = BANKS[target];
  system[bank.elr] = returnAddress;
  system[bank.spsr] = state;
  if (kind === "synchronous" || kind === "serror") system[bank.esr] = BigInt(syndrome);
  if (faultAddress !== undefined) system[bank.far] = faultAddress;
  if (faultIpa !== undefined && target === 2) {
    system[INDEX.HPFAR_EL2] = BigInt(Math.floor(faultIpa / FIPA_PAGE) * FIPA_UNIT);
  }
}

/**
 * Takes an exception: the step ends at its vector. Software installed at the target level as a monitor then handles
 * it and leaves the CPU where it returns to.
 */
export function takeException(cpu: Cpu, exception: Exception): void {
  const { kind, target, syndrome, returnAddress, faultAddress = 0n, faultIpa = 0 } = exception;
  const from: ExceptionLevel = cpu.el;
  advanceCounters(cpu);
  if (kind !== "synchronous" || returnAddress === cpu.pc) leaveStepOut(cpu);
  if (kind === "serror") acknowledgeSerror(cpu, target);
  const state = savedState(cpu) & ~(isStepConsumed(cpu, exception) ? SPSR_SS : 0n);
  const baseOf = () => (cpu.registers.system[BANKS[target].vbar] as bigint) & VECTOR_BASE;
  const base = baseOf();
  pendingWrites(cpu)?.check(cpu, baseOf);
  const vector = BigInt.asUintN(64, base + vectorOffset(cpu, exception));
  const { vectorLooped, events } = cpu.surroundings;
  const isLooping = vectorLooped !== undefined && isLoop(cpu, exception, state, vector);
  saveContext(cpu, exception, state);
  selectStackPointer(cpu, target, 1);
  enterExtensions(cpu, target);
  cpu.daif = 15;
  cpu.illegal = false;
  cpu.singleStep = false;
  cpu.stepStarted = false;
  cpu.waiting = "none";
  cpu.registers.pc = vector;
  cpu.attention = true;
  synchronizeContext(cpu);
  planOverflow(cpu);
  events.emit("exceptionTaken", cpu.index, {
    exception: kind,
    from,
    to: target,
    syndrome: BigInt(syndrome),
    faultAddress,
    faultIpa: BigInt(faultIpa),
    returnAddress,
    savedState: state,
    vector,
  });
  const monitor = cpu.monitors[target];
  const isHandled = monitor !== undefined && monitor.handle(cpu, exception) !== false;
  if (isLooping && !isHandled) {
    events.emit("vectorLoopDetected", cpu.index, {
      level: target,
      syndrome: BigInt(syndrome),
      faultAddress,
      vector,
    });
    vectorLooped();
  }
}
