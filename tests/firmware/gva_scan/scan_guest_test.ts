/** The scan in A64 writes what it wrote on QEMU 7.2 (`-M virt,virtualization=on -cpu max -m 64M`), stage 2 on, 4 KiB. */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { scanGuest } from "../../../firmware/gva_scan/scan_guest.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";

const ON_QEMU = `M 0000000000000000 ff00000040400b80 ff00000040400b80
M 0000000000030000 ff00000040430b80 0000000000000a0f
M 0000000000040000 ff00000040440b80 0000000000000a1f
M 0000000000050000 ff00000040450b80 ff00000040450b80
M 0000000000060000 ff00000040460b80 ff000000404b0b80
M 0000000000070000 ff00000040470b80 ff00000040470b80
M 0000000000090000 4400000040490b00 4400000040490b00
M 00000000000a0000 bb000000404a0b80 bb000000404a0b80
F 00000000000c0000 0000000000000817
M 0000000000400000 ff00000000400b80 0000000000000a0b
F 0000000000600000 0000000000000815
H 0000000000a00000 000000000000082f
M ffffff8000090000 4400000040490b00 4400000040490b00
M ffffff80000a0000 bb000000404a0b80 bb000000404a0b80
F ffffff80000c0000 0000000000000817
M ffffff8000400000 ff00000000400b80 0000000000000a0b
F ffffff8000600000 0000000000000815
H ffffff8000a00000 0000000000000b09
N 0000000000000ffa 0000000000000486
`;

Deno.test("scanGuest writes what PAR_EL1 says of every address, as on QEMU", () => {
  const { bytes } = scanGuest(12, true), sha256 = createHash("sha256").update(bytes).digest("hex");
  const kernel = { sha256, size: bytes.length, name: "guest" };
  const machine = new Machine(
    parseConfiguration({ virtualization: true, cpuModel: "max", memoryMiB: 64, boot: { kernel } }),
    new Map([[sha256, bytes]]),
    { engine: "threaded" },
  );
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  assertEquals(machine.run(10_000_000).reason, "poweredOff");
  assertEquals(console, ON_QEMU);
});
