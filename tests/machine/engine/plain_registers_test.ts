/** System instructions that generated code executes itself, beside the reference: with interrupts coming and going. */
import { assert, assertEquals } from "@std/assert";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";

/** Turns the MMU on over RAM and the GIC, has the virtual timer interrupt, and masks and unmasks it all the time. */
const PROGRAM = `
        mov     x0, #0x40100000
        mov     x1, #0x40000000
        mov     x2, #0x0701
        orr     x1, x1, x2
        str     x1, [x0, #8]
        mov     x1, #0x0405
        movk    x1, #0x0060, lsl #48
        str     x1, [x0]
        mov     x1, #0xff
        msr     mair_el1, x1
        msr     ttbr0_el1, x0
        mov     x1, #0x3519
        movk    x1, #0x80, lsl #16
        msr     tcr_el1, x1
        adr     x1, vectors
        msr     vbar_el1, x1
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1
        msr     sctlr_el1, x1
        isb
        mov     x10, #0x08000000        // GICv2: distributor
        mov     x11, #0x08010000        // and CPU interface
        mov     w1, #1
        str     w1, [x10]
        mov     w2, #0x08000000
        str     w2, [x10, #0x100]
        mov     w2, #0xff
        str     w2, [x11, #4]
        str     w1, [x11]
        mov     x12, #37
        msr     cntv_tval_el0, x12
        msr     cntv_ctl_el0, x1
        mov     x0, #0x40200000
        mov     x19, #0
again:  mrs     x3, daif
        msr     daifset, #2
        add     x7, x7, x3
        mrs     x4, ctr_el0
        mrs     x5, dczid_el0
        add     x7, x7, x4, lsl #1
        eor     x7, x7, x5
        msr     daifclr, #2
        and     x6, x19, #0xff000
        add     x6, x6, x0
        dc      cvau, x6
        ic      ivau, x6
        dc      civac, x6
        str     x7, [x6]
        tlbi    vae1is, x6
        msr     daif, x3
        msr     sp_el0, x7
        msr     tpidr_el0, x19
        msr     tpidr_el1, x7
        mrs     x8, sp_el0
        mrs     x9, tpidr_el0
        mrs     x13, tpidr_el1
        eor     x7, x8, x9
        add     x7, x7, x13, lsr #3
        msr     daifset, #15
        mrs     x14, daif
        add     x7, x7, x14
        msr     daifclr, #10
        msr     elr_el1, x7
        msr     spsr_el1, x14
        mrs     x15, elr_el1
        mrs     x16, spsr_el1
        mrs     x17, esr_el1
        mrs     x18, far_el1
        eor     x15, x15, x16
        add     x15, x15, x17
        add     x7, x7, x15
        msr     daif, xzr
        add     x19, x19, #73
        b       again
        .balign 2048
vectors:
        .space  0x280
        ldr     w20, [x11, #12]
        mrs     x21, elr_el1
        mrs     x22, spsr_el1
        add     x23, x23, x21
        eor     x23, x23, x22
        add     x24, x24, #1
        add     x12, x12, #3
        and     x12, x12, #0x1ff
        msr     cntv_tval_el0, x12
        str     w20, [x11, #16]
        eret
`;

Deno.test("engines execute system instructions as the reference does, while a timer interrupts", () => {
  const guest = flatGuest(PROGRAM);
  const machines = Object.keys(ENGINES).map((engine) => {
    const machine = new Machine(guest.configuration({ gicVersion: 2 }), guest.images, { engine });
    for (let end = 0; end < 400_000; end += 90_001) machine.run(end);
    return machine;
  });
  const [reference, ...others] = machines as [Machine, ...Machine[]];
  const { slots, registers } = reference.board.cpus[0] as NonNullable<Machine["board"]["cpus"][0]>;
  assert(
    (slots[24] as bigint) > 100n,
    `${slots[24]} interrupts, ${slots[19]} of work, at ${registers.pc.toString(16)}`,
  );
  for (const other of others) assertEquals(other.stateRoot(), reference.stateRoot(), other.engine.name);
});
