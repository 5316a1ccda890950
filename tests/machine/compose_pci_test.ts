/** PCIe on the board: slots, names, configuration spaces as QEMU 7.2's, and a disk behind MSI-X and behind INTx. */
import { assertEquals, assertThrows } from "@std/assert";
import { assignSlots } from "../../machine/compose_pci.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import {
  buildMachine,
  DATA,
  drive,
  ECAM,
  HIGH,
  type Message,
  RESULT,
  sectorRead,
  USED,
} from "./devices/pci/board_support.ts";

function slotsOf(...devices: object[]): (number | undefined)[] {
  const list = parseConfiguration({ devices }).devices;
  const slots = assignSlots(list);
  return list.map((device) => slots.get(device));
}

const rng = (slot?: number) =>
  slot === undefined ? { driver: "virtio-rng-pci" } : { driver: "virtio-rng-pci", slot };

Deno.test("assignSlots gives the first free slot in the order of options, as QEMU does", () => {
  assertEquals(slotsOf(rng(), rng(5), { driver: "virtio-rng-device" }, rng(), rng(3), rng()), [
    1,
    5,
    undefined,
    2,
    3,
    4,
  ]);
});

Deno.test("assignSlots refuses a slot asked for twice, and a thirty-second device", () => {
  assertThrows(() => slotsOf(rng(), rng(1)), ConfigurationError, "slot 1 has virtio-rng-pci already");
  assertThrows(() => slotsOf(...Array(32).fill(rng())), ConfigurationError, "all 31 are taken");
});

/** Words of configuration space that are not zero, by offset. */
function configuration(read: (address: number) => number, slot: number): Record<string, string> {
  const words = Array.from({ length: 64 }, (_, index) => index * 4)
    .map((offset) => [offset.toString(16), read(ECAM + (slot << 15) + offset).toString(16)] as const);
  return Object.fromEntries(words.filter(([, value]) => value !== "0"));
}

/** What QEMU 7.2 has for every virtio device on PCI; identity, class and vectors differ. */
function virtioWords(
  identity: string,
  classes: string,
  subsystem: string,
  vectors: string,
): Record<string, string> {
  return {
    "0": identity,
    "4": "100000",
    "8": classes,
    "10": "1",
    "20": "c",
    "2c": subsystem,
    "34": "98",
    "3c": "100",
    "40": "1100009",
    "44": "4",
    "4c": "1000",
    "50": "3104009",
    "54": "4",
    "58": "1000",
    "5c": "1000",
    "60": "4105009",
    "64": "4",
    "68": "2000",
    "6c": "1000",
    "70": "2146009",
    "74": "4",
    "78": "3000",
    "7c": "1000",
    "80": "4",
    "84": "5147009",
    "98": vectors,
    "9c": "1",
    "a0": "801",
  }; // deno-fmt-ignore-line
}

Deno.test("virtio devices on PCIe have the configuration spaces of QEMU's", () => {
  const { read } = buildMachine({
    drives: [drive("d0")],
    devices: [
      { driver: "virtio-blk-pci", drive: "d0" },
      { driver: "virtio-rng-pci" },
      { driver: "virtio-serial-pci" },
    ],
  });
  assertEquals(configuration(read, 1), virtioWords("10011af4", "1000000", "21af4", "18411"));
  assertEquals(configuration(read, 2), virtioWords("10051af4", "ff0000", "41af4", "18411"));
  assertEquals(configuration(read, 3), virtioWords("10031af4", "7800000", "31af4", "18411"));
  assertEquals(read(ECAM + (4 << 15)), 0xffff_ffff);
});

Deno.test("a virtio disk on PCIe has a queue and a vector for each CPU, as in QEMU", () => {
  const { read, write } = buildMachine({
    cpus: 4,
    drives: [drive("d0")],
    devices: [{ driver: "virtio-blk-pci", drive: "d0" }],
  });
  const config = ECAM + (1 << 15);
  write(config + 0x24, HIGH / 2 ** 32);
  write(config + 0x04, 0x6, 2);
  assertEquals([read(config + 0x98), read(HIGH + 0x12, 2), read(HIGH + 0x2022, 2)], [0x0004_8411, 4, 4]);
});

/** Lets a machine read a sector and wait for it. */
function readSector({ write, pass }: ReturnType<typeof buildMachine>, message?: Message): void {
  for (const [address, value, size] of sectorRead(message)) write(address, value, size);
  pass(1_000_000);
}

const PENDING = 0x0800_0200;

Deno.test("a virtio disk on PCIe reads by DMA and interrupts by a message through the GICv2m", () => {
  const machine = buildMachine({
    drives: [drive("d0")],
    devices: [{ driver: "virtio-blk-pci", drive: "d0" }],
  });
  const { read, write } = machine;
  write(0x0800_0c00 + 20, 0x800); // GICD_ICFGR5: interrupt 85 is edge-triggered
  readSector(machine, { address: 0x0802_0040, data: 85 });
  assertEquals([read(USED + 2, 2), read(DATA, 1), read(RESULT, 1)], [1, 3, 0]);
  assertEquals(read(PENDING + 8), 1 << (85 - 64));
  assertEquals(read(ECAM + (1 << 15) + 6, 2), 0x10, "no INTx");
});

Deno.test("a virtio disk on PCIe drives INTA without MSI-X until the ISR is read", () => {
  const machine = buildMachine({
    drives: [drive("d0")],
    devices: [{ driver: "virtio-blk-pci", drive: "d0" }],
  });
  const { read } = machine;
  readSector(machine);
  assertEquals(
    [read(PENDING + 4), read(ECAM + (1 << 15) + 6, 2)],
    [1 << 4, 0x18],
    "SPI 4: slot 1 by the swizzle",
  );
  assertEquals(read(HIGH + 0x1000, 1), 1);
  assertEquals([read(PENDING + 4), read(HIGH + 0x1000, 1)], [0, 0]);
});

Deno.test("a board with PCI devices restores what it saved", () => {
  const input = { drives: [drive("d0")], devices: [{ driver: "virtio-blk-pci", drive: "d0" }] };
  const machine = buildMachine(input);
  readSector(machine);
  const sections = machine.board.save();
  const fresh = buildMachine(input);
  fresh.board.restore((name) => {
    const found = sections.find((section) => section.name === name);
    if (found === undefined) throw new RangeError(`No section ${name}`);
    return found;
  });
  assertEquals(fresh.board.save(), sections);
  assertEquals(new Set(sections.map(({ name }) => name)).size, sections.length);
});

Deno.test("a device may not have the name of another part of the machine", () => {
  for (const id of ["uart0", "clock", "cpu0", "gic", "pcie", "virtio0"]) {
    const input = { devices: [{ driver: "virtio-rng-pci", id }] };
    assertThrows(() => buildMachine(input), ConfigurationError, `Cannot use id=${id}`);
  }
});
