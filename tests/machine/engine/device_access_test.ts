/** Accesses to devices by every engine: of all sizes, either way, and where nothing answers. */
import { assert, assertEquals } from "@std/assert";
import { recordFlat } from "../../../bench/machines.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import type { EventKind } from "../../../machine/events.ts";
import { ENGINES } from "../../../machine/machine.ts";

const START = Deno.readTextFileSync(new URL("../../../bench/programs/start.s", import.meta.url));

/** The PL011's registers by loads and stores of all kinds, and the PL031's between them, often enough to be hot. */
const PROGRAM = `
run:    ldr     x1, =UART
        ldr     x2, =0x09010000
        mov     x9, #0
1:      mov     w3, #0x1234
        sub     w3, w3, w0
        str     w3, [x1, #0x24]                 // UARTIBRD
        strh    w3, [x1, #0x38]                 // UARTIMSC
        strb    w3, [x1, #0x24]
        str     xzr, [x1, #0x28]                // UARTFBRD and UARTLCR_H
        str     x3, [x1, #0x20]
        stp     w3, wzr, [x1, #0x24]
        stlr    w3, [x1]
        ldr     w4, [x1, #0x24]
        add     x9, x9, x4
        ldrh    w4, [x1, #0x24]
        add     x9, x9, x4
        ldrsb   x4, [x1, #0x25]
        add     x9, x9, x4
        ldrsw   x4, [x2]                        // RTCDR
        add     x9, x9, x4
        ldr     x4, [x1, #0x20]
        add     x9, x9, x4
        ldp     w4, w5, [x1, #0x18]
        add     x9, x9, x4
        ldr     x4, [x1, #0xff0]
        add     x9, x9, x4
        ldar    w4, [x2]
        ldr     s0, [x1, #0xfe0]
        fmov    w4, s0
        add     x9, x9, x4
        ldr     q0, [x1, #0xfe0]
        fmov    x4, d0
        add     x9, x9, x4
        ror     x9, x9, #3
        subs    x0, x0, #1
        b.ne    1b
        mov     w3, #0
        str     w3, [x1, #0x38]
        mov     x0, x9
        ret
        .ltorg
`;

function record(engine: string, rounds: number) {
  const symbols = { ROUNDS: BigInt(rounds), SIZE: 4096n, DATA: 0x44000000n };
  const sources = [{ name: "start.s", text: START }, { name: "devices.s", text: PROGRAM }];
  const { bytes } = assembleProgram(sources, { base: 0x40080000n, symbols });
  const { text, steps, roots, run } = recordFlat(bytes, { engine });
  const events = [...run.stored({ from: 0, to: Infinity, classes: ["trap", "device"] })];
  return { text, steps, roots, events };
}

for (const rounds of [3, 200]) {
  Deno.test(`engines access devices alike, ${rounds} rounds`, () => {
    const [first, ...others] = Object.keys(ENGINES).map((engine) => record(engine, rounds));
    assert(first !== undefined);
    const count = (wanted: EventKind) => first.events.filter(({ kind }) => kind === wanted).length;
    assert(count("deviceRead") > 15 * rounds && count("deviceWritten") > 9 * rounds, "the program ran");
    for (const other of others) assertEquals(other, first);
  });
}
