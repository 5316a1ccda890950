/** What comes of regions that are compiled late, in vain, or too many; the reference engine says what must come out. */
import { assert, assertEquals } from "@std/assert";
import { assertAgree } from "./agree.ts";
import { EAGER } from "./eager.ts";
import { LateCompiler } from "./late_compiler.ts";

/** Calls a function in each of three pages in turn, again and again. */
const THREE_PAGES = `
        mov     x19, #0
again:  bl      first
        bl      second
        bl      third
        b       again
        .balign 4096
first:  add     x19, x19, #1
        eor     x20, x20, x19
        ret
        .balign 4096
second: add     x19, x19, #2
        eor     x21, x21, x19, lsl #3
        ret
        .balign 4096
third:  add     x19, x19, #3
        eor     x22, x22, x19, lsr #1
        ret
`;

/** The same, and every 256 rounds the second function's first instruction becomes one that adds another number. */
const REWRITTEN = THREE_PAGES.replace(
  "        b       again",
  `        add     x23, x23, #1
        tst     x23, #255
        b.ne    again
        adr     x24, second
        ldr     w25, [x24]
        eor     w25, w25, #0x400
        str     w25, [x24]
        ic      ivau, x24
        dsb     ish
        isb
        b       again`,
);

Deno.test("CompiledEngine goes on without regions while its compiler does not answer", () => {
  const { requests, regions } = assertAgree(
    THREE_PAGES,
    (immediate) => new LateCompiler(immediate, () => false),
  );
  assert(requests > 0);
  assertEquals(regions, 0);
});

Deno.test("CompiledEngine takes in what comes late and in another order", () => {
  let isDue = false;
  const { requests, liveRegions, stale } = assertAgree(
    THREE_PAGES,
    (immediate) => new LateCompiler(immediate, () => isDue),
    { between: () => void (isDue = true) },
  );
  assert(requests >= 4);
  assertEquals([liveRegions, stale], [4, 0]);
});

Deno.test("CompiledEngine throws away a page that was rewritten while it was compiled", () => {
  let takes = 0;
  const { stale, regions } = assertAgree(
    REWRITTEN,
    (immediate) => new LateCompiler(immediate, () => ++takes % 50 === 0),
  );
  assert(stale > 0 && regions > 0, `${stale} stale, ${regions} regions`);
});

Deno.test("CompiledEngine gives up modules when there are too many bytes of them, and compiles them again", () => {
  const { evictions, liveBytes, regions } = assertAgree(THREE_PAGES, (immediate) => immediate, {
    policy: { ...EAGER, largestTotal: 4096 },
  });
  assert(evictions > 0 && regions > 4, `${evictions} evictions, ${regions} regions`);
  assert(liveBytes <= 4096, `${liveBytes} bytes`);
});

/** Runs over the end of one page into the next, with an addition as the last instruction and as the first. */
const OVER_THE_END = `
        mov     x19, #0
        b       again
        .balign 4096
        .space  4080
again:  eor     x20, x20, x19
        add     x21, x21, x20, lsl #2
        cbz     x22, last
last:   add     x19, x19, #1
        add     x19, x19, #2
        tbnz    x19, #1, again
        eor     x22, x22, x19
        b       again
`;

Deno.test("CompiledEngine goes from region to region over the end of a page", () => {
  const { regions } = assertAgree(OVER_THE_END, (immediate) => immediate);
  assert(regions >= 2, `${regions} regions`);
});

/** A function of two halves, of which the second is first executed when the first is long compiled. */
const LATER = `
        mov     x19, #0
again:  add     x19, x19, #1
        mov     x0, x19
        bl      halves
        b       again
        .balign 4096
halves: lsr     x1, x0, #10
        cbnz    x1, second
        add     x2, x2, x0
        ret
second: eor     x2, x2, x0, lsl #1
        add     x3, x3, x2
        ret
`;

Deno.test("CompiledEngine compiles a page again when what was not executed before becomes hot", () => {
  const { instructions } = assertAgree(LATER, (immediate) => immediate, {
    policy: { ...EAGER, reaches: false },
  });
  const once = 5 + 4; // of the first page, and of the first half
  assert(instructions >= once + 7, `${instructions} instructions`);
});
