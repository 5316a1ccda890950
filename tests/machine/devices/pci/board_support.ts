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
