/** Accesses to emulated registers: what an abort at EL2 or EL3 wanted, and doing it (Arm ARM ESR_ELx, ISS for Data Aborts). */
import type { Cpu } from "../machine/cpu/cpu.ts";
import { readStackPointer, writeStackPointer } from "../machine/cpu/stack_pointer.ts";
import { INDEX } from "../machine/cpu/system_register_index.ts";
import { type GuestStage, readGuest, translateGuest } from "./guest_memory.ts";
import { decodeLoadStore, describedLoadStore, loadedValue, type LoadStore } from "./load_store.ts";

/** The registers of the level that took an abort. */
const BANKS = {
  2: { esr: INDEX.ESR_EL2, far: INDEX.FAR_EL2, elr: INDEX.ELR_EL2, spsr: INDEX.SPSR_EL2 },
  3: { esr: INDEX.ESR_EL3, far: INDEX.FAR_EL3, elr: INDEX.ELR_EL3, spsr: INDEX.SPSR_EL3 },
} as const;

/** ISS of aborts: S1PTW, and DFSC without its level. */
const S1PTW = 1n << 7n, STATUS = 0x3cn, PERMISSION = 0b001100n, TRANSLATION = 0b000100n;
const FIPA = 0xffff_ffff_f0n, FIPA_SHIFT = 8n;

/** What an instruction wanted of an address. */
export interface MmioAccess extends LoadStore {
  /** Intermediate physical address; physical at EL3. */
  readonly address: number;
}

/** Whose translation regime the trapped instruction used, by SPSR_ELx.M. */
function stageOf(spsr: bigint, stages: "both" | "first"): GuestStage {
  const level = Number(spsr >> 2n & 3n);
  if (level === 2) return "s1e2";
  return stages === "first" ? "s1e1" : level === 0 ? "s12e0" : "s12e1";
}

/**
 * The intermediate physical address of an abort taken to EL2: HPFAR_EL2, except for permission faults of the access
 * itself, where the Arm ARM leaves that UNKNOWN and stage 1 has to be asked. Undefined when stage 1 has none now.
 */
export function faultingAddress(cpu: Cpu): number | undefined {
  const { system } = cpu.registers;
  const esr = system[INDEX.ESR_EL2] as bigint, far = system[INDEX.FAR_EL2] as bigint;
  const offset = Number(far & 0xfffn);
  if ((esr & STATUS) === PERMISSION && (esr & S1PTW) === 0n) {
    const place = translateGuest(cpu, stageOf(system[INDEX.SPSR_EL2] as bigint, "first"), far);
    return place.faulted ? undefined : place.address;
  }
  return Number(((system[INDEX.HPFAR_EL2] as bigint) & FIPA) << FIPA_SHIFT) + offset;
}

/** A stage 2 fault was one of translation (true) or of permission (false); undefined for other aborts. */
export function isTranslationFault(syndrome: bigint): boolean | undefined {
  const status = syndrome & STATUS;
  return status === TRANSLATION ? true : status === PERMISSION ? false : undefined;
}

/** The instruction that was trapped, read from the guest's memory; undefined when it cannot be. */
export function trappedInstruction(cpu: Cpu, level: 2 | 3): number | undefined {
  const { system } = cpu.registers, { elr, spsr } = BANKS[level];
  const bytes = readGuest(cpu, stageOf(system[spsr] as bigint, "both"), system[elr] as bigint, 4);
  return bytes instanceof Uint8Array ? new DataView(bytes.buffer).getUint32(0, true) : undefined;
}

/**
 * What the data abort that a CPU has just taken to a level wanted: by ISV where the syndrome has it, else by the
 * instruction. Undefined for what moves more than one general register, and when the instruction or the address cannot
 * be found: the caller injects the abort then.
 */
export function decodeMmio(cpu: Cpu, level: 2 | 3 = 2): MmioAccess | undefined {
  const { system } = cpu.registers, { esr, far, spsr } = BANKS[level];
  const syndrome = system[esr] as bigint;
  // A walk wanted a descriptor, which no register is.
  if (level === 2 && (syndrome & S1PTW) !== 0n) return undefined;
  let access = level === 2 ? describedLoadStore(syndrome) : undefined;
  if (access === undefined) {
    const word = trappedInstruction(cpu, level);
    access = word === undefined ? undefined : decodeLoadStore(word);
  }
  if (access === undefined) return undefined;
  if (level === 2) {
    const address = faultingAddress(cpu);
    return address === undefined ? undefined : { ...access, address };
  }
  const place = translateGuest(
    cpu,
    stageOf(system[spsr] as bigint, "both"),
    system[far] as bigint,
    access.write,
  );
  return place.faulted ? undefined : { ...access, address: place.address };
}

/** Number of the stack pointer that the interrupted context had selected. */
function selectedByGuest(cpu: Cpu, level: 2 | 3): 0 | 1 | 2 {
  const spsr = cpu.registers.system[BANKS[level].spsr] as bigint;
  return (spsr & 1n) === 0n ? 0 : Number(spsr >> 2n & 3n) as 1 | 2;
}

function writeBack(cpu: Cpu, level: 2 | 3, { writeback }: LoadStore): void {
  if (writeback === undefined) return;
  const { Rn, distance } = writeback;
  const moved = (base: bigint): bigint => BigInt.asUintN(64, base + distance);
  if (Rn !== 31) return cpu.registers.setX(Rn, moved(cpu.registers.x(Rn)));
  const pointer = selectedByGuest(cpu, level);
  writeStackPointer(cpu, pointer, moved(readStackPointer(cpu, pointer)));
}

/** What answers accesses by address. */
export interface RegisterBus {
  /** Reads `size` bytes; undefined when nothing answers. */
  read(cpu: Cpu, address: number, size: number): bigint | undefined;
  /** Writes `size` bytes; false when nothing answers. */
  write(cpu: Cpu, address: number, size: number, value: bigint): boolean;
}

/**
 * Does an access on a bus and finishes its instruction: Rt and the base register; ELR_ELx stays, for the caller to step
 * over. False, with nothing changed, when nothing answers.
 */
export function performMmio(cpu: Cpu, bus: RegisterBus, access: MmioAccess, level: 2 | 3 = 2): boolean {
  const { address, size, Rt, write } = access;
  if (write) {
    if (!bus.write(cpu, address, size, BigInt.asUintN(size * 8, cpu.registers.x(Rt)))) return false;
    writeBack(cpu, level, access);
    return true;
  }
  const value = bus.read(cpu, address, size);
  if (value === undefined) return false;
  cpu.registers.setX(Rt, loadedValue(access, value));
  writeBack(cpu, level, access);
  return true;
}
