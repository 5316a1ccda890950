/**
 * Configuration space of PCI by address (PCI Express Base Specification 5.0, 7.2.2: ECAM) as a monitor serves it where
 * nothing answers: the abort of an access comes to the monitor, which does it on functions of its own.
 */
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { EventHub } from "../machine/events.ts";
import { decodeMmio, type MmioAccess, performMmio, type RegisterBus } from "./mmio.ts";
import type { Vcpu } from "./vcpu.ts";

/** Address bits: 12 of a function's register, 3 of the function, 5 of the device, then the bus. */
const FUNCTION_SIZE = 0x1000, BUS_SIZE = 0x10_0000;
/** Bytes of one configuration cycle at most. */
const CYCLE = 4;

/** What answers cycles for one function, 1, 2 or 4 bytes each, as unsigned numbers. */
export interface ConfigurationFunction {
  /** Reads at an offset of 0 to 4095. */
  readConfig(offset: number, size: number, cpu: Cpu): number;
  /** Writes there; what is read-only stays. */
  writeConfig(offset: number, size: number, value: number, cpu: Cpu): void;
}

/** What a window is made of. */
export interface ConfigurationWindowOptions {
  /** Where events go. */
  readonly events: EventHub;
  /** Number of the segment, `linux,pci-domain`. */
  readonly segment: number;
  /** Physical address of its first bus. */
  readonly base: number;
  /** Number of its first bus (default 0). */
  readonly firstBus?: number;
  /** How many buses it has. */
  readonly buses: number;
  /** The function of a bus << 8 | device << 3 | function; undefined for what is absent, which reads as ones. */
  at(bdf: number): ConfigurationFunction | undefined;
}

/** One window. */
export class ConfigurationWindow {
  /** Bytes. */
  readonly size: number;
  readonly #options: ConfigurationWindowOptions;

  /** Serves nothing until it is asked. */
  constructor(options: ConfigurationWindowOptions) {
    this.#options = options;
    this.size = options.buses * BUS_SIZE;
  }

  /** Whether an address is in it. */
  covers(address: number): boolean {
    const { base } = this.#options;
    return address >= base && address < base + this.size;
  }

  /** Splits an address in it: the function's number, and the offset in its space. */
  #place(address: number): { bdf: number; offset: number } {
    const { base, firstBus = 0 } = this.#options, from = address - base;
    return { bdf: firstBus * 0x100 + Math.floor(from / FUNCTION_SIZE), offset: from % FUNCTION_SIZE };
  }

  /** Reads 1 to 8 aligned bytes, the lowest cycle first. */
  read({ cpu, returnAddress: programCounter }: Vcpu, address: number, size: number): bigint {
    const { events, segment, at } = this.#options, piece = Math.min(size, CYCLE);
    let value = 0n;
    for (let done = 0; done < size; done += piece) {
      const { bdf, offset } = this.#place(address + done), present = at(bdf);
      const part = present === undefined
        ? 2 ** (piece * 8) - 1
        : present.readConfig(offset, piece, cpu) >>> 0;
      value |= BigInt(part) << BigInt(done * 8);
      events.emit("configurationRead", cpu.index, {
        segment,
        bdf,
        offset,
        size: piece,
        value: part,
        programCounter,
      });
    }
    return value;
  }

  /** Writes 1 to 8 aligned bytes, the lowest cycle first. */
  write({ cpu, returnAddress: programCounter }: Vcpu, address: number, size: number, value: bigint): boolean {
    const { events, segment, at } = this.#options, piece = Math.min(size, CYCLE);
    for (let done = 0; done < size; done += piece) {
      const { bdf, offset } = this.#place(address + done);
      const part = Number(BigInt.asUintN(piece * 8, value >> BigInt(done * 8)));
      events.emit("configurationWritten", cpu.index, {
        segment,
        bdf,
        offset,
        size: piece,
        value: part,
        programCounter,
      });
      at(bdf)?.writeConfig(offset, piece, part, cpu);
    }
    return true;
  }
}

/** What a monitor does itself: one general register, all of it in its place, and the base register as it was. */
function isPlain({ address, size, writeback }: MmioAccess): boolean {
  return writeback === undefined && address % size === 0;
}

/**
 * Does the access of a data abort that was just taken, when it is for one of the windows, and goes on behind it. False,
 * with nothing changed, for others and for what is no plain load or store: the abort is the guest's then.
 */
export function serveConfiguration(vcpu: Vcpu, windows: readonly ConfigurationWindow[]): boolean {
  const { cpu, monitorLevel } = vcpu, access = decodeMmio(cpu, monitorLevel);
  if (access === undefined || !isPlain(access)) return false;
  const window = windows.find((each) => each.covers(access.address));
  if (window === undefined) return false;
  const bus: RegisterBus = {
    read: (_, address, size) => window.read(vcpu, address, size),
    write: (_, address, size, value) => window.write(vcpu, address, size, value),
  };
  if (!performMmio(cpu, bus, access, monitorLevel)) return false;
  vcpu.skip();
  return true;
}
