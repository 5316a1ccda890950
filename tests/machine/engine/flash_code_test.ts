/** Code in and beside flash banks that change between array and command mode: what is compiled stays, and stays right. */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { EagerEngine } from "./eager.ts";

const BANK = 64 * 2 ** 20;

/**
 * Copies a loop into RAM and runs it there; calls a function in the second bank, programs another constant into its
 * MOV, and reads the bank's status before it goes back to the array. Bank 0 is asked what it is
 * from RAM, between calls from it.
 */
const FIRST = `
        ldr     x20, =0x04000000
        ldr     x21, =0x40100000
        adr     x1, program
        add     x23, x21, #256
copy:   ldr     w2, [x1], #4
        str     w2, [x21], #4
        cmp     x21, x23
        b.lo    copy
        sub     x21, x21, #256
again:  mov     w3, #30
1:      blr     x20
        add     x24, x24, x0
        sub     w3, w3, #1
        cbnz    w3, 1b
        blr     x21
        add     w25, w25, #1
        b       again
        .ltorg
program:
        mov     w4, #0x40               // program one word of the function
        str     w4, [x20]
        and     w5, w25, #0xff
        lsl     w5, w5, #5
        ldr     w6, word
        orr     w6, w6, w5
        str     w6, [x20]
        ldr     w7, [x20]               // status
        add     x24, x24, x7
        mov     w4, #0xff
        str     w4, [x20]
        mov     w4, #0x98               // CFI query of the bank that calls
        mov     x8, #0x154
        str     w4, [x8]
        mov     w8, #0x40
        ldr     w7, [x8]
        add     x24, x24, x7
        mov     w4, #0xff
        str     w4, [x8]
        mov     w9, #40
2:      add     x24, x24, x9, lsl #3
        sub     w9, w9, #1
        cbnz    w9, 2b
        ret
word:   mov     w0, #0


`;
const SECOND = `
        mov     w0, #7
        ret
`;

function machineOn(engine: string): Machine {
  const banks = [FIRST, SECOND].map((source, at) => {
    const bytes = new Uint8Array(BANK);
    bytes.set(assembleProgram(source, { name: "bank", base: BigInt(at * BANK) }).bytes);
    return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const pflash = banks.map(({ sha256 }, at) => ({ sha256, size: BANK, name: `${at}.fd`, readOnly: false }));
  const images = new Map(banks.map(({ sha256, bytes }) => [sha256, bytes]));
  const configuration = parseConfiguration({ boot: { pflash } });
  return engine === "early"
    ? Object.assign(new Machine(configuration, images), { engine: new EagerEngine() })
    : new Machine(configuration, images, { engine });
}

Deno.test("engines execute code in flash that is programmed as the reference does, and keep what is compiled", () => {
  const roots = [...Object.keys(ENGINES), "early"].map((engine) => {
    const machine = machineOn(engine);
    for (let end = 20_011; end < 200_000; end += 20_011) machine.run(end);
    const { slots } = machine.board.cpus[0] as Machine["currentCpu"];
    assert((slots[25] as bigint) > 300n, `${engine}: ${slots[25]} rounds`);
    if (engine === "early") {
      const { regions, liveRegions } = (machine.engine as EagerEngine).compiled ??
        { regions: 0, liveRegions: 0 };
      assert(liveRegions > 0 && regions < 100, `${regions} compiled, ${liveRegions} live`);
    }
    return { engine, root: machine.stateRoot() };
  });
  for (const { engine, root } of roots) assertEquals(root, roots[0]?.root, engine);
});
