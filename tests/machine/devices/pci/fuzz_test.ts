/** Random accesses to everything of PCIe, the GICv2m and the ITS: no error of the host, and an end in time. */
import { assertEquals } from "@std/assert";
import { Choices } from "../../../law/random.ts";
import { buildMachine, drive, ECAM, RAM } from "./board_support.ts";

const ACCESSES = 50_000;
const SIZES = [1, 2, 4] as const;
/** Where BARs are moved, so that accesses meet them: 32-bit, I/O and 64-bit window. */
const LOW = 0x1000_0000, IO = 0x3eff_0000, HIGH = 0x80_0000_0000;
const GICD = 0x0800_0000, V2M = 0x0802_0000, ITS = 0x0808_0000;

/** Places that something answers at, with the bytes from there on that are worth hitting. */
const PLACES: Readonly<Record<2 | 3, readonly (readonly [weight: number, base: number, size: number])[]>> = {
  2: [[8, ECAM, 0x4_0000], [1, ECAM, 0x1000_0000], [4, LOW, 0x8000], [4, HIGH, 0x2_0000], [4, IO, 0x400], [
    2,
    V2M,
    0x1000,
  ]],
  3: [[8, ECAM, 0x4_0000], [4, LOW, 0x8000], [4, HIGH, 0x2_0000], [8, ITS, 0x200], [4, ITS, 0x2_0000], [
    2,
    GICD,
    0x1000,
  ]],
};

/** Values that mean something to what is behind: addresses, small numbers, all ones. */
function value(random: Choices): number {
  return random.of([
    () => random.word(),
    () => random.below(64),
    () => 0xffff_ffff,
    () => RAM + random.below(2 ** 22) * 16,
    () => LOW + random.below(8) * 0x1000,
    () => ITS + 0x1_0040,
    () => V2M + 0x40,
    () => HIGH / 2 ** 32,
  ])();
}

function fuzz(gicVersion: 2 | 3, seed: number): string[] {
  const random = new Choices(seed);
  const { board, read, write, pass } = buildMachine({
    gicVersion,
    drives: [drive("d0")],
    devices: [
      { driver: "virtio-blk-pci", drive: "d0" },
      { driver: "virtio-rng-pci" },
      { driver: "virtio-serial-pci" },
    ],
  });
  /** Places every BAR and enables everything, now and then, so that there is something to hit. */
  const setUp = () => {
    for (let slot = 1; slot <= 3; slot++) {
      const config = ECAM + (slot << 15);
      write(config + 0x10, slot * 0x100);
      write(config + 0x14, LOW + slot * 0x1000);
      write(config + 0x20, slot * 0x8000);
      write(config + 0x24, HIGH / 2 ** 32);
      write(config + 4, 7, 2);
      write(config + 0x9a, random.of([0, 0x8000]), 2);
    }
  };
  for (let count = 0; count < ACCESSES; count++) {
    if (count % 500 === 0) setUp();
    if (random.oneIn(50)) pass(random.below(100_000));
    const [, base, extent] = random.weighted(PLACES[gicVersion]);
    const size = random.of(SIZES);
    const address = base + Math.floor(random.below(extent) / size) * size;
    if (random.oneIn(3)) read(address, size);
    else write(address, value(random) % 2 ** (size * 8), size);
  }
  return board.save().map(({ name }) => name);
}

for (const [gicVersion, seed] of [[2, 1], [2, 2], [3, 3], [3, 4]] as const) {
  Deno.test(`PCIe with a GICv${gicVersion} survives ${ACCESSES} random accesses, seed ${seed}`, () => {
    const names = fuzz(gicVersion, seed);
    assertEquals(names.includes("pcie") && names.includes("virtio-blk-pci.1.pci"), true);
  });
}

/** A queue of random commands, most of them of kinds that there are, with tables here and there. */
function fuzzCommands(seed: number): void {
  const random = new Choices(seed);
  const { write, read } = buildMachine({ gicVersion: 3, cpus: 2, memoryMiB: 16 });
  const queue = RAM + 0x80_0000;
  for (let round = 0; round < 40; round++) {
    write(ITS, 0);
    for (const register of [0x100, 0x108]) {
      const [valid, indirect] = [random.oneIn(8) ? 0 : 0x8000_0000, random.oneIn(3) ? 0x4000_0000 : 0];
      write(ITS + register, (RAM + 0x40_0000 + random.below(16) * 0x1_0000 | random.below(0x400)) >>> 0);
      write(ITS + register + 4, valid + indirect);
    }
    write(ITS + 0x80, queue + random.below(4));
    write(ITS + 0x84, 0x8000_0000);
    for (let word = 0; word < 4096; word++) {
      const isFirst = word % 8 === 0;
      const command = random.oneIn(10) ? random.below(256) : random.below(16);
      const small = random.oneIn(4) ? random.word() : random.below(64) + random.of([0, 8192]);
      write(
        queue + word * 4,
        isFirst ? command : word % 8 === 5 ? (random.oneIn(2) ? 0x8000_0000 : 0) : small,
      );
    }
    write(ITS, 1);
    write(ITS + 0x88, random.below(0x5000));
    for (let event = 0; event < 20; event++) write(ITS + 0x1_0040, random.below(64));
    write(ITS + 0x88, random.below(0x1000) | random.below(2));
    assertEquals(read(ITS) >>> 0, 0x8000_0001);
  }
}

for (const seed of [5, 6]) {
  Deno.test(`an ITS survives 40 queues of random commands, seed ${seed}`, () => fuzzCommands(seed));
}
