/** Random accesses to the PCI Express host, a virtio function on it, the GICv2m and the ITS. */
import type { Random } from "./random.ts";
import type { Step, Steps } from "./trace_recorder.ts";

const ECAM = 0x3f00_0000, PIO = 0x3eff_0000, V2M = 0x0802_0000, GICD = 0x0800_0000;
const SLOT = ECAM + (1 << 15);
/** Where each BAR is put: apart from one another, since QEMU alone knows who is in front. */
const BARS: readonly (readonly [offset: number, addresses: readonly number[]])[] = [
  [0x10, [0x1000, 0x2000, 0xffff_ffff]],
  [0x14, [0x1000_0000, 0x1001_0000, 0xffff_ffff]],
  [0x20, [0x1010_0000, 0x1020_0000, 0xffff_ffff]],
  [0x24, [0, 0, 0xffff_ffff]],
];
/** Registers of the common configuration and their sizes; the queue is never enabled with nonsense in it, and queues that there are not hold in QEMU what is written. */
// deno-fmt-ignore
const COMMON: readonly (readonly [offset: number, size: number, values: readonly number[]])[] = [
  [0x00, 4, [0, 1, 2]], [0x04, 4, []], [0x08, 4, [0, 1, 2]], [0x0c, 4, [0, 1, 0x3000_0000, 0xffff_ffff]],
  [0x10, 2, [0, 1, 2, 0xffff]], [0x12, 2, []], [0x14, 1, [0, 1, 3, 11]], [0x15, 1, []], [0x16, 2, [0]],
  [0x18, 2, [0, 1, 8, 1024, 1025]], [0x1a, 2, [0, 1, 2, 0xffff]], [0x1c, 2, []], [0x1e, 2, []],
  ...[0x20, 0x24, 0x28, 0x2c, 0x30, 0x34].map((offset) => [offset, 4, [0x4100_0000, 0, 0x1234_5678]] as const),
  [0x3a, 2, []],
];
/** Registers of the legacy interface without those that place queues, which the modern one has places for already. */
// deno-fmt-ignore
const LEGACY: readonly (readonly [offset: number, size: number, values: readonly number[]])[] = [
  [0x00, 4, []], [0x0c, 2, []], [0x0e, 2, [0]], [0x12, 1, [0, 1, 3]],
  [0x13, 1, []], [0x18, 4, []],
];

function registerStep(
  random: Random,
  base: number,
  table: readonly (readonly [offset: number, size: number, values: readonly number[]])[],
): Step {
  const [offset, size, values] = random.pick(table);
  if (values.length === 0 || random.below(2)) return ["r", size, base + offset, 0];
  return ["w", size, base + offset, random.pick(values)];
}

/** Configuration space, BARs that move, MSI-X tables, virtio registers, and messages by hand. */
export function pcieSteps(random: Random): Steps {
  const [low, modern] = [
    () => random.pick([0x1000_0000, 0x1001_0000]),
    () => random.pick([0x1010_0000, 0x1020_0000]),
  ];
  const place = (): Step[] =>
    BARS.map(([offset, addresses]) => ["w", 4, SLOT + offset, addresses[0] as number]);
  // Interrupts of messages are edge-triggered, so that they stay pending.
  const edges = Array.from(
    { length: 4 },
    (_, index): Step => ["w", 4, GICD + 0xc14 + 4 * index, 0xaaaa_aaaa],
  );
  return {
    first: [...place(), ["w", 2, SLOT + 4, 7], ...edges],
    next: () => {
      const size = random.pick([1, 2, 4]);
      switch (random.below(12)) {
        case 0:
        case 1:
        case 2:
          return [[
            "r",
            size,
            ECAM + (random.pick([0, 1, 1, 1, 2]) << 15) + (random.below(0x110) & -size),
            0,
          ]];
        case 3:
          return [["w", size, SLOT + (0x40 + random.below(0xc0) & -size), random.next()]];
        case 4: {
          const [offset, addresses] = random.pick(BARS);
          return [["w", 4, SLOT + offset, random.pick(addresses)], ["r", 4, SLOT + offset, 0]];
        }
        case 5:
          return [
            ["w", 2, SLOT + 4, random.pick([7, 7, 7, 3, 2, 1, 0xffff])],
            ...random.below(3) ? place() : [],
          ];
        case 6:
          return [["r", 4, low() + random.pick([0x00, 0x0c, 0x10, 0x1c, 0x14, 0x18, 0x800, 0x804]), 0]];
        case 7:
          return [["w", 4, low() + 4 * random.below(8), random.pick([0, 1, random.next()])]];
        case 8:
        case 9:
          return [registerStep(random, modern(), COMMON)];
        case 10:
          return [registerStep(random, PIO + random.pick([0x1000, 0x2000]), LEGACY)];
        default:
          return [
            ["w", 4, V2M + 0x40, random.pick([80, 143, 79, 144, 80 + random.below(64), random.next()])],
            ["r", 4, GICD + 0x208 + 4 * random.below(3), 0],
            ["r", 4, V2M + random.pick([0x008, 0x040, 0xfcc, 0xfe8]), 0],
          ];
      }
    },
  };
}

const ITS = 0x0808_0000, GICR = 0x080a_0000, RAM = 0x4100_0000;
const QUEUE = RAM, DEVICES = RAM + 0x1_0000, COLLECTIONS = RAM + 0x2_0000, TRANSLATIONS = RAM + 0x3_0000;
const CONFIGURATION = RAM + 0x5_0000, PENDING = RAM + 0x8_0000;
const VALID = 0x8000_0000;

/** Writes of a doubleword by halves. */
const wide = (address: number, low: number, high: number): Step[] => [
  ["w", 4, address, low >>> 0],
  ["w", 4, address + 4, high >>> 0],
];

/**
 * Registers of the ITS and commands that it runs, for two CPUs; what becomes pending is seen in the pending tables.
 * Device 0 is that of messages written by hand.
 */
export function itsSteps(random: Random): Steps {
  let end = 0;
  const redistributor = (cpu: number): Step[] => [
    ...wide(GICR + cpu * 0x2_0000 + 0x70, CONFIGURATION | 15, 0),
    ...wide(GICR + cpu * 0x2_0000 + 0x78, PENDING + cpu * 0x1_0000, 0),
    ["w", 4, GICR + cpu * 0x2_0000, 1],
  ];
  const lpi = () => 8192 + random.below(8);
  const event = () => random.below(random.below(8) ? 4 : 12);
  const device = () => random.pick([0, 0, 0, 0, 1, 1, 5000, 0x1_0000]);
  const collection = () => random.pick([0, 0, 1, 1, 2, 9000, 0xffff]);
  const flag = () => random.below(6) ? VALID : 0;
  /** The words of a command: low and high halves of its four doublewords. */
  const commands: (() => number[])[] = [
    () => [
      0x08,
      device(),
      random.pick([1, 1, 2, 15, 16]),
      0,
      TRANSLATIONS + random.below(2) * 0x1000,
      flag(),
    ],
    () => [0x09, 0, 0, 0, collection() | random.pick([0, 0, 1, 1, 2]) << 16, flag()],
    () => [0x0a, device(), event(), random.pick([lpi(), lpi(), 8191, 0x1_0000]), collection()],
    () => [0x0a, device(), event(), lpi(), random.below(2)],
    () => [0x0b, device(), random.pick([event(), 8192]), 0, collection()],
    () => [0x01, device(), event(), 0, collection()],
    () => [0x03, device(), event()],
    () => [0x03, 0, event()],
    () => [0x04, device(), event()],
    () => [0x0c, device(), event()],
    () => [0x0d, 0, 0, 0, collection()],
    () => [0x0e, 0, 0, 0, random.below(3) << 16, 0, random.below(3) << 16],
    () => [0x0f, device(), event()],
    () => [random.pick([0x05, 0x02, 0x06, 0x30, 0xff])],
  ];
  const look = (): Step[] => [
    ["r", 4, ITS + 0x90, 0],
    ...[0, 1].map((cpu): Step => ["r", 4, PENDING + cpu * 0x1_0000 + 8192 / 8, 0]),
  ];
  const run = (words: readonly number[]): Step[] => {
    const at = QUEUE + end;
    end = (end + 32) % 0x1000;
    const written = Array.from(
      { length: 8 },
      (_, index): Step => ["w", 4, at + 4 * index, (words[index] ?? 0) >>> 0],
    );
    return [...written, ["w", 4, ITS + 0x88, end], ...look()];
  };
  return {
    first: [
      ...redistributor(0),
      ...redistributor(1),
      ...[0, 1].map((index): Step => ["w", 4, CONFIGURATION + 4 * index, 0xa1a1_a1a1]),
      ...wide(ITS + 0x100, DEVICES | 0x200, VALID),
      ...wide(ITS + 0x108, COLLECTIONS | 0x200, VALID),
      ...wide(ITS + 0x80, QUEUE, VALID),
      ["w", 4, ITS, 1],
      ...run([0x09, 0, 0, 0, 0, VALID]),
      ...run([0x09, 0, 0, 0, 1 | 1 << 16, VALID]),
      ...run([0x08, 0, 3, 0, TRANSLATIONS, VALID]),
    ],
    next: () => {
      switch (random.below(8)) {
        case 0:
          return [["w", 4, ITS + 0x1_0040, event()], ...look()];
        case 1:
          return [[
            "r",
            4,
            ITS + random.pick([0, 4, 8, 0xc, 0x80, 0x84, 0x100, 0x104, 0x108, 0x10c, 0x110, 0xffe8]),
            0,
          ]];
        case 2:
          // While the ITS is enabled, tables and queue cannot be changed.
          return [["w", 4, ITS + random.pick([0x80, 0x84, 0x100, 0x104, 0x10c, 0x110]), random.next()]];
        default:
          return run(random.pick(commands)());
      }
    },
  };
}
