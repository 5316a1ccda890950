/** Random accesses to a GICv2 as the single CPU of a board makes them, and levels of its inputs. */
import type { Random } from "./random.ts";
import type { Step, Steps } from "./trace_recorder.ts";

const GICD = 0x0800_0000, GICC = 0x0801_0000, GICH = 0x0803_0000, GICV = 0x0804_0000;
const INTERRUPTS = [0, 1, 2, 3, 26, 27, 30, 32, 33, 34, 40, 41, 63, 64, 287];

function maskOf(random: Random, word: number): number {
  const ours = INTERRUPTS.filter((interrupt) => interrupt >>> 5 === word);
  return ours.reduce((mask, interrupt) => random.below(2) ? mask | 1 << (interrupt & 31) : mask, 0) >>> 0;
}

function interfaceStep(random: Random, base: number, acknowledged: number[]): Step {
  const write = (offset: number, value: number): Step => ["w", 4, base + offset, value];
  const read = (offset: number): Step => ["r", 4, base + offset, 0];
  const ended = random.below(4) ? acknowledged.pop() ?? random.pick(INTERRUPTS) : random.below(1024);
  switch (random.below(16)) {
    case 0:
      return write(
        0x00,
        random.below(4) ? (random.below(32) | 3 | random.below(2) << 9) : random.below(2) << 9,
      );
    case 1:
      return write(0x04, random.pick([0xff, 0xff, 0xf0, 0x80, 0xa8, random.below(256)]));
    case 2:
      return write(0x08, random.below(8));
    case 3:
      // QEMU lets a guest's aliased binary point fall below its minimum.
      return write(0x1c, base === GICV ? 3 + random.below(5) : random.below(8));
    case 4:
    case 5:
    case 6:
    case 7:
      return read(0x0c);
    case 8:
    case 9:
      return write(0x10, ended);
    case 10:
      return write(0x1000, ended);
    case 11:
      return read(random.pick([0x00, 0x04, 0x08, 0x14, 0x18, 0x1c, 0xfc]));
    case 12:
      return read(random.pick([0x14, 0x18]));
    case 13:
      return random.below(8)
        ? read(random.pick([0xd0, 0xd4, 0xd8, 0xdc, 0xe0, 0xe4, 0xe8, 0xec]))
        : write(0xd0, 0);
    case 14:
      return random.below(8)
        ? read(0x18)
        : write(random.pick([0xd0, 0xd8, 0xe0, 0xec]), 1 << random.below(32));
    default:
      return read(0x14);
  }
}

function distributorStep(random: Random): Step {
  const word = random.pick([0, 0, 1, 1, 2, 8]);
  const interrupt = random.pick(INTERRUPTS);
  const bits = random.pick([0x80, 0x100, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380]);
  switch (random.below(12)) {
    case 0:
    case 1: {
      // QEMU keeps the active state of a shared interrupt per CPU, those that do not exist included.
      const row = bits === 0x300 ? 0 : word;
      return ["w", 4, GICD + bits + row * 4, maskOf(random, row)];
    }
    case 2:
      return ["w", 1, GICD + 0x100 + (interrupt >>> 3), 1 << (interrupt & 7)];
    case 3:
      return [
        "r",
        random.pick([1, 2, 4]),
        GICD + random.pick([0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380]) + word * 4,
        0,
      ];
    case 4:
    case 5:
      return ["w", 1, GICD + 0x400 + interrupt, random.below(256)];
    case 6:
      return ["r", random.pick([1, 2, 4]), GICD + random.pick([0x400, 0x800]) + (interrupt & ~3), 0];
    case 7:
      return ["w", 4, GICD + 0xc00 + (interrupt >>> 4) * 4, random.next() & 0xaaaa_aaaa];
    case 8:
      return ["r", 4, GICD + 0xc00 + (interrupt >>> 4) * 4, 0];
    case 9:
      return ["w", 4, GICD + 0xf00, random.below(4) << 24 | random.below(256) << 16 | random.below(4)];
    case 10:
      return ["r", random.pick([1, 4]), GICD + random.pick([0xf10, 0xf20]), 0];
    default:
      return random.below(2)
        ? ["w", 1, GICD + random.pick([0xf10, 0xf20]) + random.below(4), 1]
        : ["w", 4, GICD, random.below(4) ? 3 : 0];
  }
}

function gicStep(random: Random, acknowledged: number[]): Step {
  const kind = random.below(10);
  if (kind < 2) return ["i", random.pick(INTERRUPTS.filter((interrupt) => interrupt >= 16)), random.below(2)];
  return kind < 6 ? interfaceStep(random, GICC, acknowledged) : distributorStep(random);
}

/** Virtual interrupts of each list register; one in two of them would be UNPREDICTABLE. */
const VIRTUAL_INTERRUPTS = [[0, 26, 33], [1, 27, 287], [2, 34, 1019], [30, 40]];

function listRegister(random: Random, index: number): number {
  const interrupt = random.pick(VIRTUAL_INTERRUPTS[index]!);
  const hardware = random.below(3) === 0 && interrupt >= 16;
  const middle = hardware
    ? random.pick([26, 27, 33, 34, 40])
    : (random.below(2) << 9 | (interrupt < 16 ? random.below(8) : 0));
  const state = random.pick([0, 1, 1, 1, 2, 3]);
  return (interrupt | middle << 10 | random.below(32) << 23 | state << 28 | random.below(2) << 30 |
    (hardware ? 1 << 31 : 0)) >>> 0;
}

function virtualStep(random: Random, acknowledged: number[]): Step {
  if (random.below(2)) return interfaceStep(random, GICV, acknowledged);
  switch (random.below(8)) {
    case 0:
      return ["w", 4, GICH, (random.below(4) ? 1 : 0) | random.below(128) << 1];
    case 1:
    case 2:
    case 3: {
      const index = random.below(4);
      return ["w", 4, GICH + 0x100 + 4 * index, listRegister(random, index)];
    }
    case 4:
      return ["r", 4, GICH + 0x100 + 4 * random.below(4), 0];
    case 5:
      return ["r", 4, GICH + random.pick([0, 4, 8, 0x10, 0x20, 0x30, 0xf0]), 0];
    case 6:
      return ["w", 4, GICH + 8, random.next() & ~0x3ff | (random.below(4) ? 3 : 0)];
    default:
      return random.below(4) ? gicStep(random, []) : ["w", 4, GICH + 0xf0, 0];
  }
}

const enable: Step[] = [
  ["w", 4, GICD, 3],
  ["w", 4, GICC, 3 | 4],
  ["w", 4, GICC + 4, 0xff],
  ...[0, 1, 2, 8].map((word): Step => ["w", 4, GICD + 0x100 + 4 * word, 0xffff_ffff]),
];

/** Distributor, CPU interface and inputs. */
export function gicSteps(random: Random): Steps {
  const acknowledged: number[] = [];
  return {
    first: enable,
    next: () => [gicStep(random, acknowledged)],
    // QEMU leaves the sender of an SGI out of GICC_HPPIR.
    ignores: (address, value) => address === GICC + 0x18 && value < 16,
    answered: (address, value) => {
      if (address === GICC + 0xc && value < 1020) acknowledged.push(value);
    },
  };
}

/** List registers, the virtual CPU interface, and now and then the physical one behind them. */
export function virtualGicSteps(random: Random): Steps {
  const acknowledged: number[] = [];
  return {
    first: [...enable, ["w", 4, GICH, 1], ["w", 4, GICV, 7], ["w", 4, GICV + 4, 0xff]],
    next: () => [virtualStep(random, acknowledged)],
    ignores: (address, value) => (address === GICC + 0x18 || address === GICV + 0x18) && value < 16,
    // QEMU signals a physical interrupt that GICV_EOIR or GICV_DIR deactivated with the next change of the distributor.
    completes: ([kind, , address]) =>
      kind === "w" && (address === GICV + 0x10 || address === GICV + 0x1000)
        ? ["w", 4, GICD + 0x100, 0]
        : undefined,
    answered: (address, value) => {
      if (address === GICV + 0xc && value < 1020) acknowledged.push(value);
    },
  };
}
