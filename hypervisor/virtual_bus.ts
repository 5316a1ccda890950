/** Emulated devices of a guest by intermediate physical address; accesses are split and told as the machine's bus does. */
import { hex } from "../machine/address.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { AccessContext, MappedDevice } from "../machine/memory/physical.ts";
import type { RegisterBus } from "./mmio.ts";

/** A range of a virtual bus. */
interface Range {
  readonly base: number;
  readonly size: number;
  readonly device: MappedDevice;
}

/** The devices that a monitor emulates for one guest. */
export class VirtualBus implements RegisterBus {
  readonly #ranges: Range[] = [];

  /** Puts a device at `size` bytes from `base`; throws RangeError when something is there already. */
  add(base: number, size: number, device: MappedDevice): void {
    const other = this.#ranges.find((range) => base < range.base + range.size && range.base < base + size);
    if (other !== undefined) {
      throw new RangeError(
        `Cannot put "${device.name}" at ${hex(base)}: range overlaps "${other.device.name}"`,
      );
    }
    this.#ranges.push({ base, size, device });
  }

  /** The device at an address and its offset there. */
  find(address: number): { readonly device: MappedDevice; readonly offset: number } | undefined {
    for (const { base, size, device } of this.#ranges) {
      if (address >= base && address < base + size) return { device, offset: address - base };
    }
    return undefined;
  }

  /** Reads 1–8 bytes, the lowest address first; undefined when nothing answers at the first. */
  read(cpu: Cpu, address: number, size: number): bigint | undefined {
    const found = this.find(address), context = contextOf(cpu), piece = pieceSize(address, size);
    if (found === undefined) return undefined;
    const { device, offset } = found;
    let value = 0n;
    for (let done = 0; done < size; done += piece) {
      const part = BigInt(device.read(offset + done, piece, context) >>> 0);
      value |= part << BigInt(done * 8);
      tell(cpu, "deviceRead", device, address + done, piece, part);
    }
    return value;
  }

  /** Writes 1–8 bytes, the lowest address first; false when nothing answers. */
  write(cpu: Cpu, address: number, size: number, value: bigint): boolean {
    const found = this.find(address), context = contextOf(cpu), piece = pieceSize(address, size);
    if (found === undefined) return false;
    const { device, offset } = found;
    for (let done = 0; done < size; done += piece) {
      const part = BigInt.asUintN(piece * 8, value >> BigInt(done * 8));
      tell(cpu, "deviceWritten", device, address + done, piece, part);
      device.write(offset + done, piece, Number(part), context);
    }
    return true;
  }
}

/** Guests are Non-secure. */
function contextOf({ index }: Cpu): AccessContext {
  return { cpu: index, secure: false };
}

/** Bytes of one transfer: aligned accesses go in pieces of at most 4 bytes, others byte by byte. */
function pieceSize(address: number, size: number): number {
  return address % size === 0 ? Math.min(size, 4) : 1;
}

function tell(
  cpu: Cpu,
  kind: "deviceRead" | "deviceWritten",
  { name }: MappedDevice,
  address: number,
  size: number,
  value: bigint,
): void {
  cpu.surroundings.events.emit(kind, cpu.index, { device: name, address, size, value });
}
