/** Performance monitors as a profiler uses them: counts between two places, samples by interrupt, and waiting for one. */
import { assertEquals } from "@std/assert";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";

const PERIOD = 1000, SAMPLES = 20, WAIT = 5000;

/** X20: instructions of a loop of 2001; X21: samples; X22: least and X23 most instructions between them; X24: time waited. */
const profiled = flatGuest(`
        .equ    PSCI_CPU_ON, 0xc4000003
        adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x1, #0x08000000         // distributor
        mov     w2, #1
        str     w2, [x1]
        movz    w2, #0x80, lsl #16      // interrupt 23
        str     w2, [x1, #0x100]
        movz    x1, #0x0801, lsl #16
        mov     w2, #1
        str     w2, [x1]
        mov     w2, #0xff
        str     w2, [x1, #4]
        ldr     x0, =PSCI_CPU_ON
        mov     x1, #1
        adr     x2, other
        hvc     #0
        mov     x2, #8                  // INST_RETIRED
        msr     PMEVTYPER0_EL0, x2
        msr     PMEVTYPER1_EL0, x2
        mov     x2, #3
        msr     PMCNTENSET_EL0, x2
        mov     x2, #0x41
        msr     PMCR_EL0, x2
        mrs     x3, PMEVCNTR0_EL0
        mov     x4, #1000
1:      sub     x4, x4, #1
        cbnz    x4, 1b
        mrs     x5, PMEVCNTR0_EL0
        sub     x20, x5, x3
        // Samples.
        mov     x21, #0
        mov     x22, #0xffff
        mov     x23, #0
        mov     w10, #-${PERIOD}
        mrs     x11, PMEVCNTR1_EL0
        msr     PMEVCNTR0_EL0, x10
        mov     x2, #1
        msr     PMINTENSET_EL1, x2
        msr     daifclr, #2
2:      add     x12, x12, #1
        ldr     x13, [sp]
        svc     #1
        cmp     x21, #${SAMPLES}
        b.lo    2b
        // A wait for the cycle counter.
        msr     daifset, #2
        msr     PMINTENCLR_EL1, x2
        mov     x10, #-${WAIT}
        movz    x2, #0x8000, lsl #16
        msr     PMINTENSET_EL1, x2
        msr     PMCNTENSET_EL0, x2
        msr     PMCCNTR_EL0, x10
        mrs     x14, CNTPCT_EL0
        wfi
        mrs     x15, CNTPCT_EL0
        sub     x24, x15, x14
        mrs     x25, PMOVSSET_EL0
        ldr     x0, =0x84000008
        hvc     #0
        b       .
other:  add     x6, x6, #1
        yield
        b       other
        .ltorg
        .balign 2048
vectors:
        .space  512
        eret                            // SVC
        .balign 128
        mrs     x16, PMEVCNTR1_EL0
        sub     x17, x16, x11
        mov     x11, x16
        cmp     x17, x22
        csel    x22, x17, x22, lo
        cmp     x17, x23
        csel    x23, x17, x23, hi
        movz    x1, #0x0801, lsl #16
        ldr     w18, [x1, #0xc]
        add     x21, x21, #1
        mov     x2, #1
        msr     PMEVCNTR0_EL0, x10
        msr     PMOVSCLR_EL0, x2
        str     w18, [x1, #0x10]
        eret
`);

function run(engine: "reference" | "threaded", more: ConfigurationInput) {
  const machine = new Machine(profiled.configuration({ cpus: 2, quantum: 777, ...more }), profiled.images, {
    engine,
  });
  assertEquals(machine.run(2_000_000).reason, "poweredOff");
  return machine;
}

Deno.test("instructions and cycles are counted, and overflow raises its interrupt, exactly and alike on every engine", () => {
  const machines = (["reference", "threaded"] as const).map((engine) => run(engine, {}));
  const registers = machines[0]?.board.cpus[0]?.registers;
  const [loop, samples, least, most, waited, overflowed] = [20, 21, 22, 23, 24, 25].map((n) =>
    Number(registers?.x(n))
  );
  assertEquals(loop, 2002, "instructions from one MRS to the other");
  assertEquals(samples, SAMPLES);
  // A period, and before it what the handler does until it starts the next one.
  assertEquals([least, most], [PERIOD + 1, PERIOD + 11]);
  assertEquals(waited !== undefined && Math.abs(waited * 16 - WAIT) < 200, true, `waited ${waited}`);
  assertEquals(overflowed, 0x8000_0000);
  assertEquals(machines[1]?.stateRoot(), machines[0]?.stateRoot());
});

Deno.test("counters go on from a snapshot as if nothing had happened", () => {
  const whole = run("threaded", {});
  for (const instant of [3_000, 7_777, 20_000]) {
    const cut = new Machine(whole.configuration, profiled.images),
      after = new Machine(whole.configuration, profiled.images);
    cut.run(instant);
    after.restore(cut.snapshot());
    after.run(2_000_000);
    assertEquals(after.stateRoot(), whole.stateRoot(), `at ${instant}`);
  }
});
