/** The least that instructions need to run: registers, flags and one window of memory, as Linux shows them at EL0. */
import { SLOT_NZCV, SLOT_PC, SLOT_SP } from "../../machine/cpu/registers.ts";
import type { HelperName } from "../../machine/ir/helpers.ts";
import {
  type Access,
  canFault,
  type ExecutionContext,
  type IrNode,
  OPERATIONS,
} from "../../machine/ir/operations.ts";
import {
  AT_FAULT,
  AT_FPSR,
  AT_NZCV,
  AT_SIGNAL,
  AT_V,
  AT_WINDOW,
  AT_WORDS,
  AT_X,
  SIGNALS,
  WINDOW,
  WINDOW_SIZE,
} from "./record.ts";

/** Linux lets the top byte of addresses in the lower half be anything (TCR_EL1.TBI0). */
export function untagged(address: bigint): bigint {
  return (address >> 55n & 1n) === 0n ? BigInt.asUintN(56, address) : address;
}

/** Linux's addresses have 48 bits (TCR_EL1.T0SZ, T1SZ); a code is above them and leaves a tag alone. */
function stripped(pointer: bigint): bigint {
  const isUpper = (pointer >> 55n & 1n) === 1n;
  const code = isUpper ? 0xffffn << 48n : 0xffn << 48n;
  return isUpper ? pointer | code : pointer & ~code;
}

/** Helpers that raise an exception. */
// deno-fmt-ignore
const RAISES: Partial<Record<HelperName, number>> = {
  undefinedInstruction: SIGNALS.undefined,
  hypervisorCall:       SIGNALS.undefined, // the calls and ERET are UNDEFINED at EL0
  secureMonitorCall:    SIGNALS.undefined,
  exceptionReturn:      SIGNALS.undefined,
  halt:                 SIGNALS.undefined, // halting debug is off
  breakpoint:           SIGNALS.breakpoint,
};

/** Helpers without an effect on what a record holds. */
const QUIET: ReadonlySet<HelperName> = new Set<HelperName>([
  "waitForInterrupt",
  "waitForEvent",
  "sendEvent",
  "sendEventLocal",
  "yieldProcessor",
  "dataBarrier",
  "instructionBarrier",
  "checkSpAlignment", // Linux sets SCTLR_EL1.SA0, QEMU checks nothing; records keep SP aligned where it matters
  "checkFpEnabled",
]);

/** Evaluates the IR of single instructions over a record's state. */
export class FlatCpu implements ExecutionContext {
  /** X, SP, PC and flags by slot. */
  readonly slots: BigUint64Array<ArrayBuffer> = new BigUint64Array(40);
  /** Halves of V registers. */
  readonly v: BigUint64Array<ArrayBuffer> = new BigUint64Array(64);
  /** Address of the next instruction. */
  nextPc = 0n;
  /** Programs of `qemu-aarch64` have no guarded pages. */
  setBranchType(): void {}
  /** Addresses and sizes of the accesses since `begin`, those that the monitor or a fault stopped included. */
  readonly accesses: { readonly address: bigint; readonly size: number }[] = [];
  readonly #window = new DataView(new ArrayBuffer(WINDOW_SIZE));
  readonly #windowWords = new BigUint64Array(this.#window.buffer);
  #fpsr = 0n;
  #signal = 0;
  #fault = 0n;
  #reservation: bigint | undefined;
  #values: bigint[] = [0n];

  /** Takes the state of a case; the PC is given. */
  begin(record: BigUint64Array, pc: bigint): void {
    this.slots.set(record.subarray(AT_X, AT_X + 31));
    this.slots[SLOT_SP] = record[AT_X + 31] as bigint;
    this.slots[SLOT_NZCV] = (record[AT_NZCV] as bigint) >> 28n;
    this.slots[SLOT_PC] = pc;
    this.v.set(record.subarray(AT_V, AT_V + 64));
    this.#windowWords.set(record.subarray(AT_WINDOW));
    this.#fpsr = record[AT_FPSR] as bigint;
    this.#signal = 0;
    this.#fault = 0n;
    this.#reservation = undefined;
    this.accesses.length = 0;
  }

  /** Executes one instruction; false when it faulted. */
  step(nodes: readonly IrNode[]): boolean {
    const pc = this.slots[SLOT_PC] as bigint, values = this.#values;
    this.nextPc = pc + 4n;
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index] as IrNode;
      const argument = (at: number) => values[(node.args[at] ?? -1) + 1] as bigint;
      values[index + 1] = OPERATIONS[node.op].evaluate(node, argument(0), argument(1), argument(2), this);
      if (this.#signal !== 0 && canFault(node)) return false;
    }
    this.slots[SLOT_PC] = untagged(this.nextPc);
    return true;
  }

  /** Writes the outcome. */
  finish(record: BigUint64Array): void {
    record[AT_WORDS] = this.slots[SLOT_PC] as bigint;
    record.set(this.slots.subarray(0, 31), AT_X);
    record[AT_X + 31] = this.slots[SLOT_SP] as bigint;
    record[AT_NZCV] = (this.slots[SLOT_NZCV] as bigint) << 28n;
    record[AT_FPSR] = this.#fpsr;
    record[AT_FAULT] = this.#fault;
    record[AT_SIGNAL] = BigInt(this.#signal);
    record.set(this.v, AT_V);
    record.set(this.#windowWords, AT_WINDOW);
  }

  /** The record keeps FPCR above FPSR. */
  get fpcr(): number {
    return Number(this.#fpsr >> 32n);
  }

  /** Sets bits of FPSR. */
  accumulateFpsr(bits: number): void {
    this.#fpsr |= BigInt(bits);
  }

  #raise(signal: number, address = 0n): bigint {
    this.#signal = signal;
    this.#fault = address;
    return 0n;
  }

  /** Offset in the window, or −1 with the fault raised. */
  #offset(tagged: bigint, size: number, access: Access): number {
    const address = untagged(tagged);
    this.accesses.push({ address, size });
    const isAligned = address % BigInt(size) === 0n;
    if (!isAligned && ["ordered", "exclusive", "atomic"].includes(access)) {
      this.#raise(SIGNALS.alignment, address);
      return -1;
    }
    const offset = address - WINDOW;
    if (offset >= 0n && offset <= BigInt(WINDOW_SIZE - size)) return Number(offset);
    this.#raise(SIGNALS.memory, address);
    return -1;
  }

  /** Reads the window. */
  load(address: bigint, size: number, access: Access): bigint {
    const offset = this.#offset(address, size, access);
    return offset < 0 ? 0n : this.#read(offset, size);
  }
  #read(offset: number, size: number): bigint {
    let value = 0n;
    for (let byte = size - 1; byte >= 0; byte--) {
      value = value << 8n | BigInt(this.#window.getUint8(offset + byte));
    }
    return value;
  }

  /** Writes the window. */
  store(address: bigint, size: number, value: bigint, access: Access): void {
    const offset = this.#offset(address, size, access);
    if (offset >= 0) this.#write(offset, size, value);
  }
  #write(offset: number, size: number, value: bigint): void {
    for (let byte = 0; byte < size; byte++) {
      this.#window.setUint8(offset + byte, Number(value & 255n));
      value >>= 8n;
    }
  }

  /** Reads the window and opens the monitor. */
  loadExclusive(address: bigint, size: number, access: Access): bigint {
    const offset = this.#offset(address, size, access);
    if (offset < 0) return 0n;
    this.#reservation = untagged(address);
    return this.#read(offset, size);
  }

  /** Writes when the monitor is open for the address; else nothing is checked. */
  storeExclusive(address: bigint, size: number, value: bigint, access: Access): bigint {
    const isOpen = this.#reservation === untagged(address);
    this.#reservation = undefined;
    if (!isOpen) {
      this.accesses.push({ address: untagged(address), size });
      return 1n;
    }
    this.store(address, size, value, access);
    return 0n;
  }

  /** Calls a helper; those that need a machine are refused. */
  helper(
    name: HelperName,
    _immediates: readonly (number | bigint | string)[],
    a: bigint,
    _b: bigint,
  ): bigint {
    const signal = RAISES[name];
    if (signal !== undefined) return this.#raise(signal);
    if (name === "clearExclusive") this.#reservation = undefined;
    else if (name === "stripPac") return stripped(a);
    else if (name === "readFpcr") return this.#fpsr >> 32n;
    else if (!QUIET.has(name)) {
      throw new Error(`Helper ${name} needs a machine: exclude the row that calls it`);
    }
    return 0n;
  }
}
