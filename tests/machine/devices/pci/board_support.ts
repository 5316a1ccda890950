/** A whole board with PCI devices, reached by physical addresses as software reaches it. */
import { physicalAddress } from "../../../../machine/address.ts";
import { composeBoard } from "../../../../machine/compose.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../../machine/configuration.ts";
import { hashOfImage, MemoryImage } from "../../../../machine/storage/image.ts";

/** Where configuration space is. */
export const ECAM = 0x40_1000_0000;
/** First address of RAM. */
export const RAM = 0x4000_0000;

/** A disk of 64 KiB whose sectors are filled with their numbers. */
export const DISK = new MemoryImage(Uint8Array.from({ length: 2 ** 16 }, (_, at) => at >>> 9));

/** A drive called `id` with that disk. */
export function drive(id: string) {
  return { id, image: { sha256: hashOfImage(DISK), size: DISK.size, name: "" }, readOnly: false };
}

/** The board at power-on, and its bus. */
export function buildMachine(input: ConfigurationInput | unknown) {
  const images = new Map([[hashOfImage(DISK), DISK]]);
  const board = composeBoard(parseConfiguration(input), images, { powerOff: () => {}, reset: () => {} });
  board.powerOn();
  const { memory } = board;
  const access = { cpu: 0, secure: false };
  return {
    board,
    read: (address: number, size: 1 | 2 | 4 = 4): number => {
      const target = memory.target(physicalAddress(address), false);
      if (target === undefined) throw new RangeError(`Nothing at ${address.toString(16)}`);
      if (target.kind === "device") return target.device.read(target.offset, size, access);
      return memory.readBytes(physicalAddress(address), size).reduceRight(
        (value, byte) => value * 256 + byte,
        0,
      );
    },
    write: (address: number, value: number, size: 1 | 2 | 4 = 4): void => {
      const target = memory.target(physicalAddress(address), false);
      if (target === undefined) throw new RangeError(`Nothing at ${address.toString(16)}`);
      if (target.kind === "device") target.device.write(target.offset, size, value, access);
      else {
        const bytes = Uint8Array.from({ length: size }, (_, index) => value >>> (index * 8));
        memory.writeBytes(physicalAddress(address), bytes);
      }
    },
    /** Lets virtual time pass. */
    pass: (nanoseconds: number): void => {
      board.clock.skipTo(board.clock.now + nanoseconds);
      board.clock.serveAlarms();
    },
  };
}

/** Where the function's BARs are put. */
export const LOW = 0x1000_0000, HIGH = 0x80_0000_0000;
/** Memory beyond the device tree at the beginning of RAM. */
export const FREE: number = RAM + 2 ** 24;
const DESCRIPTORS = FREE, AVAILABLE = FREE + 0x1000, REQUEST = FREE + 0x3000;
/** The used ring, what was read, and how it went. */
export const USED: number = FREE + 0x2000, DATA: number = REQUEST + 0x200, RESULT: number = REQUEST + 0x800;

/** A message as a driver sets it up. */
export interface Message {
  readonly address: number;
  readonly data: number;
}

/** A write of software: physical address, value, size. */
export type Write = readonly [address: number, value: number, size: 1 | 2 | 4];

/** A doubleword, by halves. */
export function wide(address: number, value: bigint): Write[] {
  return [[address, Number(value & 0xffff_ffffn), 4], [address + 4, Number(value >> 32n), 4]];
}

/**
 * What drives a virtio block device in slot 1 by its modern BAR: negotiates, sets a queue up, and asks for sector 3 of
 * DISK; with a message it is told by MSI-X, else by INTA.
 */
// deno-fmt-ignore
export function sectorRead(message?: Message): Write[] {
  const config = ECAM + (1 << 15);
  const vectors: Write[] = message === undefined ? [] : [
    ...wide(LOW + 16, BigInt(message.address)), [LOW + 24, message.data, 4], [LOW + 28, 0, 4],
    [config + 0x9a, 0x8000, 2],
  ];
  const descriptors = [[REQUEST, 16, 1, 1], [DATA, 512, 3, 2], [RESULT, 1, 2, 0]] as const;
  return [
    [config + 0x14, LOW, 4], ...wide(config + 0x20, BigInt(HIGH)), [config + 0x04, 0x6, 2], ...vectors,
    [HIGH + 0x14, 1, 1], [HIGH + 0x14, 3, 1], // ACKNOWLEDGE, DRIVER
    [HIGH + 0x08, 1, 4], [HIGH + 0x0c, 1, 4], // VERSION_1
    [HIGH + 0x14, 0xb, 1], // FEATURES_OK
    [HIGH + 0x1a, 1, 2], // the queue's vector
    ...wide(HIGH + 0x20, BigInt(DESCRIPTORS)), ...wide(HIGH + 0x28, BigInt(AVAILABLE)), ...wide(HIGH + 0x30, BigInt(USED)),
    [HIGH + 0x1c, 1, 2], [HIGH + 0x14, 0xf, 1], // DRIVER_OK
    [REQUEST, 0, 4], [REQUEST + 8, 3, 4], // read, sector
    ...descriptors.flatMap(([address, length, flags, next], index): Write[] => [
      ...wide(DESCRIPTORS + index * 16, BigInt(address)), [DESCRIPTORS + index * 16 + 8, length, 4],
      [DESCRIPTORS + index * 16 + 12, flags, 2], [DESCRIPTORS + index * 16 + 14, next, 2],
    ]),
    [AVAILABLE + 2, 1, 2],
    [HIGH + 0x3000, 0, 2],
  ];
}
