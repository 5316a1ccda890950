/** Random accesses to the devices other than the interrupt controller. */
import type { Random } from "./random.ts";
import type { Step, Steps } from "./trace_recorder.ts";

const FLASH = 0x0400_0000,
  UART = 0x0900_0000,
  RTC = 0x0901_0000,
  GPIO = 0x0903_0000,
  FW_CFG = 0x0902_0000,
  RAM = 0x4100_0000;

// deno-fmt-ignore
const FLASH_COMMANDS = [0xff, 0x70, 0x90, 0x98, 0x98, 0x50, 0x60, 0x40, 0x10, 0x20, 0x20, 0xe8, 0xe8, 0xd0, 0xd0, 0xd0, 0xd0, 0x01, 0xf0, 0x00, 0x28];

/** Commands and small data in any order: what the bank makes of nonsense is QEMU's choice as well. */
export function flashSteps(random: Random): Steps {
  return {
    next: () => {
      const size = random.pick([1, 2, 4]);
      const block = random.pick([0, 0, 0x4_0000]);
      const at = FLASH + block + (random.below(0x140) & -size);
      if (random.below(5) < 2) return [["r", size, at, 0]];
      const byte = random.below(2) ? random.below(4) : random.pick(FLASH_COMMANDS);
      return [["w", size, at, size === 4 && random.below(2) ? byte | byte << 16 : byte]];
    },
  };
}

/** Registers of the UART with values that they hold, bytes sent to it, and reads of those that arrived. */
export function uartSteps(random: Random): Steps {
  let flags = 0x90, lineControl = 0;
  // deno-fmt-ignore
  const widths: [number, number][] = [[0x20, 8], [0x24, 16], [0x28, 6], [0x2c, 8], [0x30, 16], [0x34, 6], [0x38, 11], [0x44, 11], [0x48, 3]];
  const readable = [
    0x18,
    0x20,
    0x24,
    0x28,
    0x2c,
    0x30,
    0x34,
    0x38,
    0x3c,
    0x40,
    0x44,
    0x48,
    0xfe0,
    0xff8,
    0x04,
    0x4c,
  ];
  return {
    answered: (address, value) => {
      if (address === UART + 0x18) flags = value;
    },
    next: () => {
      const look: Step[] = [["r", 4, UART + 0x18, 0], ["r", 4, UART + 0x3c, 0]];
      switch (random.below(8)) {
        case 0:
        case 1:
          return [["s", 0x20 + random.below(95)], ...look];
        case 2:
        case 3:
          return flags & 0x10 ? look : [["r", 4, UART, 0], ...look];
        case 4:
          return [["w", random.pick([1, 2, 4]), UART, 0x20 + random.below(95)], ...look];
        case 5: {
          const [offset, bits] = random.pick(widths);
          const value = random.next() % 2 ** bits;
          if (offset !== 0x2c) return [["w", 4, UART + offset, value], ...look];
          // QEMU 7.2 flushes the FIFO when FEN changes, but leaves UARTFR as it was.
          lineControl = flags & 0x10 ? value : value & ~0x10 | lineControl & 0x10;
          return [["w", 4, UART + offset, lineControl], ...look];
        }
        default:
          return [["r", 4, UART + random.pick(readable), 0], ...look];
      }
    },
  };
}

/** Registers of the clock, at a time that stands still. */
export function rtcSteps(random: Random): Steps {
  const base = 1767225600;
  const offsets = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0xfe0, 0xfe4, 0xff0, 0xffc, 0x20];
  return {
    next: () => {
      if (random.below(2)) return [["r", 4, RTC + random.pick(offsets), 0]];
      const offset = random.pick([0x04, 0x08, 0x0c, 0x10, 0x1c, 0x00, 0x14, 0x18]);
      const times = [base, base, base + 1, base - 1, random.next()];
      return [["w", 4, RTC + offset, offset <= 8 ? random.pick(times) : random.below(2)]];
    },
  };
}

/** Registers of the GPIO and levels of its lines. */
export function gpioSteps(random: Random): Steps {
  const data = () => GPIO + 4 * random.pick([0xff, 0xff, 0x08, 0x0f, random.below(256)]);
  const look = (): Step[] => [0x3fc, 0x414, 0x418].map((offset) => ["r", 4, GPIO + offset, 0]);
  // deno-fmt-ignore
  const offsets = [0x400, 0x404, 0x408, 0x40c, 0x410, 0x41c, 0x41c, 0x420, 0x414, 0x418, 0x424, 0xfe0];
  return {
    next: () => {
      switch (random.below(6)) {
        case 0:
          return [["w", random.pick([1, 2, 4]), data(), random.below(256)], ...look()];
        case 1:
          return [["w", 4, GPIO + random.pick(offsets), random.below(256)], ...look()];
        case 2:
          return [["r", 4, data(), 0]];
        case 3:
          return [["r", 4, GPIO + random.pick([0x424, 0x4fc, 0xfe4, 0xfe8, 0xff0, 0xffc, ...offsets]), 0]];
        default:
          return [["g", random.below(8), random.below(2)], ...look()];
      }
    },
  };
}

function swap(value: number): number {
  return (value << 24 | (value & 0xff00) << 8 | value >>> 8 & 0xff00 | value >>> 24) >>> 0;
}

/** Selections and reads of what does not depend on QEMU's own files, and DMA of every kind to and from RAM. */
export function fwCfgSteps(random: Random): Steps {
  const selectors = [0, 1, 0x19, 0x29, 0x2a, 0x2b, 0x1234];
  const select = (): Step => ["w", 2, FW_CFG + 8, swap(random.pick(selectors)) >>> 16];
  return {
    first: [select()],
    next: () => {
      if (random.below(3) === 0) return [select()];
      if (random.below(2)) return [["r", random.pick([1, 2, 4]), FW_CFG, 0]];
      if (random.below(4) === 0) return [["r", 4, FW_CFG + 16 + 4 * random.below(2), 0]];
      const operation = random.pick([2, 2, 2, 4, 16, 0, 6]) |
        (random.below(2) ? 8 | random.pick(selectors) << 16 : 0);
      const target = random.pick([RAM + 0x100, RAM + 0x100, 0x100_0000_0000]);
      return [
        ["w", 4, RAM, swap(operation >>> 0)],
        ["w", 4, RAM + 4, swap(random.pick([0, 1, 4, 7, 64]))],
        ["w", 4, RAM + 8, swap(Math.floor(target / 2 ** 32))],
        ["w", 4, RAM + 12, swap(target >>> 0)],
        ["w", 4, RAM + 0x100, random.next()],
        ["w", 4, FW_CFG + 16, 0],
        ["w", 4, FW_CFG + 20, swap(RAM)],
        ["r", 4, RAM, 0],
        ...[0, 4, 8, 60].map((offset): Step => ["r", 4, RAM + 0x100 + offset, 0]),
      ];
    },
  };
}
