/** Flash banks with files: firmware runs from the first, and what it writes to the second is there after a reset. */
import { assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { assembleProgram } from "../../machine/a64/program.ts";
import { physicalAddress } from "../../machine/address.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { Machine } from "../../machine/machine.ts";

const BANK = 64 * 2 ** 20;

/** Programs a word of the second bank and resets; finds it and powers off. */
const FIRMWARE = assembleProgram(
  `
        ldr     x1, =0x04001000
        ldr     w0, [x1]
        ldr     w2, =0x600dcafe
        cmp     w0, w2
        b.eq    off
        mov     w3, #0x40
        str     w3, [x1]
        str     w2, [x1]
        mov     w3, #0xff
        str     w3, [x1]
        ldr     x0, =0x84000009
        hvc     #0
off:    ldr     x0, =0x84000008
        hvc     #0
`,
  { name: "firmware", base: 0n },
).bytes;

function bank(contents: Uint8Array, size = BANK): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(contents);
  return bytes;
}

function build(banks: readonly Uint8Array[], more: { bios?: boolean; readOnly?: boolean } = {}): Machine {
  const hashes = banks.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  const images = new Map(banks.map((bytes, at) => [hashes[at]!, bytes]));
  const references = banks.map((bytes, at) => ({
    sha256: hashes[at]!,
    size: bytes.length,
    name: `f${at}.fd`,
  }));
  const pflash = references.map((image, at) => ({ ...image, readOnly: at === 1 && more.readOnly === true }));
  const bios = more.bios ? { bios: references[0] } : {};
  return new Machine(parseConfiguration({ boot: { pflash, ...bios } }), images);
}

Deno.test("Machine keeps over a reset what the guest wrote to a flash bank, and a snapshot has it", () => {
  const machine = build([bank(FIRMWARE), bank(Uint8Array.of(7, 8, 9))]);
  const start = machine.snapshot();
  const once = () => {
    let stop = machine.run(1000);
    while (stop.reason === "requested") stop = machine.run(1000);
    assertEquals(stop.reason, "poweredOff");
    const { memory } = machine.board;
    assertEquals(memory.readBytes(physicalAddress(0x0400_0000), 3), Uint8Array.of(7, 8, 9));
    assertEquals(memory.view.getUint32(memory.hostOffset(physicalAddress(0x0400_1000)), true), 0x600dcafe);
    return machine.stateRoot().root.toHex();
  };
  const root = once();
  machine.restore(start);
  assertEquals(once(), root);
});

Deno.test("Machine does not let a guest write to a read-only flash bank", () => {
  const machine = build([bank(FIRMWARE), bank(new Uint8Array(0))], { readOnly: true });
  assertEquals(machine.run(100).reason, "requested");
  assertEquals(machine.run(100).reason, "requested");
  assertEquals(machine.board.memory.readBytes(physicalAddress(0x0400_1000), 4), new Uint8Array(4));
});

Deno.test("Machine refuses flash files that are no whole bank, and -bios beside them", () => {
  const refused = (build: () => Machine, why: string) => assertThrows(build, ConfigurationError, why);
  refused(
    () => build([bank(FIRMWARE, 4096)]),
    'flash bank 0 "f0.fd": it has 4096 bytes and must have 67108864; fill it up',
  );
  refused(() => build([bank(FIRMWARE), bank(FIRMWARE, BANK + 1)]), "flash bank 1");
  refused(() => build([bank(FIRMWARE)], { bios: true }), "Cannot use -bios with -pflash");
});
