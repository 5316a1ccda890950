/** Calls from region to region that do not come back as they should, or at once; the reference engine says what comes out. */
import { assert } from "@std/assert";
import { assertAgree } from "./agree.ts";
import { EAGER } from "./eager.ts";
import { LEVELS } from "./levels.ts";

/** Recursion between two pages, deeper than calls of regions go, by BL and by BLR. */
const DEEP = `
        mov     x0, #0x41000000
        mov     sp, x0
        adr     x25, odd
again:  mov     x0, #45
        bl      even
        eor     x20, x20, x0
        add     x19, x19, #1
        b       again
        .balign 4096
even:   stp     x29, x30, [sp, #-16]!
        subs    x0, x0, #1
        b.le    1f
        blr     x25
        add     x0, x0, x19
1:      cinc    x0, x0, ne
        ldp     x29, x30, [sp], #16
        ret
        .balign 4096
odd:    stp     x29, x30, [sp, #-16]!
        subs    x0, x0, #2
        b.le    1f
        bl      even
        adc     x0, x0, x19
1:      csinv   x0, x0, x19, ne
        ldp     x29, x30, [sp], #16
        ret
`;

/** A function that sometimes returns behind the next instruction, sometimes to its caller's caller, sometimes twice. */
const ASTRAY = `
        mov     x0, #0x41000000
        mov     sp, x0
again:  bl      outer
        add     x20, x20, #1
        add     x21, x21, x20
        b       again
        .balign 4096
outer:  stp     x29, x30, [sp, #-16]!
        bl      inner
        add     x22, x22, #1
        eor     x23, x23, x22
        ldp     x29, x30, [sp], #16
        ret
        .balign 4096
inner:  add     x19, x19, #1
        tst     x19, #3
        b.eq    skips
        tst     x19, #7
        b.eq    leaps
        tst     x19, #0x10
        b.eq    twice
        ret
skips:  add     x30, x30, #4
        ret
leaps:  ldp     x29, x30, [sp], #16
        br      x30
twice:  mov     x5, x30
        bl      third
        mov     x30, x5
        ret
        .balign 4096
third:  eor     x24, x24, x19, lsl #1
        ret
`;

/** A function that changes the instruction that its caller goes on with, every so often. */
const REWRITES_CALLER = `
        mov     x19, #0
        b       again
        .balign 4096
again:  bl      change
back:   add     x20, x20, #1
        eor     x21, x21, x20, lsl #3
        b       again
        .balign 4096
change: add     x19, x19, #1
        tst     x19, #127
        b.ne    1f
        adr     x24, back
        ldr     w25, [x24]
        eor     w25, w25, #0x800
        str     w25, [x24]
        ic      ivau, x24
        dsb     ish
        isb
1:      ret
`;

/** Copies two callers to pages that take turns at one address: what they call says when. */
const REMAPS_CALLER = `${LEVELS}
        mov     x27, #0x40300000
        orr     x2, x27, #0x700
        orr     x2, x2, #3
        str     x2, [x26]
        adr     x1, first
        add     x2, x27, #1, lsl #12
        mov     x3, #16
1:      ldr     w4, [x1], #4
        str     w4, [x27], #4
        ldr     w4, [x1, #12]
        str     w4, [x2], #4
        subs    x3, x3, #4
        b.ne    1b
        ic      iallu
        dsb     sy
        isb
        adr     x25, change
        mov     x28, #0x80000000
        br      x28
first:  add     x20, x20, #1
        blr     x25
        add     x21, x21, x20
        b       first
second: add     x20, x20, #1
        blr     x25
        eor     x21, x21, x20, lsl #1
        b       second
        .balign 4096
change: add     x19, x19, #1
        tst     x19, #63
        b.ne    1f
        ldr     x1, [x26]
        eor     x1, x1, #0x1000
        str     x1, [x26]
        dsb     ishst
        tlbi    vmalle1
        dsb     ish
        isb
1:      ret
`;

/** A call from the last word of a page, of a function whose first access faults now and then. */
const FAULTS = `
        mov     x0, #0x41000000
        mov     sp, x0
        adr     x1, vectors
        msr     vbar_el1, x1
        adr     x9, number
        isb
        b       again
        .balign 4096
        .space  4080
again:  add     x19, x19, #1
        and     x2, x19, #31
        cmp     x2, #5
        bl      access
        eor     x20, x20, x0
        b       again
        .balign 4096
access: csinc   x8, x9, x9, ne
        ldar    w0, [x8]
        add     x0, x0, x19
        str     w0, [x9]
        ret
        .balign 8
number: .word   1
        .word   0
        .balign 2048
vectors: .space 512
        mrs     x3, elr_el1
        add     x3, x3, #4
        msr     elr_el1, x3
        mrs     x4, esr_el1
        add     x22, x22, x4
        mov     x0, x4
        eret
`;

const PROGRAMS = { DEEP, ASTRAY, REWRITES_CALLER, REMAPS_CALLER, FAULTS };

for (const [name, source] of Object.entries(PROGRAMS)) {
  Deno.test(`CompiledEngine calls from region to region as the reference does: ${name}`, () => {
    for (const reaches of [true, false]) {
      const { regions } = assertAgree(source, undefined, { policy: { ...EAGER, reaches } });
      assert(regions >= 2, `${regions} regions`);
    }
  });
}
