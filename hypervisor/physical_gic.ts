/** The board's interrupt controller as a monitor at EL2 uses it: by its registers, from the CPU that handles (Arm IHI 0048B, IHI 0069). */
import { type Board, boardRow } from "../machine/board.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import { readDevice, writeDevice } from "../machine/cpu/device_access.ts";
import type { GicAccess, GicRegister } from "../machine/cpu/gic_interface.ts";
import { gicAccessOf } from "../machine/cpu/system_registers_gic.ts";

/** The SGI by which one CPU's monitor asks another's to look at the virtual interrupt controller. */
export const KICK_INTERRUPT = 0;

/** What GICC_IAR and ICC_IAR1_EL1 say when there is no interrupt for the CPU: 1020 to 1023. */
export const FIRST_SPECIAL = 1020;

/** The registers of interrupts that follow their virtual ones, one bit (GICD_ICFGR: two) for each. */
export type MirroredRegister = "ISENABLER" | "ICENABLER" | "ICFGR";

/** A GIC as the software that owns it drives it; every access is one that EL2 of `cpu` makes. */
export interface PhysicalGic {
  /** Enables the distributor for all and the CPU's own interface: ends in two steps, no priority masked. */
  start(cpu: Cpu): void;
  /** Acknowledges the most urgent interrupt: what the register gave, which names the sender of an SGI too. */
  acknowledge(cpu: Cpu): number;
  /** Drops the priority of an acknowledged interrupt, which stays active. */
  dropPriority(cpu: Cpu, acknowledged: number): void;
  /** Deactivates an interrupt whose priority was dropped. */
  deactivate(cpu: Cpu, interrupt: number): void;
  /** Sends the kick to another CPU. */
  kick(cpu: Cpu, target: number): void;
  /** Writes a word of a register of interrupts 32n to 32n+31 (ICFGR: 16n to 16n+15), private ones those of `owner`. */
  writeWord(cpu: Cpu, owner: number, register: MirroredRegister, n: number, value: number): void;
  /** Routes a shared interrupt: GICD_ITARGETSR or GICD_IROUTER. */
  route(cpu: Cpu, interrupt: number, route: number): void;
}

/** Offsets in the distributor, and in a redistributor's frame of private interrupts. */
// deno-fmt-ignore
const OFFSETS = { CTLR: 0x000, ISENABLER: 0x100, ICENABLER: 0x180, ITARGETSR: 0x800, ICFGR: 0xc00, SGIR: 0xf00, IROUTER: 0x6000 } as const;
/** All interrupts of a GICv2 without Security Extensions are in Group 0, of one with them in Group 1: EnableGrp0 or EnableGrp1. */
const ENABLE_V2 = 1;
const EOI_MODE_NON_SECURE = 1 << 9;

/** Bases of register frames. */
function frameBase(board: Board, name: string): number {
  return boardRow(board, name).base;
}

/** A write by EL2 of a register that every board with the frame has. */
function writeRegister(cpu: Cpu, address: number, size: number, value: number): void {
  const fault = writeDevice(cpu, address, size, BigInt(value >>> 0), false);
  if (fault !== undefined) throw new RangeError(`Cannot write the interrupt controller at ${address}`);
}

function readRegister(cpu: Cpu, address: number): number {
  const value = readDevice(cpu, address, 4, false);
  if (typeof value !== "bigint") throw new RangeError(`Cannot read the interrupt controller at ${address}`);
  return Number(value);
}

/** GICv2: GICD, and GICC of the CPU. */
class PhysicalGicV2 implements PhysicalGic {
  readonly #distributor: number;
  readonly #interface: number;

  constructor(board: Board) {
    this.#distributor = frameBase(board, "gicd");
    this.#interface = frameBase(board, "gicc");
  }

  start(cpu: Cpu): void {
    writeRegister(cpu, this.#distributor + OFFSETS.CTLR, 4, ENABLE_V2);
    writeRegister(cpu, this.#distributor + OFFSETS.ISENABLER, 4, 1 << KICK_INTERRUPT);
    writeRegister(cpu, this.#interface + 0x004, 4, 0xff);
    // EOImode is bit 9 in the only view without Security Extensions, and in the Non-secure one with them.
    writeRegister(cpu, this.#interface + 0x000, 4, EOI_MODE_NON_SECURE | 1);
  }

  acknowledge(cpu: Cpu): number {
    return readRegister(cpu, this.#interface + 0x00c);
  }

  dropPriority(cpu: Cpu, acknowledged: number): void {
    writeRegister(cpu, this.#interface + 0x010, 4, acknowledged);
  }

  deactivate(cpu: Cpu, interrupt: number): void {
    writeRegister(cpu, this.#interface + 0x1000, 4, interrupt);
  }

  kick(cpu: Cpu, target: number): void {
    writeRegister(cpu, this.#distributor + OFFSETS.SGIR, 4, 1 << (16 + target) | KICK_INTERRUPT);
  }

  writeWord(cpu: Cpu, _owner: number, register: MirroredRegister, n: number, value: number): void {
    writeRegister(cpu, this.#distributor + OFFSETS[register] + n * 4, 4, value);
  }

  route(cpu: Cpu, interrupt: number, route: number): void {
    writeRegister(cpu, this.#distributor + OFFSETS.ITARGETSR + interrupt, 1, route);
  }
}

/** Bytes of a redistributor, and its frame of private interrupts. */
const REDISTRIBUTOR_SIZE = 0x2_0000, PRIVATE_FRAME = 0x1_0000;
/** GICD_CTLR while there is one Security state: EnableGrp1, ARE. */
const ENABLE_V3 = 1 << 1 | 1 << 4;
const ICC_EOI_MODE = 2n;
/** All interrupts of the word in Group 1. */
const ALL = 0xffff_ffff;
const WORDS = 9;

/** GICv3: GICD, GICR and the ICC registers of the CPU; all interrupts in Group 1. */
class PhysicalGicV3 implements PhysicalGic {
  readonly #distributor: number;
  readonly #redistributors: number;

  constructor(board: Board) {
    this.#distributor = frameBase(board, "gicd");
    this.#redistributors = frameBase(board, "gicr");
  }

  #privateFrame(owner: number): number {
    return this.#redistributors + owner * REDISTRIBUTOR_SIZE + PRIVATE_FRAME;
  }

  #access(cpu: Cpu): GicAccess {
    return { ...gicAccessOf(cpu), level: 2 };
  }

  #write(cpu: Cpu, register: GicRegister, value: bigint): void {
    const { gic, events } = cpu.surroundings;
    events.emit("systemRegisterWritten", cpu.index, { register, value });
    gic?.write(register, value, this.#access(cpu));
  }

  start(cpu: Cpu): void {
    const frame = this.#privateFrame(cpu.index);
    for (let n = 1; n < WORDS; n++) writeRegister(cpu, this.#distributor + 0x080 + n * 4, 4, ALL);
    writeRegister(cpu, this.#distributor + OFFSETS.CTLR, 4, ENABLE_V3);
    writeRegister(cpu, this.#redistributors + cpu.index * REDISTRIBUTOR_SIZE + 0x14, 4, 0);
    writeRegister(cpu, frame + 0x080, 4, ALL);
    writeRegister(cpu, frame + OFFSETS.ISENABLER, 4, 1 << KICK_INTERRUPT);
    this.#write(cpu, "ICC_PMR_EL1", 0xffn);
    this.#write(cpu, "ICC_CTLR_EL1", ICC_EOI_MODE);
    this.#write(cpu, "ICC_IGRPEN1_EL1", 1n);
  }

  acknowledge(cpu: Cpu): number {
    const { gic } = cpu.surroundings;
    return Number(gic?.read("ICC_IAR1_EL1", this.#access(cpu)) ?? FIRST_SPECIAL);
  }

  dropPriority(cpu: Cpu, acknowledged: number): void {
    this.#write(cpu, "ICC_EOIR1_EL1", BigInt(acknowledged));
  }

  deactivate(cpu: Cpu, interrupt: number): void {
    this.#write(cpu, "ICC_DIR_EL1", BigInt(interrupt));
  }

  kick(cpu: Cpu, target: number): void {
    this.#write(cpu, "ICC_SGI1R_EL1", BigInt(KICK_INTERRUPT) << 24n | 1n << BigInt(target));
  }

  writeWord(cpu: Cpu, owner: number, register: MirroredRegister, n: number, value: number): void {
    const isPrivate = register === "ICFGR" ? n < 2 : n === 0;
    const frame = isPrivate ? this.#privateFrame(owner) : this.#distributor;
    writeRegister(cpu, frame + OFFSETS[register] + n * 4, 4, value);
  }

  route(cpu: Cpu, interrupt: number, route: number): void {
    const register = this.#distributor + OFFSETS.IROUTER + interrupt * 8;
    writeRegister(cpu, register, 4, route % 2 ** 32);
    writeRegister(cpu, register + 4, 4, Math.floor(route / 2 ** 32));
  }
}

/** The controller of a board, for the software at EL2 that owns it. */
export function physicalGic(board: Board): PhysicalGic {
  return board.configuration.gicVersion === 2 ? new PhysicalGicV2(board) : new PhysicalGicV3(board);
}
