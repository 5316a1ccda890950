/** The board table: rows that exist with each option, their addresses and wires. */
import { assertEquals, assertThrows } from "@std/assert";
import { type Board, boardRow, buildBoard, memoryAt } from "../../machine/board.ts";
import { type ConfigurationInput, parseConfiguration } from "../../machine/configuration.ts";

function build(input: ConfigurationInput): Board {
  return buildBoard(parseConfiguration(input));
}

function describe(board: Board, names: RegExp): string[] {
  return board.rows.filter(({ name }) => names.test(name)).map(({ name, base, size, spi, secureOnly }) =>
    `${name} ${base.toString(16)}+${size.toString(16)} ${spi ?? "-"}${secureOnly ? " secure" : ""}`
  );
}

Deno.test("buildBoard gives QEMU's addresses and interrupts of virt", () => {
  assertEquals(describe(build({}), /^(?!virtio)/), [
    "flash0 0+4000000 -",
    "flash1 4000000+4000000 -",
    "gicd 8000000+10000 -",
    "gicc 8010000+10000 -",
    "gicv2m 8020000+1000 -",
    "uart0 9000000+1000 1",
    "rtc 9010000+1000 2",
    "pcieMmio 10000000+2eff0000 -",
    "pcieIo 3eff0000+10000 -",
    "pcieEcam 4010000000+10000000 3",
    "pcieMmio64 8000000000+8000000000 -",
    "gpio 9030000+1000 7",
    "fwCfg 9020000+18 -",
    "ram 40000000+8000000 -",
  ]);
});

Deno.test("buildBoard without highmem has PCIe below 4 GiB", () => {
  assertEquals(describe(build({ highmem: false }), /^pcie/), [
    "pcieMmio 10000000+2eff0000 -",
    "pcieIo 3eff0000+10000 -",
    "pcieEcam 3f000000+1000000 3",
  ]);
});

Deno.test("buildBoard has 32 virtio transports with one interrupt each", () => {
  const rows = describe(build({}), /^virtio/);
  assertEquals(rows.length, 32);
  assertEquals([rows[0], rows[31]], ["virtio0 a000000+200 16", "virtio31 a003e00+200 47"]);
});

Deno.test("buildBoard with secure and virtualization adds their rows and makes the first flash bank Secure", () => {
  const board = build({ secure: true, virtualization: true, memoryMiB: 3072 });
  assertEquals(describe(board, /^(flash|gic|secure|uart|ram)/), [
    "flash0 0+4000000 - secure",
    "flash1 4000000+4000000 -",
    "gicd 8000000+10000 -",
    "gicc 8010000+10000 -",
    "gich 8030000+10000 -",
    "gicv 8040000+10000 -",
    "gicv2m 8020000+1000 -",
    "uart0 9000000+1000 1",
    "secureRam e000000+1000000 - secure",
    "uart1 9040000+1000 8 secure",
    "secureGpio 90b0000+1000 0 secure",
    "ram 40000000+c0000000 -",
  ]);
});

Deno.test("buildBoard with a GICv3 has redistributors and the ITS in place of a GICv2's frames", () => {
  const rows = (its: boolean) =>
    describe(build({ gicVersion: 3, virtualization: true, its }), /^(gic|its|uart)/);
  assertEquals(rows(true), [
    "gicd 8000000+10000 -",
    "gicr 80a0000+f60000 -",
    "its 8080000+20000 -",
    "uart0 9000000+1000 1",
  ]);
  assertEquals(rows(false), ["gicd 8000000+10000 -", "gicr 80a0000+f60000 -", "uart0 9000000+1000 1"]);
});

Deno.test("Board.highestLevel follows secure and virtualization", () => {
  const level = (secure: boolean, virtualization: boolean) => build({ secure, virtualization }).highestLevel;
  assertEquals([level(false, false), level(false, true), level(true, false), level(true, true)], [
    1,
    2,
    3,
    3,
  ]);
});

Deno.test("Board.memorySize is the sum of RAM and flash", () => {
  assertEquals(build({}).memorySize, 256 * 2 ** 20);
  assertEquals(build({ secure: true }).memorySize, (256 + 16) * 2 ** 20);
});

Deno.test("memoryAt finds the memory that holds a whole range", () => {
  const board = build({});
  assertEquals(memoryAt(board, 0x47ff_ffff, 1)?.name, "ram");
  assertEquals(memoryAt(board, 0x47ff_ffff, 2), undefined);
  assertEquals(memoryAt(board, 0x03ff_fff0, 16)?.name, "flash0");
  assertEquals(memoryAt(board, 0x0900_0000, 4), undefined);
  assertEquals(memoryAt(board, 0x4800_0000, 0), undefined);
});

Deno.test("boardRow throws RangeError for a name that the board has not", () => {
  assertThrows(() => boardRow(build({}), "secureRam"), RangeError, '"secureRam"');
});
