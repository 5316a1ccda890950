/** SVC of EL0 and ERET of EL1 where they only move registers: the same as take_exception.ts and exception_return.ts, quickly. */
import { EVENT_KINDS, type EventFields, type EventKind } from "../events.ts";
import { hasBit, HCR, hypervisorBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { isInterruptPending } from "./interrupts.ts";
import { areCountersOff } from "./performance_counters.ts";
import { enterExtensions, extensionState, PSTATE_BIT, restoreExtensionBits, setPan } from "./pstate.ts";
import { CPU_STATE_SIZE, OFFSET_SYSTEM, SLOT_DAIF, SLOT_NZCV, SLOT_PC, SLOT_SP } from "./registers.ts";
import { syndromeOf } from "./syndrome.ts";
import { INDEX, type StoredRegister } from "./system_register_index.ts";
import { isEl2Enabled } from "./translation_regime.ts";

const MDSCR_SS = 0;
/** Vector of synchronous exceptions from a lower level in AArch64, and where tables of vectors are aligned. */
const VECTOR = 0x400, VECTOR_BASE = ~0x7ff;
/** SPSR_EL1: M with M[4], and IL. */
const MODE = 31, IL = 1 << 20;
/** Values of M: EL0, EL1 with SP_EL0, EL1 with SP_EL1. */
const EL0T = 0, EL1T = 4, EL1H = 5;

/** Index of the low half of a register in the halves of a CPU's state. */
const half = (register: StoredRegister): number => OFFSET_SYSTEM / 4 + INDEX[register] * 2;

const ELR = half("ELR_EL1"), SPSR = half("SPSR_EL1"), ESR = half("ESR_EL1"), VBAR = half("VBAR_EL1");
const SP_EL0 = half("SP_EL0"), SP_EL1 = half("SP_EL1");
const PC = SLOT_PC * 2, SP = SLOT_SP * 2, NZCV = SLOT_NZCV * 2, DAIF = SLOT_DAIF * 2;

/** Where fields are in the words of an event. */
function wordsOf<K extends EventKind>(kind: K): Readonly<Record<keyof EventFields<K>, number>> {
  return Object.fromEntries(Object.keys(EVENT_KINDS[kind].fields).map((name, at) => [name, at * 2])) as never;
}

const TAKEN = wordsOf("exceptionTaken"), RETURNED = wordsOf("exceptionReturned");

/** Such exceptions of one CPU. */
export class PlainExceptions {
  /** The CPU's state in halves. */
  readonly #halves: Uint32Array<ArrayBuffer>;

  /** Words of the events: what is not written again is 0, of a synchronous exception from EL0 to EL1, or a return from EL1. */
  readonly #taken = new Uint32Array(2 * Object.keys(TAKEN).length);
  readonly #returned = new Uint32Array(2 * Object.keys(RETURNED).length);

  /** Nothing happens yet. */
  constructor(private readonly cpu: Cpu) {
    const { memory } = cpu.surroundings.memory;
    const offset = cpu.index * CPU_STATE_SIZE;
    this.#taken[TAKEN.to] = 1;
    this.#returned[RETURNED.from] = 1;
    this.#halves = new Uint32Array(memory.buffer as ArrayBuffer, offset, CPU_STATE_SIZE / 4);
  }

  /**
   * True at EL0 and EL1 while nobody else has a part in exceptions between them: no interrupt waits to be unmasked,
   * nothing counts or steps instructions, EL2 takes none of it, no one listens to details. Constant until a burst ends.
   */
  arePlain(): boolean {
    const { cpu } = this, { strict, events, overflow } = cpu.surroundings;
    if (cpu.el > 1 || strict !== undefined || events.wantsDetails || cpu.armed !== undefined) return false;
    if (cpu.monitors[1] !== undefined || hasBit(cpu, "MDSCR_EL1", MDSCR_SS)) return false;
    if (!areCountersOff(cpu) || cpu.overflowSignalled || cpu.samplesInstructions) return false;
    if (overflow !== undefined && overflow.alarm.deadline !== Infinity) return false;
    if (isEl2Enabled(cpu) && (hypervisorBit(cpu, HCR.TGE) || cpu.registers.system[INDEX.HFGITR_EL2] !== 0n)) {
      return false;
    }
    return !isInterruptPending(cpu);
  }

  /** The present step is an SVC at the PC given in halves; false, and nothing has happened, if it is not from EL0. */
  supervisorCall(imm16: number, low: number, high: number): boolean {
    const { cpu } = this, h = this.#halves;
    if (cpu.el !== 0 || cpu.spSel !== 0 || cpu.singleStep || cpu.stepStarted) return false;
    const state = this.#state();
    const next = (low + 4) >>> 0;
    h[ELR] = next;
    h[ELR + 1] = next === 0 ? high + 1 : high;
    h[SPSR] = state;
    h[SPSR + 1] = 0;
    h[ESR] = syndromeOf("supervisorCall", imm16);
    h[ESR + 1] = 0;
    this.#select(1, 1);
    enterExtensions(cpu, 1);
    h[DAIF] = 15;
    h[PC] = ((h[VBAR] as number) & VECTOR_BASE) + VECTOR;
    h[PC + 1] = h[VBAR + 1] as number;
    this.#emitTaken();
    return true;
  }

  /** The present step is an ERET; false, and nothing has happened, if it is not a legal one from EL1. */
  exceptionReturn(): boolean {
    const { cpu } = this, h = this.#halves;
    const spsr = h[SPSR] as number, mode = spsr & MODE;
    if (cpu.el !== 1 || cpu.singleStep || cpu.stepStarted || (spsr & IL) !== 0) return false;
    if (mode !== EL0T && mode !== EL1H && mode !== EL1T) return false;
    h[NZCV] = spsr >>> 28;
    h[DAIF] = spsr >>> 6 & 15;
    const fields = cpu.extensionFields;
    if (fields !== 0) {
      setPan(cpu, (spsr & fields & 1 << PSTATE_BIT.PAN) !== 0);
      restoreExtensionBits(cpu, spsr);
    }
    this.#select(mode === EL0T ? 0 : 1, mode === EL1H ? 1 : 0);
    h[PC] = h[ELR] as number;
    h[PC + 1] = h[ELR + 1] as number;
    if (cpu.monitor.open) cpu.monitor.clear("exceptionReturn");
    cpu.signalEvent("event");
    this.#emitReturned();
    return true;
  }

  #emitTaken(): void {
    const { cpu } = this, h = this.#halves, words = this.#taken;
    words[TAKEN.syndrome] = h[ESR] as number;
    words[TAKEN.returnAddress] = h[ELR] as number;
    words[TAKEN.returnAddress + 1] = h[ELR + 1] as number;
    words[TAKEN.savedState] = h[SPSR] as number;
    words[TAKEN.vector] = h[PC] as number;
    words[TAKEN.vector + 1] = h[PC + 1] as number;
    cpu.surroundings.events.emitWords("exceptionTaken", cpu.index, words);
  }

  #emitReturned(): void {
    const { cpu } = this, h = this.#halves, words = this.#returned;
    words[RETURNED.to] = cpu.el;
    words[RETURNED.address] = h[PC] as number;
    words[RETURNED.address + 1] = h[PC + 1] as number;
    words[RETURNED.state] = this.#state();
    cpu.surroundings.events.emitWords("exceptionReturned", cpu.index, words);
  }

  /** Bits 31–0 of the PC. */
  get targetLow(): number {
    return this.#halves[PC] as number;
  }

  /** Bits 63–32 of the PC. */
  get targetHigh(): number {
    return this.#halves[PC + 1] as number;
  }

  /** `savedState`, where nothing is stepped and PSTATE.IL is clear. */
  #state(): number {
    const { cpu } = this, h = this.#halves;
    const extensions = cpu.extensionFields === 0 ? 0 : extensionState(cpu);
    return ((h[NZCV] as number) << 28 | extensions | (h[DAIF] as number) << 6 | cpu.el << 2 | cpu.spSel) >>>
      0;
  }

  /** `selectStackPointer` of EL0 and EL1. */
  #select(el: ExceptionLevel, spSel: 0 | 1): void {
    const { cpu } = this, h = this.#halves;
    const before = cpu.spSel === 0 ? SP_EL0 : SP_EL1, after = spSel === 0 ? SP_EL0 : SP_EL1;
    cpu.el = el;
    cpu.spSel = spSel;
    h[before] = h[SP] as number;
    h[before + 1] = h[SP + 1] as number;
    h[SP] = h[after] as number;
    h[SP + 1] = h[after + 1] as number;
  }
}
