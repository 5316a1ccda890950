/** The register file: X, SP, PC, flags and V at fixed offsets of the machine's one memory, the same for all engines. */

/** Bytes reserved for each CPU's state at the start of the machine's memory. */
export const CPU_STATE_SIZE = 8192;

/** Slot that always reads zero: register 31 as a source. */
export const SLOT_ZERO = 31;
/** Slot that is never read: register 31 as a destination. */
export const SLOT_TRASH = 32;
/** Slot of the current stack pointer; the banked SP_ELx of other levels are system registers. */
export const SLOT_SP = 33;
/** Slot of the program counter. */
export const SLOT_PC = 34;
/** Slot of the flags: NZCV in bits 3–0 (lazy forms may be added beside it by faster engines). */
export const SLOT_NZCV = 35;
/** Slot of the interrupt masks: D, A, I, F in bits 3–0. */
export const SLOT_DAIF = 36;
/** Byte offset of V0 in a CPU's state; each V register has 16 bytes. */
export const OFFSET_V = 0x200;
/** Byte offset of system register storage, 8 bytes each, up to CPU_STATE_SIZE. */
export const OFFSET_SYSTEM = 0x400;
/** Number of system registers that fit. */
export const SYSTEM_SLOTS: number = (CPU_STATE_SIZE - OFFSET_SYSTEM) / 8;

/** A CPU's registers, as views of the machine's memory. */
export class Registers {
  /** X0–X30 and the slots above, by slot number. */
  readonly slots: BigUint64Array<ArrayBuffer>;
  /** V registers as 64-bit halves: V[n] is v[2n] (bits 63–0) and v[2n+1] (bits 127–64). */
  readonly v: BigUint64Array<ArrayBuffer>;
  /** System register storage, by index in the table of system registers. */
  readonly system: BigUint64Array<ArrayBuffer>;
  /** The same in halves: a register's low half is at twice its index. */
  readonly systemHalves: Uint32Array<ArrayBuffer>;
  /** Low halves of slots, at twice their numbers. */
  readonly #slotHalves: Uint32Array<ArrayBuffer>;

  /** Views the state block at `offset` of `buffer`. */
  constructor(buffer: ArrayBuffer, offset: number) {
    this.slots = new BigUint64Array(buffer, offset, 40);
    this.v = new BigUint64Array(buffer, offset + OFFSET_V, 64);
    this.system = new BigUint64Array(buffer, offset + OFFSET_SYSTEM, SYSTEM_SLOTS);
    this.systemHalves = new Uint32Array(buffer, offset + OFFSET_SYSTEM, SYSTEM_SLOTS * 2);
    this.#slotHalves = new Uint32Array(buffer, offset, 80);
  }

  /** The program counter. */
  get pc(): bigint {
    return this.slots[SLOT_PC] as bigint;
  }
  set pc(value: bigint) {
    this.slots[SLOT_PC] = value;
  }
  /** The current stack pointer. */
  get sp(): bigint {
    return this.slots[SLOT_SP] as bigint;
  }
  set sp(value: bigint) {
    this.slots[SLOT_SP] = value;
  }
  /** The flags N, Z, C, V in bits 3–0. */
  get nzcv(): number {
    return this.#slotHalves[SLOT_NZCV * 2] as number;
  }
  set nzcv(value: number) {
    this.#slotHalves[SLOT_NZCV * 2] = value;
  }
  /** The interrupt masks D, A, I, F in bits 3–0. */
  get daif(): number {
    return this.#slotHalves[SLOT_DAIF * 2] as number;
  }
  set daif(value: number) {
    this.#slotHalves[SLOT_DAIF * 2] = value;
  }
  /** X[n] for n in 0–30, zero for 31. */
  x(n: number): bigint {
    return n === 31 ? 0n : this.slots[n] as bigint;
  }
  /** Sets X[n]; 31 is discarded. */
  setX(n: number, value: bigint): void {
    if (n !== 31) this.slots[n] = value;
  }
}
