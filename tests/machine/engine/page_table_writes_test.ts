/** Writes of descriptors by code that has become hot: those that change nothing, and those that do. */
import { assert } from "@std/assert";
import { assertAgree } from "./agree.ts";
import { LEVELS } from "./levels.ts";

/** Maps pages at 2 GiB one after the other, each time to other memory, reads and writes there, and unmaps them again. */
const MAPS = `${LEVELS}
        mov     x27, #0x40300000
        mov     x28, #0x80000000
        mov     x9, #0x703
again:  add     x19, x19, #1
        mov     x5, #0
map:    add     x6, x5, x19
        and     x6, x6, #63
        orr     x6, x9, x6, lsl #12
        orr     x6, x6, x27
        str     x6, [x26, x5, lsl #3]   // none was there
        add     x5, x5, #1
        cmp     x5, #8
        b.ne    map
        dsb     ishst
        mov     x5, #0
use:    add     x7, x28, x5, lsl #12
        ldr     x8, [x7, #8]
        add     x8, x8, x19
        str     x8, [x7, #8]
        eor     x20, x20, x8
        add     x5, x5, #1
        cmp     x5, #8
        b.ne    use
        str     x6, [x26, #8]           // one was there: the last one's page is the second's as well
        dsb     ishst
        tlbi    vmalle1
        dsb     ish
        isb
        ldr     x8, [x28, #4104]
        eor     x21, x21, x8
        mov     x5, #0
unmap:  str     xzr, [x26, x5, lsl #3]
        add     x5, x5, #1
        cmp     x5, #8
        b.ne    unmap
        dsb     ishst
        tlbi    vmalle1
        dsb     ish
        isb
        b       again
`;

Deno.test("CompiledEngine sees what writes to translation tables change", () => {
  const { regions } = assertAgree(MAPS);
  assert(regions > 0, `${regions} regions`);
});
