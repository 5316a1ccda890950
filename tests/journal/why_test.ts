/** Tests of backward slices of values: guests whose values have known origins. */
import { assertEquals, assertThrows } from "@std/assert";
import { QuestionError } from "../../journal/errors.ts";
import { lastWriters, type Subject, why } from "../../journal/why.ts";
import { SEED, seededRandom } from "./support.ts";
import { lines, POWER_OFF, recorded, register, tree } from "./why_support.ts";

Deno.test("why follows registers, flags and memory to constants and the boot image", () => {
  const { timeline, at } = recorded(`
start:  ldr     x1, word
        mov     x2, #3
        add     x3, x1, x2
        ldr     x4, =0x40200000
        stp     x3, x2, [x4]
        mov     x3, #99
        ldp     x5, x6, [x4], #16
        cmp     x5, #10
        csel    x0, x6, x5, ne
done:   ${POWER_OFF}
        .align  3
word:   .quad   7
`);
  assertEquals(tree(timeline, "x0", at("done")), [
    "x0: csel x0, x6, x5, ne",
    "  x5: ldp x5, x6, [x4], #16",
    "    [0x40200000, 8]: stp x3, x2, [x4]",
    "      x2: mov x2, #3",
    "      x3: add x3, x1, x2",
    "        x2: again mov x2, #3",
    "        x1: ldr x1, 0x40080030",
    '          [0x40080030, 8]: image: kernel "guest", offset 0x30',
    "    [0x40200008, 8]: again stp x3, x2, [x4]",
    "  x6: again ldp x5, x6, [x4], #16",
    "  nzcv: cmp x5, #10",
    "    x5: again ldp x5, x6, [x4], #16",
  ]);
  // With addresses: the literal that the stores and loads went by.
  const all = tree(timeline, "x5", at("done"), { address: true });
  assertEquals(all.filter((line) => line.includes("address ")), [
    "    address x4: ldr x4, 0x40080040",
    "  address x4: again ldr x4, 0x40080040",
  ]);
  // Limits are told where they cut.
  const shallow = why(timeline, register("x0"), at("done"), { depth: 2 });
  assertEquals(shallow.nodes.filter(({ cut }) => cut === "depth").map(({ depth }) => depth), [2, 2]);
  const few = why(timeline, register("x0"), at("done"), { count: 3 });
  assertEquals([few.nodes.length, few.nodes.some(({ cut }) => cut === "count")], [3, true]);
  const narrow = why(timeline, register("x0"), at("done"), { width: 1 });
  assertEquals(narrow.nodes.every(({ sources }) => sources.length <= 1), true);
  assertEquals(narrow.nodes.some(({ cut }) => cut === "width"), true);
});

Deno.test("why follows parts of memory to different writers, DC ZVA and unwritten memory", () => {
  const { timeline, at } = recorded(`
start:  ldr     x4, =0x40300000                 // a table of blocks of 1 GiB: 2 is where 1 is
        ldr     x0, =0x40000701
        str     x0, [x4, #8]
        str     x0, [x4, #16]
        msr     TTBR0_EL1, x4
        mov     x0, #0xff
        msr     MAIR_EL1, x0
        ldr     x0, =0x3519
        msr     TCR_EL1, x0
        isb
        mrs     x0, SCTLR_EL1
        orr     x0, x0, #1
        msr     SCTLR_EL1, x0
        isb
        ldr     x4, =0x40200000
        ldr     x6, =0x80200000
        mov     w1, #0x11
        mov     w2, #0x22
        dc      zva, x4
        strb    w1, [x6]
        strh    w2, [x4, #2]
        ldr     w0, [x6]
        ldr     x5, [x4, #0x60]
        mov     x7, #1
        add     x11, x6, #0xffc                 // in two pages
        add     x12, x4, #0xffc
        str     x7, [x11]
        ldr     x8, [x12]
done:   ${POWER_OFF}`);
  assertEquals(tree(timeline, "w0", at("done")), [
    "x0: ldr w0, [x6]",
    "  [0x40200002, 2]: strh w2, [x4, #2]",
    "    x2: mov w2, #34",
    "  [0x40200000, 1]: strb w1, [x6]",
    "    x1: mov w1, #17",
    "  [0x40200001, 1]: dc zva, x4",
  ]);
  assertEquals(tree(timeline, "x5", at("done")), [
    "x5: ldr x5, [x4, #96]",
    "  [0x40200060, 8]: zero: memory that nobody wrote",
  ]);
  assertEquals(tree(timeline, "x8", at("done")), [
    "x8: ldr x8, [x12]",
    "  [0x40200ffc, 4]: str x7, [x11]",
    "    x7: mov x7, #1",
    "  [0x40201000, 4]: again str x7, [x11]",
  ]);
  const memory = { kind: "memory", space: "virtual", address: 0x80200000n, size: 4 } as const;
  const { writers, target } = lastWriters(timeline, memory, at("done"));
  assertEquals(target.memory, { address: 0x40200000, size: 4 });
  assertEquals(writers.map(({ what, before, after, node }) => [what, before, after, node.kind]), [
    ["[0x40200002, 2]", 0x11n, 0x220011n, "step"],
    ["[0x40200000, 1]", 0n, 0x11n, "step"],
    ["[0x40200001, 1]", 0n, 0n, "step"],
  ]);
});

Deno.test("lastWriters finds writers of registers, with values before and after", () => {
  const { timeline, at } = recorded(`
start:  mov     x3, #0x300000
        msr     CPACR_EL1, x3
        isb
        mov     x1, #4
        mov     x2, #0
loop:   add     x2, x2, x1
        subs    x1, x1, #1
        b.ne    loop
        msr     TPIDR_EL0, x2
        fmov    d7, x2
done:   ${POWER_OFF}`);
  const ask = (name: string, before = at("done")) =>
    lastWriters(timeline, register(name), before).writers.map(({ what, before, after, node }) => [
      what,
      before,
      after,
      node.instant,
    ]);
  const loop = at("loop");
  assertEquals(ask("x2"), [["x2", 9n, 10n, loop + 9]]);
  assertEquals(ask("x2", loop + 4), [["x2", 4n, 7n, loop + 3]]);
  assertEquals(ask("nzcv"), [["nzcv", 2n, 6n, loop + 10]]);
  assertEquals(ask("TPIDR_EL0"), [["TPIDR_EL0", 0n, 10n, loop + 12]]);
  assertEquals(ask("tpidr_el0"), [["TPIDR_EL0", 0n, 10n, loop + 12]]);
  assertEquals(ask("v7"), [["v7.low, v7.high", 0n, 10n, loop + 13]]);
  assertEquals(ask("x25"), [["x25", undefined, 0n, 0]]);
  const refused = (subject: Subject, message: string, cpu?: number) =>
    assertThrows(() => lastWriters(timeline, subject, at("done"), { cpu }), QuestionError, message);
  refused(register("x31"), 'There is no register "x31"');
  refused(register("TPIDR_EL5"), 'Did you mean "TPIDR_EL');
  refused(register("x1"), "There is no cpu 3: the machine has 1", 3);
  const memory = (address: bigint, size: number): Subject => ({
    kind: "memory",
    space: "physical",
    address,
    size,
  });
  refused(memory(0x9000000n, 8), "it is no RAM");
  refused(memory(0x40200ffcn, 8), "in two pages");
  refused(memory(0x40200000n, 100), "1 to 64 can be");
});

/** Instructions of a random program, over x0–x7, four slots of memory at x9, flags and two vector registers. */
// deno-fmt-ignore
const TEMPLATES: readonly string[] = [
  "add X, X, X", "subs X, X, X", "eor X, X, X", "mov X, #I", "madd X, X, X, X", "csel X, X, X, ne", "cmp X, X",
  "adcs X, X, X", "str X, [x9, #M]", "ldr X, [x9, #M]", "strb W, [x9, #B]", "ldrb W, [x9, #B]", "ldr W, [x9, #F]",
  "bfi X, X, #5, #9", "ccmp X, X, #3, hi", "movk X, #I, lsl #16", "ldp X, Y, [x9, #M]", "stp X, Y, [x9, #M]",
  "fmov d0, X", "fmov X, d1", "add v1.2d, v0.2d, v1.2d", "str q0, [x9, #16]", "ldr q1, [x9, #16]", "rbit W, W",
  "msr TPIDR_EL0, X", "mrs X, TPIDR_EL0", "umulh X, X, X", "crc32x W, W, X",
];

Deno.test(`what is not in a slice with addresses does not change the value (SEED=${SEED})`, () => {
  for (let round = 0; round < 6; round++) {
    const random = seededRandom(SEED * 1000 + round);
    const line = (): string => {
      const first = random(8);
      return (TEMPLATES[random(TEMPLATES.length)] as string)
        .replace(/\b[XWYIMBF]\b/g, (letter) => {
          if (letter === "X" || letter === "W") return `${letter.toLowerCase()}${random(7)}`;
          if (letter === "Y") return "x7";
          if (letter === "F") return String(4 * random(7));
          return letter === "I"
            ? String(random(65536))
            : letter === "M"
            ? String(8 * random(3))
            : String(random(28));
        }).replace("q0, [x9, #16]", `q0, [x9, #${16 * (first & 1)}]`);
    };
    const body = Array.from({ length: 60 }, line);
    const source = (lines: readonly string[]): string =>
      `start: ldr x9, =0x40200000\n mov x10, #0x300000\n msr CPACR_EL1, x10\n isb\n` +
      [
        "mov x0, #1",
        "mov x1, #2",
        "mov x2, #3",
        "mov x3, #5",
        "mov x4, #7",
        "mov x5, #11",
        "mov x6, #13",
        "mov x7, #17",
      ]
        .join("\n") +
      `\nbody:\n${lines.join("\n")}\ndone:${POWER_OFF}`;
    const first = recorded(source(body));
    const begin = first.at("body"), end = first.at("done");
    for (const name of ["x0", "x3", "nzcv", "v1"]) {
      const { nodes, target } = why(first.timeline, register(name), end, {
        address: true,
        depth: 1e6,
        count: 1e6,
      });
      const kept = new Set(nodes.filter(({ kind }) => kind === "step").map(({ instant }) => instant - begin));
      const rest = body.map((text, index) => kept.has(index) ? text : "nop");
      const again = recorded(source(rest));
      const other = why(again.timeline, register(name), again.at("done"), { depth: 1 });
      assertEquals(
        other.target.value,
        target.value,
        `SEED=${SEED}, round ${round}, ${name}:\n${
          body.map((text, at) => `${kept.has(at) ? "* " : "  "}${text}`).join("\n")
        }`,
      );
      // Nor is all of it in the slice.
      assertEquals(kept.size < body.length, true);
    }
  }
});

Deno.test("why finds writers far back: of memory by watch points, of system registers by events", () => {
  const { timeline, at } = recorded(`
start:  mov     x0, #7
        ldr     x1, =0x40200000
        msr     TPIDR_EL1, x0
        add     x0, x0, #1
        str     x0, [x1]
        at      s1e1r, x1
        mov     x0, #60000
loop:   subs    x0, x0, #1
        b.ne    loop
        mrs     x2, TPIDR_EL1
        ldr     x3, [x1]
        add     x4, x2, x3
        mrs     x5, VBAR_EL1
done:   ${POWER_OFF}`);
  const result = why(timeline, register("x4"), at("done"));
  assertEquals(lines(result.root), [
    "x4: add x4, x2, x3",
    "  x3: ldr x3, [x1]",
    "    [0x40200000, 8]: str x0, [x1]",
    "      x0: add x0, x0, #1",
    "        x0: mov x0, #7",
    "  x2: mrs x2, TPIDR_EL1",
    "    TPIDR_EL1: msr TPIDR_EL1, x0",
    "      x0: again mov x0, #7",
  ]);
  assertEquals(result.effort.searches > 0, true);
  assertEquals(result.effort.steps < 60_000, true);
  assertEquals(tree(timeline, "x5", at("done")), ["x5: mrs x5, VBAR_EL1", "  VBAR_EL1: reset: power-on"]);
  assertEquals(tree(timeline, "PAR_EL1", at("done"))[0], "PAR_EL1: at s1e1r, x1");
  // A register that only steps write is given up where patience ends.
  const older = why(timeline, register("x30"), at("done"), { patience: 4096 });
  assertEquals(older.root.sources.map(({ node }) => node.kind), ["older"]);
});
