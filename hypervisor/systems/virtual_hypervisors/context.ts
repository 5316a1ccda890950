/**
 * All of a virtual CPU that is in the registers of a physical one while it runs: general and vector registers, PC and
 * PSTATE, every system register that EL1 and EL0 can reach without a trap, and the virtual timer (Arm ARM D1.7, D13.2).
 */
import { debugRegistersChanged } from "../../../machine/cpu/breakpoints.ts";
import { translationControlsChanged } from "../../../machine/cpu/memory_access.ts";
import { INDEX, STORED_REGISTERS, type StoredRegister } from "../../../machine/cpu/system_register_index.ts";
import { SYSTEM_REGISTER_TABLE } from "../../../machine/cpu/system_registers.ts";
import type { Vcpu } from "../../vcpu.ts";

/** Not a guest's: what EL2 and EL3 have, AArch32, counters that trap, and what is no register of the architecture. */
const OTHERS = /_EL[23]$|^SPSR_(abt|und|irq|fiq)$|^PM|^CNTFRQ_EL0$/;

/** Stored registers of EL1 and EL0, in the order of a CPU's section. */
export const GUEST_REGISTERS: readonly StoredRegister[] = STORED_REGISTERS.filter((name) =>
  !OTHERS.test(name)
);

const GENERAL = 31, VECTOR_HALVES = 64;
const VECTORS_AT = GENERAL, SYSTEM_AT: number = VECTORS_AT + VECTOR_HALVES;
const AFTER: number = SYSTEM_AT + GUEST_REGISTERS.length;
/** Places behind the registers. */
const PC: number = AFTER,
  STATE: number = AFTER + 1,
  TIMER_CONTROL: number = AFTER + 2,
  TIMER_COMPARE: number = AFTER + 3;

/** Doublewords of a context. */
export const CONTEXT_LENGTH: number = AFTER + 4;

const INDICES: readonly number[] = GUEST_REGISTERS.map((name) => INDEX[name]);

/** EL1 with its own stack pointer, D, A, I and F masked. */
export const STARTING_STATE = 0x3c5n;

/** A virtual CPU out of reset. */
export function startingContext(vcpu: Vcpu, pc: bigint, x0: bigint): BigUint64Array<ArrayBuffer> {
  const context = new BigUint64Array(CONTEXT_LENGTH);
  context[0] = x0;
  for (const { index, reset } of SYSTEM_REGISTER_TABLE) {
    const at = index === undefined ? -1 : INDICES.indexOf(index);
    if (at >= 0) context[SYSTEM_AT + at] = reset?.(vcpu.cpu) ?? 0n;
  }
  context[PC] = pc;
  context[STATE] = STARTING_STATE;
  return context;
}

/** Takes the context off a CPU that is at EL2 behind an exit; its virtual timer is quiet then. */
export function saveContext(vcpu: Vcpu): BigUint64Array<ArrayBuffer> {
  const context = new BigUint64Array(CONTEXT_LENGTH), { registers } = vcpu.cpu;
  context.set(registers.slots.subarray(0, GENERAL));
  context.set(registers.v, VECTORS_AT);
  for (const [at, index] of INDICES.entries()) context[SYSTEM_AT + at] = registers.system[index] as bigint;
  context[PC] = vcpu.returnAddress;
  context[STATE] = vcpu.savedState;
  context[TIMER_CONTROL] = vcpu.get("CNTV_CTL_EL0");
  context[TIMER_COMPARE] = vcpu.get("CNTV_CVAL_EL0");
  vcpu.set("CNTV_CTL_EL0", 0n);
  return context;
}

/** Puts a context on a CPU at EL2, which returns to it; CNTVOFF_EL2 is the virtual machine's by now. */
export function loadContext(vcpu: Vcpu, context: BigUint64Array<ArrayBuffer>): void {
  const { cpu } = vcpu, { registers } = cpu;
  for (let n = 0; n < GENERAL; n++) registers.setX(n, context[n] as bigint);
  registers.v.set(context.subarray(VECTORS_AT, SYSTEM_AT));
  for (const [at, index] of INDICES.entries()) registers.system[index] = context[SYSTEM_AT + at] as bigint;
  // What follows from registers elsewhere: the event stream, translations, breakpoints.
  vcpu.set("CNTKCTL_EL1", vcpu.get("CNTKCTL_EL1"));
  translationControlsChanged(cpu);
  debugRegistersChanged(cpu);
  vcpu.set("CNTV_CVAL_EL0", context[TIMER_COMPARE] as bigint);
  vcpu.set("CNTV_CTL_EL0", context[TIMER_CONTROL] as bigint);
  vcpu.returnAddress = context[PC] as bigint;
  vcpu.savedState = context[STATE] as bigint;
}

/** CNTV_CTL_EL0 and CNTV_CVAL_EL0 of a context. */
export function timerOf(
  context: BigUint64Array<ArrayBuffer>,
): { readonly control: bigint; readonly compare: bigint } {
  return { control: context[TIMER_CONTROL] as bigint, compare: context[TIMER_COMPARE] as bigint };
}
