/** Processes that misuse what the dual-width kernel gives them: it ends them or refuses, and others go on. */
import { assertEquals, assertMatch } from "@std/assert";
import { spinner } from "../../../firmware/dual_width/programs.ts";
import { smallProcess } from "../../../firmware/dual_width/small_process.ts";
import { run } from "./support.ts";

const KERNEL = "0x800000084000";

/** What a process of this source prints, and what follows it. */
function consoleOf(source: string): string[] {
  const process = smallProcess(
    "misuse",
    `on_signal:\n${source}\n        mov     x0, #0\n        call    EXIT\n`,
  );
  const { console, stop } = run({ form: "el2", processes: [process, spinner("B", 2)] });
  assertEquals(stop.reason, "poweredOff");
  const lines = console.split("\n");
  assertMatch(lines.at(-2) ?? "", / by B$/);
  return lines.slice(0, -2);
}

// deno-fmt-ignore
const ENDED: readonly [string, string, RegExp][] = [
  ["no stack for a signal",        "_start: mov x0, #11; bl handle; mov x0, #0; mov sp, x0; ldr x0, [x0]",      /^pid 1 ended by signal 11: ESR 0x92000006 FAR 0x0 /],
  ["a stack of the kernel's",      `_start: mov x0, #11; bl handle; ldr x1, =${KERNEL}; mov sp, x1; mov x0, #0; ldr x0, [x0]; .ltorg`, /^pid 1 ended by signal 11: ESR 0x92000006 FAR 0x0 /],
  ["a blocked fault",              "_start: mov x0, #11; bl handle; mov x0, #0; adr x1, all; mov x2, #0; mov x3, #8; call 135; mov x0, #0; ldr x0, [x0]; all: .quad -1", /^pid 1 ended by signal 11: /],
  ["a handler that is not there",  "_start: mov x0, #11; adr x1, wrong; mov x2, #0; mov x3, #8; call SIGACTION; mov x0, #0; ldr x0, [x0]; .balign 8; wrong: .quad 0x1000, 0, 0, -1", /^pid 1 ended by signal 11: ESR 0x82000006 FAR 0x1000 PC 0x1000$/],
  ["a jump to the kernel",         `_start: ldr x0, =${KERNEL}; br x0; .ltorg`,                                   /^pid 1 ended by signal 11: ESR 0x82000004 FAR 0x800000084000 PC 0x800000084000$/],
  ["a system register",            "_start: mrs x0, ttbr0_el1",                                                  /^pid 1 ended by signal 4: /],
  ["a write to the shim", "_start: ldr x1, =0x7ffffffff000; str x0, [x1]; .ltorg",               /^pid 1 ended by signal 11: ESR 0x9200004f FAR 0x7ffffffff000 /],
  ["sigreturn to EL2",             "_start: sub sp, sp, #2048; sub sp, sp, #2048; sub sp, sp, #1024; mov x1, #0x3c9; str x1, [sp, #576]; adr x1, there; str x1, [sp, #568]; call SIGRETURN; b .; there: mrs x0, currentel", /^pid 1 ended by signal 4: /],
];

for (const [what, source, message] of ENDED) {
  Deno.test(`the kernel ends a process for ${what}`, () => {
    const lines = consoleOf(source);
    assertEquals(lines.length, 1, lines.join("\n"));
    assertMatch(lines[0] as string, message);
  });
}

Deno.test("the kernel gives no more memory than there is, takes all of it back, and gives it again", () => {
  const lines = consoleOf(
    `
        .macro  try size
        ldr     x0, =(\\size)
        add     x0, x0, x21
        call    214
        sub     x0, x0, x21
        bl      print_number
        adr     x0, newline
        bl      print
        .endm
_start: mov     x0, #0
        call    214
        mov     x21, x0
        mov     x22, #3
1:      try     0x20000
        try     0x1000000               // more than the window
        try     0
        subs    x22, x22, #1
        b.ne    1b
        mov     x0, #0
        mov     x1, #0x1000000
        mov     x2, #3
        mov     x3, #0x22
        call    222
        neg     x0, x0
        bl      print_number
        adr     x0, newline
        bl      print
        try     0x20000
        b       end
newline: .asciz "\\n"
        .balign 8
        .ltorg
end:`,
  );
  assertEquals(lines, [
    ...["20000", "20000", "0"],
    ...["20000", "20000", "0"],
    ...["20000", "20000", "0"],
    "c",
    "20000",
  ]);
});

Deno.test("the kernel writes what there is before a fault, and says how much", () => {
  const lines = consoleOf(`
_start: mov     x0, #1
        ldr     x1, =0x400ffe
        mov     w2, #0x6968             // "hi"
        strh    w2, [x1]
        mov     x2, #10
        call    WRITE
        bl      print_number
        mov     x0, #1
        adr     x1, newline
        mov     x2, #1
        call    WRITE
        b       end
newline: .asciz "\\n"
        .balign 8
        .ltorg
end:`);
  assertEquals(lines, ["hi2"]);
});
