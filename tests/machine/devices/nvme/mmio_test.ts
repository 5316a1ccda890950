/** An NVMe controller as a plain block: its wire, its memory, its state; and as rows of a board. */
import { assertEquals, assertThrows } from "@std/assert";
import { blockName, buildBoard } from "../../../../machine/board.ts";
import { boardDeviceTree } from "../../../../machine/board_device_tree.ts";
import { Clock, NO_DEADLINE } from "../../../../machine/clock.ts";
import { parseConfiguration } from "../../../../machine/configuration.ts";
import { NvmeBlock } from "../../../../machine/devices/nvme/mmio.ts";
import { fixedNvmeFunction } from "../../../../machine/devices/nvme/pci.ts";
import { ConfigurationError } from "../../../../machine/errors.ts";
import { EventHub } from "../../../../machine/events.ts";
import { PhysicalMemory } from "../../../../machine/memory/physical.ts";
import { physicalAddress } from "../../../../machine/address.ts";
import { Disk } from "../../../../machine/storage/disk.ts";
import { MemoryImage } from "../../../../machine/storage/image.ts";
import { nvmeBlocks } from "../../../hypervisor/nvme_block.ts";
import { contents, ENABLED, RAM, RAM_SIZE, REGISTER } from "./support.ts";

/** A block with an interrupt that is seen. */
function build() {
  const clock = new Clock(), events = new EventHub(clock), memory = new PhysicalMemory(0, RAM_SIZE);
  memory.addRegion("ram", physicalAddress(RAM), RAM_SIZE);
  const disk = new Disk({ name: "d", image: new MemoryImage(contents()), readOnly: false, events });
  const wire = { level: false, set: (level: boolean) => void (wire.level = level) };
  const block = new NvmeBlock({ name: "block", serial: "abc", disk, clock, events, memory }, wire);
  block.reset();
  return { clock, memory, wire, block };
}

/** Identifies the controller by its admin queues; the interrupt is up then. */
function identified() {
  const rig = build(), { block, memory, clock } = rig;
  const command = new Uint8Array(64), view = new DataView(command.buffer);
  view.setUint8(0, 6);
  view.setBigUint64(24, BigInt(RAM + 0x3000), true);
  view.setUint32(40, 1, true);
  memory.writeBytes(physicalAddress(RAM + 0x1000), command);
  block.write(REGISTER.AQA, 4, 0x001f_001f);
  block.write(REGISTER.ASQ, 4, RAM + 0x1000);
  block.write(REGISTER.ACQ, 4, RAM + 0x2000);
  block.write(REGISTER.CC, 4, ENABLED);
  assertEquals(block.read(REGISTER.CSTS, 4), 1);
  block.write(0x1000, 4, 1);
  while (clock.earliestDeadline !== NO_DEADLINE) {
    clock.skipTo(clock.earliestDeadline);
    clock.serveAlarms();
  }
  return rig;
}

Deno.test("NvmeBlock reaches memory without leave, and drives its wire until the completion is taken", () => {
  const { memory, wire, block } = identified();
  const serial = new TextDecoder().decode(memory.readBytes(physicalAddress(RAM + 0x3004), 3));
  assertEquals([serial, wire.level], ["abc", true]);
  block.write(0x1004, 4, 1);
  assertEquals(wire.level, false);
});

Deno.test("NvmeBlock drives its wire again when its state is restored, and lets it go at a reset", () => {
  const saved = identified().block.save(), { wire, block } = build();
  block.restore(saved);
  assertEquals([wire.level, block.read(REGISTER.CSTS, 4)], [true, 1]);
  assertEquals(block.save(), saved);
  block.reset();
  assertEquals([wire.level, block.read(REGISTER.CSTS, 4)], [false, 0]);
});

Deno.test("a board has a row and a node for each NVMe block, and refuses names that it has", () => {
  const configuration = parseConfiguration(nvmeBlocks(2)), board = buildBoard(configuration);
  const rows = board.rows.filter(({ kind }) => kind === "nvme");
  assertEquals(rows.map(({ name, base, spi }) => [name, base as number, spi]), [
    ["nvme-mmio.0", 0x0c00_0000, 112],
    ["nvme-mmio.1", 0x0c01_0000, 113],
  ]);
  assertEquals(blockName({ id: "disk" }, 3), "disk");
  const nodes = boardDeviceTree(board, true).root.children.map(({ name }) => name);
  assertEquals(nodes.filter((name) => name.startsWith("nvme@")), ["nvme@c010000", "nvme@c000000"]);
  const named = (id: string) => parseConfiguration({ devices: [{ ...configuration.devices[0]!, id }] });
  assertThrows(() => buildBoard(named("uart0")), ConfigurationError, "choose another");
  assertThrows(() => buildBoard(parseConfiguration(nvmeBlocks(9))), ConfigurationError, "room for 8");
});

Deno.test("a function at a fixed place tells its size and nothing but its place", () => {
  const clock = new Clock(), events = new EventHub(clock), memory = new PhysicalMemory(0, RAM_SIZE);
  const base = 0x12_3456_4000, answers = { read: () => 7, write: () => {}, configured: () => {} };
  const pci = fixedNvmeFunction({ name: "fixed", events, memory }, base, answers);
  const bar = () => [0x10, 0x14].map((offset) => pci.readConfig(offset, 4));
  assertEquals(bar(), [0x3456_4004, 0x12]);
  pci.writeConfig(0x10, 4, 0xffff_ffff);
  assertEquals(bar(), [0xffff_c004, 0x12]);
  pci.writeConfig(0x14, 4, 0xffff_ffff);
  assertEquals(bar(), [0xffff_c004, 0xffff_ffff]);
  pci.writeConfig(0x13, 1, 0x55);
  assertEquals(bar(), [0x3456_4004, 0xffff_ffff]);
  pci.writeConfig(0x14, 4, 1);
  assertEquals(bar(), [0x3456_4004, 0x12]);
  assertEquals(pci.read(false, base + 4, 4), undefined); // memory space is off
  pci.writeConfig(4, 2, 2);
  pci.writeConfig(0x10, 4, 0x1000_0000);
  assertEquals([pci.read(false, base + 4, 4), pci.read(false, 0x1000_0000, 4)], [7, undefined]);
  const words = [0x40, 0x44, 0x48, 0x4c, 0x50, 0x54].map((offset) => pci.readConfig(offset, 4));
  assertEquals(words, [0x0001_8014, 0x80ff_0004, 0x3456_4002, 0x3ffe, 0x12, 0]);
});
