/** Tests of backward slices: guests whose values have known origins. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { QuestionError } from "../../journal/errors.ts";
import type { SliceNode } from "../../journal/slice_graph.ts";
import { Timeline } from "../../journal/timeline.ts";
import { lastWriters, type Subject, why, type WhyOptions } from "../../journal/why.ts";
import "../../hypervisor/install.ts";
import type { ConfigurationInput } from "../../machine/configuration.ts";
import { disassemble } from "../../machine/a64/assembly.ts";
import type { Input } from "../../machine/events.ts";
import { flatGuest, type Guest, recordGuest } from "./guest.ts";
import { SEED, seededRandom } from "./support.ts";

const POWER_OFF = "\n        ldr     w0, =0x84000008\n        hvc     #0\n";

/** A guest of one CPU, recorded. */
function recorded(
  source: string,
  inputs: readonly { instant: number; input: Input }[] = [],
  cpus = 1,
  more: ConfigurationInput = {},
): { guest: Guest; timeline: Timeline; at: (label: string, nth?: number) => number } {
  const guest = flatGuest(source);
  const { run } = recordGuest(guest, { machine: { cpus, memoryMiB: 8, ...more }, inputs, limit: 200_000 });
  const timeline = new Timeline(run, guest.images);
  const steps = timeline.events(0, run.lastInstant, ["step"]);
  /** The instant at which a label is reached for the nth time. */
  const at = (label: string, nth = 0): number => {
    const address = guest.program.symbols.get(label);
    const found = steps.filter((event) => event.kind === "stepRetired" && event.pc === address)[nth];
    if (found === undefined) throw new Error(`${label} is not reached`);
    return found.instant;
  };
  return { guest, timeline, at };
}

const register = (name: string): Subject => ({ kind: "register", name });

/** A slice as lines: what, then the instruction or the origin, indented by depth; a node again is its number. */
function lines(root: SliceNode, indent = "", shown = new Set<SliceNode>()): string[] {
  return root.sources.flatMap(({ what, role, node }) => {
    const of = role === "value" ? "" : `${role} `;
    const text = node.step === undefined
      ? `${node.kind}${node.event === undefined ? "" : ` ${node.event.kind}`}${
        node.text === undefined ? "" : `: ${node.text}`
      }`
      : disassemble(node.step.opcode, node.step.pc);
    if (shown.has(node)) return [`${indent}${of}${what}: again ${text}`];
    shown.add(node);
    return [`${indent}${of}${what}: ${text}`, ...lines(node, `${indent}  `, shown)];
  });
}

function tree(timeline: Timeline, name: string, at: number, options: WhyOptions = {}): string[] {
  return lines(why(timeline, register(name), at, options).root);
}

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

Deno.test("why follows what an exception writes, and the flags that ERET brings back", () => {
  const { timeline, at } = recorded(`
start:  adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x1, #0x7000000000
        mov     x2, #8
        add     x3, x1, x2
        mov     x5, #5
        cmp     x5, #5
        ldr     x4, [x3]
next:   cset    x7, eq
        mov     x8, x6
done:   ${POWER_OFF}
        .align  11
vectors:
        .org    vectors + 0x200
        mrs     x6, FAR_EL1
        mrs     x9, ELR_EL1
        mrs     x10, ESR_EL1
        cmp     x9, #0
        add     x9, x9, #4
        msr     ELR_EL1, x9
        eret
        .org    vectors + 0x800
`);
  assertEquals(tree(timeline, "x8", at("done")), [
    "x8: mov x8, x6",
    "  x6: mrs x6, FAR_EL1",
    "    FAR_EL1: exception exceptionTaken",
    "      x3: add x3, x1, x2",
    "        x2: mov x2, #8",
    "        x1: mov x1, #481036337152",
  ]);
  assertEquals(tree(timeline, "x7", at("done")), [
    "x7: cset x7, eq",
    "  nzcv: return exceptionReturned",
    "    SPSR_EL1: exception exceptionTaken",
    "      nzcv: cmp x5, #5",
    "        x5: mov x5, #5",
  ]);
  assertEquals(tree(timeline, "pc", at("next")), [
    "pc: return exceptionReturned",
    "  ELR_EL1: msr ELR_EL1, x9",
    "    x9: add x9, x9, #4",
    "      x9: mrs x9, ELR_EL1",
    "        ELR_EL1: exception exceptionTaken",
  ]);
  assertEquals(tree(timeline, "x10", at("done")), [
    "x10: mrs x10, ESR_EL1",
    "  ESR_EL1: exception exceptionTaken",
  ]);
});

Deno.test("why ends in device registers with their input, in counters, and in what an operator changed", () => {
  const source = `
start:  ldr     x1, =0x09000000
        mov     w0, #0x301
        str     w0, [x1, #0x30]
wait:   ldr     w2, [x1, #0x18]
        tbnz    w2, #4, wait
        ldr     w3, [x1]
        add     w0, w3, #1
        mrs     x4, CNTVCT_EL0
        ldr     x6, =0x40200000
        ldr     x5, [x6]
done:   ${POWER_OFF}`;
  const inputs = [
    { instant: 30, input: { kind: "memoryPatched", address: 0x40200004, bytes: Uint8Array.of(1, 2) } },
    { instant: 40, input: { kind: "registerPatched", target: 0, register: "x9", value: 5n } },
    { instant: 50, input: { kind: "consoleReceived", bytes: new TextEncoder().encode("k") } },
  ] as const;
  const { timeline, at } = recorded(source, inputs);
  assertEquals(tree(timeline, "x0", at("done")), [
    "x0: add w0, w3, #1",
    "  x3: ldr w3, [x1]",
    "    [0x9000000, 4]: device deviceRead: uart0 at 0x9000000",
    "      console: input consoleReceived",
  ]);
  assertEquals(tree(timeline, "x4", at("done")), [
    "x4: mrs x4, CNTVCT_EL0",
    "  CNTVCT_EL0: machine: CNTVCT_EL0",
  ]);
  assertEquals(tree(timeline, "x5", at("done")), [
    "x5: ldr x5, [x6]",
    "  [0x40200004, 2]: input memoryPatched: patched",
    "  [0x40200000, 4]: zero: memory that nobody wrote",
    "  [0x40200006, 2]: zero: memory that nobody wrote",
  ]);
  assertEquals(tree(timeline, "x9", at("done")), ["x9: input registerPatched"]);
  assertEquals(tree(timeline, "x20", at("done")), ["x20: reset: power-on"]);
  // Another key is another value: the origin is one.
  const other = recorded(source, [{
    ...inputs[2],
    input: { ...inputs[2].input, bytes: new TextEncoder().encode("b") },
  }]);
  const value = (from: typeof other) => why(from.timeline, register("x0"), from.at("done")).target.value;
  assertEquals([value({ timeline, at } as typeof other), value(other)], [0x6cn, 0x63n]);
});

Deno.test("why follows a value from one CPU to another, through PSCI and memory", () => {
  const { timeline, at } = recorded(
    `
start:  ldr     x0, =0xc4000003                 // CPU_ON
        mov     x1, #1
        adr     x2, second
        mov     x3, #77
        hvc     #0
        ldr     x4, =0x40200000
wait:   ldr     x5, [x4]
        cbz     x5, wait
done:   ${POWER_OFF}
second: add     x6, x0, #1
        ldr     x4, =0x40200000
        str     x6, [x4]
1:      wfi
        b       1b
`,
    [],
    2,
  );
  assertEquals(tree(timeline, "x5", at("done"), { cpu: 0 }), [
    "x5: ldr x5, [x4]",
    "  [0x40200000, 8]: str x6, [x4]",
    "    x6: add x6, x0, #1",
    "      x0: firmware cpuStarted",
    "        x3: mov x3, #77",
  ]);
  // The value is there because the loop was left.
  const control = tree(timeline, "x5", at("done"), { cpu: 0, control: true, depth: 2 });
  assertEquals(control.filter((line) => line.includes("control ")), ["  control pc: cbz x5, 0x40080018"]);
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

Deno.test("why follows an acknowledged interrupt to who raised it", () => {
  const { timeline, at } = recorded(
    `
start:  adr     x0, vectors
        msr     VBAR_EL1, x0
        ldr     x21, =0x08000000
        ldr     x22, =0x08010000
        mov     w0, #1
        str     w0, [x21]                       // GICD_CTLR
        str     w0, [x22]                       // GICC_CTLR
        mov     w0, #0xff
        str     w0, [x22, #4]                   // GICC_PMR
        mov     w0, #0x100
        str     w0, [x21, #0x104]               // GICD_ISENABLER: 40
        mov     w0, #1
        strb    w0, [x21, #0x828]               // GICD_ITARGETSR
        mov     x5, #3
        cmp     x5, #3
        msr     DAIFClr, #2
loop:   b       loop
        .align  11
vectors:
        .org    vectors + 0x280                 // IRQ, same level
        ldr     w0, [x22, #0xc]                 // GICC_IAR
        mrs     x1, SPSR_EL1
done:   ${POWER_OFF}
        .org    vectors + 0x800
`,
    [{ instant: 100, input: { kind: "interruptInjected", interrupt: 40 } }],
  );
  assertEquals(tree(timeline, "x0", at("done")), [
    "x0: ldr w0, [x22, #12]",
    "  [0x801000c, 4]: device deviceRead: gicc at 0x801000c: interrupt 40, acknowledged",
    "    interrupt: device interruptRaised",
  ]);
  assertEquals(tree(timeline, "x1", at("done")), [
    "x1: mrs x1, SPSR_EL1",
    "  SPSR_EL1: exception exceptionTaken",
    "    control interrupt: device interruptRaised",
    "    nzcv: cmp x5, #3",
    "      x5: mov x5, #3",
  ]);
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

Deno.test("why follows what a monitor gave: answers of calls to their arguments, injected exceptions to the monitor", () => {
  const { timeline, at } = recorded(
    `
start:  adr     x9, vectors
        msr     VBAR_EL1, x9
        ldr     w0, =0x8600ff01                 // no service
        mov     x1, #5
        hvc     #0
        add     x10, x0, #1
called: hvc     #7                              // reserved: UNDEFINED
done:   ${POWER_OFF}
        .balign 2048
vectors: .space 0x200
        mrs     x11, ESR_EL1
        add     x12, x11, #1
        b       done
`,
    [],
    1,
    { monitors: [{ level: 2, systems: [] }], memoryMiB: 32 },
  );
  const [answer, firmware, argument] = tree(timeline, "x10", at("called"));
  assertEquals([answer, firmware], ["x10: add x10, x0, #1", "  x0: firmware guestRegisterWritten"]);
  assertMatch(argument ?? "", /^ {4}x0: ldr w0, /);
  assertEquals(tree(timeline, "x12", at("done")).slice(0, 3), [
    "x12: add x12, x11, #1",
    "  x11: mrs x11, ESR_EL1",
    "    ESR_EL1: firmware exceptionInjected",
  ]);
});
