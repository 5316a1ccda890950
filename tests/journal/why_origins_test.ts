/** Tests of backward slices that go through exceptions, devices, other CPUs, interrupts and monitors. */
import { assertEquals, assertMatch } from "@std/assert";
import { why } from "../../journal/why.ts";
import { POWER_OFF, recorded, register, tree } from "./why_support.ts";

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
