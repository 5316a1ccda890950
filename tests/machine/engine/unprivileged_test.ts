/** LDTR and STTR on every engine: with and without UAO and PAN, misaligned, across pages, and where they fault. */
import { assert, assertEquals } from "@std/assert";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EagerEngine } from "./eager.ts";

/** RAM is there thrice: for EL1 alone, for EL0 too, and read-only. What faults adds its syndrome and is left out. */
const UNPRIVILEGED = `
        b       start
        .balign 2048
vectors: .space 0x200
        mrs     x12, esr_el1
        add     x11, x11, x12
        add     x15, x15, #1
        mrs     x12, elr_el1
        add     x12, x12, #4
        msr     elr_el1, x12
        eret
start:  adr     x0, vectors
        msr     vbar_el1, x0
        mov     x0, #0x40100000
        mov     x1, #0x40000000
        mov     x2, #0x0701
        orr     x1, x1, x2
        str     x1, [x0, #8]
        orr     x1, x1, #0x40
        str     x1, [x0, #16]
        orr     x1, x1, #0x80
        str     x1, [x0, #24]
        mov     x1, #0xff
        msr     mair_el1, x1
        msr     ttbr0_el1, x0
        mov     x1, #0x3519
        movk    x1, #0x80, lsl #16
        msr     tcr_el1, x1
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1
        msr     sctlr_el1, x1
        isb
        mov     x8, #0x40200000
        mov     x10, #0x80200000
        mov     x13, #0xc0200000
        mov     x1, #0
        mov     x9, #89
again:  mul     x2, x1, x9
        and     x2, x2, #0x3ffff
        add     x3, x10, x2
        add     x4, x8, x2
        add     x5, x13, x2
        sttr    x1, [x3]
        ldtr    x6, [x3]
        add     x7, x7, x6
        sttrh   w1, [x3, #19]
        ldtrsb  x6, [x3, #-3]
        add     x7, x7, x6
        ldr     x6, [x4]
        add     x7, x7, x6, lsl #1
        ldtr    w6, [x5]
        eor     x7, x7, x6
        str     x7, [x4, #24]
        ldr     x6, [x3, #24]
        add     x7, x7, x6, lsl #3
        tst     x1, #63
        b.ne    0f
        ldtr    x6, [x4]
        sttr    x7, [x4, #8]
        sttr    x7, [x5]
        SWITCH
0:      add     x1, x1, #1
        b       again
`;

/** Every 64 rounds UAO and PAN are what two bits of the counter say. */
const SWITCH = `
        .inst   0xd500407f
        .inst   0xd500409f
        tbz     x1, #7, 1f
        .inst   0xd500417f
1:      tbz     x1, #8, 2f
        .inst   0xd500419f
2:
`;

for (const cpu of ["cortex-a57", "max"] as const) {
  Deno.test(`LDTR and STTR are on every engine what the reference does (${cpu})`, () => {
    const guest = flatGuest(UNPRIVILEGED.replace("SWITCH", cpu === "max" ? SWITCH : ""));
    const [reference, ...others] = ["reference", "threaded", "compiled"].map((engine) => {
      const machine = new Machine(guest.configuration({ cpuModel: cpu }), guest.images, { engine });
      if (engine === "compiled") Object.assign(machine, { engine: new EagerEngine() });
      machine.run(60_000);
      machine.stateRoot(); // Pages are clean again.
      machine.run(120_000);
      return machine;
    }) as [Machine, ...Machine[]];
    const { slots } = reference.board.cpus[0] as { slots: BigUint64Array };
    assert(slots[1]! > 2000n, `${slots[1]} rounds`);
    assert(slots[15]! > 90n, `${slots[15]} faults`);
    for (const machine of others) {
      assertEquals(machine.board.cpus[0]?.slots.slice(0, 16), slots.slice(0, 16));
      assertEquals(machine.stateRoot(), reference.stateRoot());
    }
  });
}
