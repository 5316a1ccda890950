/** A CPU's accesses to what is not plain memory: split as the bus does it, reported as events. */
import type { PhysicalAddress } from "../address.ts";
import { type Fault, stage1Fault } from "../memory/fault.ts";
import type { AccessContext, MappedDevice } from "../memory/physical.ts";
import type { Cpu } from "./cpu.ts";

interface Answering {
  readonly device: MappedDevice;
  readonly offset: number;
}

/** What answers at an address: a device, the device of a memory region, or nothing. Plain memory is the caller's. */
function answering(cpu: Cpu, address: number, secure: boolean): Answering | undefined {
  const target = cpu.surroundings.memory.target(address as PhysicalAddress, secure);
  if (target?.kind === "device") return target;
  const device = target?.region.device;
  return target === undefined || device === undefined
    ? undefined
    : { device, offset: address - target.region.base };
}

/** Bytes of one bus transfer: aligned accesses go in pieces of at most 4 bytes, others byte by byte. */
function pieceSize(address: number, size: number): number {
  return address % size === 0 ? Math.min(size, 4) : 1;
}

/** Reads from a device, the lowest address first; a fault when nothing answers. */
export function readDevice(cpu: Cpu, address: number, size: number, secure: boolean): bigint | Fault {
  const context: AccessContext = { cpu: cpu.index, secure };
  const piece = pieceSize(address, size);
  let value = 0n;
  for (let done = 0; done < size; done += piece) {
    const found = answering(cpu, address + done, secure);
    if (found === undefined) return stage1Fault("external");
    const part = BigInt(found.device.read(found.offset, piece, context) >>> 0);
    value |= part << BigInt(done * 8);
    emit(cpu, "deviceRead", found.device, address + done, piece, part);
  }
  return value;
}

/** Writes to a device, the lowest address first; a fault when nothing answers. */
export function writeDevice(
  cpu: Cpu,
  address: number,
  size: number,
  value: bigint,
  secure: boolean,
): Fault | undefined {
  const context: AccessContext = { cpu: cpu.index, secure };
  const piece = pieceSize(address, size);
  for (let done = 0; done < size; done += piece) {
    const found = answering(cpu, address + done, secure);
    if (found === undefined) return stage1Fault("external");
    const part = BigInt.asUintN(piece * 8, value >> BigInt(done * 8));
    // The write comes before what it causes.
    emit(cpu, "deviceWritten", found.device, address + done, piece, part);
    found.device.write(found.offset, piece, Number(part), context);
  }
  return undefined;
}

function emit(
  cpu: Cpu,
  kind: "deviceRead" | "deviceWritten",
  { name }: MappedDevice,
  address: number,
  size: number,
  value: bigint,
): void {
  cpu.surroundings.events.emit(kind, cpu.index, { device: name, address, size, value });
}
