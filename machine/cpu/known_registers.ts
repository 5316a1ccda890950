/** Devices' registers that a CPU has accessed, by virtual address, so that the next access finds them at once. */
import type { PhysicalAddress } from "../address.ts";
import type { DeviceAccess } from "../events.ts";
import type { AccessContext, MappedDevice } from "../memory/physical.ts";
import type { Cpu } from "./cpu.ts";
import { addressElsewhere } from "./place.ts";

/** A device's register, as an access finds it: what answers at an address does not change. */
class KnownRegister {
  constructor(
    /** The virtual address in halves, the context in which it leads there, and the access: `kind` and size. */
    readonly high: number,
    readonly low: number,
    readonly mmu: number,
    readonly size: number,
    /** Of the TLB, when the address led there. */
    readonly translations: number,
    /** What accesses to it have in common. */
    readonly access: DeviceAccess,
    readonly device: MappedDevice,
    /** Where it is in the device. */
    readonly offset: number,
    readonly context: AccessContext,
  ) {}
}

/** How many registers are remembered, a power of two, and how many descriptions of accesses. */
const REGISTERS = 256, MOST_ACCESSES = 4096;

/** The registers that a CPU has accessed last with Non-secure accesses of its present level, for quick ones. */
export class KnownRegisters {
  readonly #read: (KnownRegister | undefined)[] = new Array(REGISTERS).fill(undefined);
  readonly #written: (KnownRegister | undefined)[] = new Array(REGISTERS).fill(undefined);
  /** By address, size and way: equal ones are mostly the same object. */
  readonly #accesses = new Map<number, DeviceAccess>();

  /** Those of a CPU. */
  constructor(private readonly cpu: Cpu) {}

  /**
   * Reads 1, 2 or 4 bytes at an aligned virtual address, given by halves, as `readDevice` does; −1 where that is no
   * device in a range of its own, or more is to be looked at, and nothing has happened.
   */
  read(high: number, low: number, size: number): number {
    const known = this.#find(this.#read, "read", high, low, size);
    if (known === undefined) return -1;
    const value = known.device.read(known.offset, size, known.context) >>> 0;
    this.cpu.surroundings.events.emitAccess(known.access, value);
    return value;
  }

  /** Writes so as `writeDevice` does; `value` has no more bits than the access. False where `read` gives −1. */
  write(high: number, low: number, size: number, value: number): boolean {
    const known = this.#find(this.#written, "write", high, low, size);
    if (known === undefined) return false;
    this.cpu.surroundings.events.emitAccess(known.access, value);
    known.device.write(known.offset, size, value, known.context);
    return true;
  }

  #find(
    slots: (KnownRegister | undefined)[],
    kind: "read" | "write",
    high: number,
    low: number,
    size: number,
  ): KnownRegister | undefined {
    const { cpu } = this, { tlb } = cpu;
    const slot = (low >>> 2 ^ low >>> 12) & (REGISTERS - 1), known = slots[slot];
    if (
      known !== undefined && known.low === low && known.high === high && known.size === size &&
      known.translations === tlb.translations && cpu.armed === undefined &&
      known.mmu === tlb.contexts[cpu.el << 1 | high >>> 23 & 1]
    ) return known;
    return slots[slot] = this.#look(kind, high, low, size);
  }

  #look(kind: "read" | "write", high: number, low: number, size: number): KnownRegister | undefined {
    const { cpu } = this, { index, el, tlb: { contexts, translations }, surroundings: { memory } } = cpu;
    const address = addressElsewhere(cpu, high, low, kind);
    const target = address < 0 ? undefined : memory.target(address as PhysicalAddress, false);
    if (target?.kind !== "device") return undefined;
    const { device, offset } = target;
    const access = this.#access(kind === "read" ? "deviceRead" : "deviceWritten", device.name, address, size);
    const mmu = contexts[el << 1 | high >>> 23 & 1] as number;
    return new KnownRegister(high, low, mmu, size, translations, access, device, offset, {
      cpu: index,
      secure: false,
    });
  }

  #access(kind: DeviceAccess["kind"], device: string, address: number, size: number): DeviceAccess {
    const key = address * 16 + size * 2 + (kind === "deviceRead" ? 0 : 1), known = this.#accesses.get(key);
    if (known !== undefined) return known;
    if (this.#accesses.size >= MOST_ACCESSES) this.#accesses.clear();
    const access = { kind, cpu: this.cpu.index, device, address, size };
    this.#accesses.set(key, access);
    return access;
  }
}
