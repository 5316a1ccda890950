/** What a guest of the trampoline's VMM has of a GICv2 that the vmkernel owns: its interrupts, and no others (Arm IHI 0048B). */
import { type Board, boardRow } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { readDevice, writeDevice } from "../../../machine/cpu/device_access.ts";
import type { RegisterBus } from "../../mmio.ts";

/** The vmkernel's interrupts: EL1's physical timer is private; among the shared ones it has one. PPI 27 is the guest's. */
const GUEST_TIMER = 27, DOORBELL = 100, FIRST_SHARED = 32, FIRST_SPECIAL = 1020;
/** GICC_PMR while the guest runs, and while the vmkernel does, whose interrupts have priority 0x40. */
const GUEST_MASK = 0xf0, VMKERNEL_MASK = 0x80;
/** Priority of the guest's interrupts. */
const GUEST_PRIORITY = 0xa0;

/** Offsets in GICC, GICH and GICD. */
const PMR = 0x04, IAR = 0x0c, EOIR = 0x10, HPPIR = 0x18, DIR = 0x1000;
const ELRSR = 0x30, LIST_REGISTERS = 0x100;
const CTLR = 0x000, BITS = 0x100, BITS_END = 0x400, ISPENDR = 0x200, SGIR = 0xf00, FRAME = 0x1000;
const LR_HW = 1 << 31, LR_PENDING = 1 << 28;
/** Private interrupts of the guest: the virtual timer, and SGIs, which nobody sends. */
const PRIVATE = 1 << GUEST_TIMER | 0xffff;
const SGI_TO_OTHERS = 1, SGI_TO_SELF = 2;

/** Whose an interrupt is. */
export type Owner = "guest" | "vmkernel" | "none";

function ownerOf(interrupt: number): Owner {
  if (interrupt >= FIRST_SPECIAL) return "none";
  if (interrupt === GUEST_TIMER) return "guest";
  return interrupt < FIRST_SHARED || interrupt === DOORBELL ? "vmkernel" : "guest";
}

function maskOf(offset: number): number {
  const word = offset >> 2 & 31;
  if (word === 0) return PRIVATE;
  return word === DOORBELL >> 5 ? ~(1 << (DOORBELL & 31)) : ~0;
}

/** The distributor that the guest sees, and its share of the CPU interface. */
export class SharedInterrupts implements RegisterBus {
  /** The guest's GICD_CTLR. */
  control = 0;
  readonly #distributor: number;
  readonly #interface: number;
  readonly #virtual: number;

  /** Throws RangeError for a board without GICH. */
  constructor(board: Board) {
    this.#distributor = boardRow(board, "gicd").base;
    this.#interface = boardRow(board, "gicc").base;
    this.#virtual = boardRow(board, "gich").base;
  }

  #read(cpu: Cpu, address: number, size = 4): number {
    const value = readDevice(cpu, address, size, false);
    if (typeof value !== "bigint") throw new RangeError(`Cannot read the interrupt controller at ${address}`);
    return Number(value);
  }

  #write(cpu: Cpu, address: number, value: number): void {
    const fault = writeDevice(cpu, address, 4, BigInt(value >>> 0), false);
    if (fault !== undefined) throw new RangeError(`Cannot write the interrupt controller at ${address}`);
  }

  /** The guest's interrupts can come, or they wait while the vmkernel runs. */
  admit(cpu: Cpu, ofGuest: boolean): void {
    this.#write(cpu, this.#interface + PMR, ofGuest ? GUEST_MASK : VMKERNEL_MASK);
  }

  /** Room in the list registers; −1 for none. */
  #free(cpu: Cpu): number {
    const free = this.#read(cpu, this.#virtual + ELRSR);
    return free === 0 ? -1 : 31 - Math.clz32(free & -free);
  }

  #list(cpu: Cpu, index: number, entry: number): void {
    const value = entry | LR_PENDING | GUEST_PRIORITY << 20;
    this.#write(cpu, this.#virtual + LIST_REGISTERS + 4 * index, value);
  }

  /** An interrupt came: the guest's is handed on; the vmkernel's stays pending, and true says that it has to run. */
  take(cpu: Cpu): boolean {
    const first = ownerOf(this.#read(cpu, this.#interface + HPPIR) & 0x3ff);
    if (first !== "guest") return first === "vmkernel";
    const index = this.#free(cpu);
    if (index < 0) {
      this.admit(cpu, false); // until the next entry
      return false;
    }
    const acknowledged = this.#read(cpu, this.#interface + IAR), interrupt = acknowledged & 0x3ff;
    const owner = ownerOf(interrupt);
    if (owner === "none") return false;
    if (owner === "vmkernel") {
      // It came between the two reads: as if it had not been acknowledged; a level is pending again by itself.
      if (interrupt === DOORBELL) {
        this.#write(cpu, this.#distributor + ISPENDR + 4 * (DOORBELL >> 5), 1 << (DOORBELL & 31));
      }
      this.#write(cpu, this.#interface + EOIR, acknowledged);
      this.#write(cpu, this.#interface + DIR, acknowledged);
      return true;
    }
    this.#write(cpu, this.#interface + EOIR, acknowledged);
    this.#list(cpu, index, LR_HW | interrupt << 10 | interrupt);
    return false;
  }

  read(cpu: Cpu, address: number, size: number): bigint | undefined {
    const offset = address - this.#distributor;
    if (offset < 0 || offset >= FRAME) return undefined;
    if (offset === CTLR) return BigInt(this.control);
    const value = this.#read(cpu, address, size);
    const isBits = offset >= BITS && offset < BITS_END;
    return BigInt((isBits ? value & maskOf(offset) : value) >>> 0);
  }

  write(cpu: Cpu, address: number, _size: number, value: bigint): boolean {
    const offset = address - this.#distributor, word = Number(value & 0xffff_ffffn) | 0;
    if (offset < 0 || offset >= FRAME) return false;
    if (offset === CTLR) this.control = word >>> 0;
    else if (offset >= BITS && offset < BITS_END) this.#write(cpu, address, word & maskOf(offset));
    else if (offset === SGIR) this.#send(cpu, word);
    // Groups, priorities, targets and triggers are the vmkernel's.
    return true;
  }

  #send(cpu: Cpu, word: number): void {
    const filter = word >> 24 & 3;
    if (filter === SGI_TO_OTHERS || (filter !== SGI_TO_SELF && (word & 1 << 16) === 0)) return;
    const index = this.#free(cpu);
    if (index >= 0) this.#list(cpu, index, word & 15);
  }
}
