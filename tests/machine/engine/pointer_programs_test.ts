/** Programs that sign pointers, and whose EL2 traps what they rely on now and then, beside the reference engine. */
import { assert, assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EagerEngine } from "./eager.ts";

/** EL1 changes keys and SCTLR_EL1.EnIA, signs, authenticates right and wrong, and reads registers; EL2 traps these in turns. */
const PROGRAM = `
        mov     x0, #0x80000000
        movk    x0, #0x300, lsl #32     // RW, APK, API
        msr     hcr_el2, x0
        adr     x1, vectors
        msr     vbar_el2, x1
        mov     x1, #0x3c5
        msr     spsr_el2, x1
        adr     x1, kernel
        msr     elr_el2, x1
        mov     x25, #0
        mov     x26, #0
        eret
kernel: mov     x0, #0x0800
        movk    x0, #0xf8d0, lsl #16
        msr     sctlr_el1, x0
        isb
        mov     x19, #0
        adr     x1, kernel
        mov     sp, x1
again:  add     x19, x19, #1
        msr     apiakeylo_el1, x19
        msr     apibkeyhi_el1, x19
        adr     x30, kernel
        paciasp
        eor     x7, x7, x30
        autiasp
        add     x7, x7, x30
        mov     x2, x19
        pacib   x2, x19
        eor     x7, x7, x2
        autia   x2, x19                 // another key
        eor     x7, x7, x2, lsl #1
        xpaci   x2
        pacga   x3, x2, x19
        add     x7, x7, x3
        msr     tpidr_el1, x7
        mrs     x4, tpidr_el1
        mrs     x5, apiakeylo_el1
        eor     x7, x4, x5
        and     x4, x19, #63
        cbnz    x4, again
        eor     x0, x0, #0x80000000     // EnIA
        msr     sctlr_el1, x0
        isb
        and     x4, x19, #127
        cbnz    x4, again
        hvc     #0
        xpaci   x2
        b       again
        .balign 2048
vectors:
        .skip   0x400
        mrs     x20, esr_el2
        lsr     x20, x20, #26
        cmp     x20, #0x16              // HVC
        b.eq    call
        add     x25, x25, #1
        mrs     x21, elr_el2            // trapped: nothing traps any more
        eor     x26, x26, x20
        mov     x0, #0x80000000
        movk    x0, #0x300, lsl #32
        msr     hcr_el2, x0
        msr     hfgrtr_el2, xzr
        b       restore
call:   add     x24, x24, #1
        and     x21, x24, #3
        mov     x22, #0x200000000       // HFGRTR_EL2.TPIDR_EL1
        cmp     x21, #1
        csel    x22, x22, xzr, eq
        msr     hfgrtr_el2, x22
        mov     x22, #0x80000000
        cmp     x21, #2
        cset    x23, ne
        orr     x22, x22, x23, lsl #41  // API
        cmp     x21, #3
        cset    x23, ne
        orr     x22, x22, x23, lsl #40  // APK
        msr     hcr_el2, x22
restore:
        mrs     x0, sctlr_el1
        eret
`;

/** Runs it on the reference engine and, compiled early, on the compiled one; the registers at the end. */
function assertAgree(steps: number, cpuModel: "max" | "max,pauth-impdef=on"): BigUint64Array {
  const guest = flatGuest(PROGRAM), configuration = guest.configuration({ cpuModel, virtualization: true });
  const reference = new Machine(configuration, guest.images, { engine: "reference" });
  const compiled = Object.assign(new Machine(configuration, guest.images), { engine: new EagerEngine() });
  const slots = ({ board }: Machine) => (board.cpus[0] as Cpu).slots.slice(0, 31);
  for (let limit = 10_000; limit <= steps; limit += 10_000) {
    for (const machine of [reference, compiled]) machine.run(limit);
    assertEquals(slots(compiled), slots(reference), `registers at ${limit}`);
    assertEquals(compiled.stateRoot(), reference.stateRoot(), `root at ${limit}`);
  }
  return slots(compiled);
}

Deno.test("engines sign and authenticate as the reference does, while EL2 traps it now and then", () => {
  const slots = assertAgree(120_000, "max");
  assert(slots[24]! > 10n && slots[25]! > 5n, `${slots[24]} calls, ${slots[25]} traps`);
});

Deno.test("engines sign by the hash of pauth-impdef=on as the reference does", () => {
  assert(assertAgree(50_000, "max,pauth-impdef=on")[24]! > 3n);
});
