/** Calls from EL0 and returns to it, on every engine beside the reference: with interrupts, faults and illegal returns. */
import { assert, assertEquals } from "@std/assert";
import type { MachineEvent } from "../../../machine/events.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EagerEngine } from "./eager.ts";

/**
 * EL0 calls, loads exclusively, uses FP where that traps or does not, and registers that it may not use; EL1 counts in
 * x24, answers by the number of calls in x25 in other ways than a plain return, and has a timer interrupt both levels.
 */
const PROGRAM = `
        mov     x0, #0x40100000         // level 1: devices, RAM by blocks of 2 MiB
        mov     x1, #0x0405
        movk    x1, #0x0060, lsl #48
        str     x1, [x0]
        add     x2, x0, #1, lsl #12
        orr     x1, x2, #3
        str     x1, [x0, #8]
        mov     x1, #0x40000000         // code, for EL0 and EL1, never written
        mov     x3, #0x7c1
        orr     x1, x1, x3
        str     x1, [x2]
        mov     x1, #0x40200000         // data of EL0
        mov     x3, #0x741
        movk    x3, #0x0060, lsl #48
        orr     x1, x1, x3
        str     x1, [x2, #8]
        mov     x1, #0xff
        msr     mair_el1, x1
        msr     ttbr0_el1, x0
        mov     x1, #0x3519
        movk    x1, #0x80, lsl #16
        msr     tcr_el1, x1
        adr     x1, vectors
        msr     vbar_el1, x1
        mov     x1, #0x100000           // FP traps at EL0
        msr     cpacr_el1, x1
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
        mov     x28, #0x40200000
        mov     x1, #0x40300000
        msr     sp_el0, x1
        mov     x1, #0x40380000
        mov     sp, x1
        adr     x1, user
        msr     elr_el1, x1
        msr     spsr_el1, xzr
        eret
user:   add     x3, x3, #1
        ldxr    x4, [x28]
        svc     #7
        stxr    w5, x3, [x28]
        add     x6, x6, x5
        svc     #0xffff
        subs    x7, x3, #3
        str     x3, [sp, #-16]!
        fmov    d0, x3
        fadd    d1, d1, d0
        svc     #1
        mrs     x8, elr_el1
        ldr     x9, [sp], #16
        add     x6, x6, x9
        b       user

again:  mrs     x13, esr_el1
        mrs     x14, elr_el1
        mrs     x15, spsr_el1
        mrs     x16, far_el1
        add     x24, x24, x13
        eor     x24, x24, x14, lsl #3
        add     x24, x24, x15, lsl #7
        eor     x24, x24, x16, ror #11
        mov     x0, sp
        add     x24, x24, x0
        lsr     x13, x13, #26
        cmp     x13, #0x15
        b.eq    called
        cmp     x13, #0x07
        b.eq    floats
        cmp     x13, #0x22
        b.eq    misaligned
        cmp     x13, #0x0e
        b.eq    illegal
        add     x14, x14, #4            // unknown or trapped: leave it out
        msr     elr_el1, x14
        eret
floats: mov     x17, #0x300000
        msr     cpacr_el1, x17
        add     x22, x22, #1
        eret
misaligned:
        and     x14, x14, #-4
        msr     elr_el1, x14
        eret
illegal:
        mov     x15, xzr
        msr     spsr_el1, x15
        add     x23, x23, #1
        eret
called: add     x25, x25, #1
        tst     x25, #7
        b.ne    1f
        svc     #3                      // from EL1
        msr     elr_el1, x14
        msr     spsr_el1, x15
1:      tst     x25, #15
        b.ne    2f
        orr     x15, x15, #0x100000     // IL
        msr     spsr_el1, x15
2:      and     x17, x25, #63
        cmp     x17, #33
        b.ne    3f
        mov     x15, #0xe               // no level
        msr     spsr_el1, x15
3:      cmp     x17, #50
        b.ne    4f
        add     x14, x14, #2
        msr     elr_el1, x14
4:      cmp     x17, #7
        b.ne    5f
        mov     x17, #0x100000
        msr     cpacr_el1, x17
5:      cmp     x17, #21
        b.ne    6f
        adr     x17, 7f                 // to EL1 with SP_EL0, and from there to EL0
        msr     elr_el1, x17
        mov     x17, #0x3c4
        msr     spsr_el1, x17
6:      eret
7:      add     x24, x24, #1
        mov     x17, sp
        add     x24, x24, x17
        msr     spsel, #1
        msr     elr_el1, x14
        msr     spsr_el1, x15
        eret
        .balign 2048
vectors:
        .space  0x200
        mrs     x17, esr_el1            // of EL1 itself: SVC, or an illegal return to user code
        add     x24, x24, x17
        lsr     x17, x17, #26
        cmp     x17, #0x15
        b.ne    illegal
        eret
        .balign 128
        b       interrupt
        .balign 512
        b       again
        .balign 128
interrupt:
        ldr     w20, [x11, #12]
        mrs     x21, elr_el1
        mrs     x26, spsr_el1
        add     x24, x24, x21
        eor     x24, x24, x26
        add     x27, x27, #1
        add     x12, x12, #3
        and     x12, x12, #0x1ff
        msr     cntv_tval_el0, x12
        str     w20, [x11, #16]
        eret
`;

const STEPS = 240_000, PART = 60_013;

function run(engine: string, cpuModel: "cortex-a57" | "max"): { machine: Machine; traps: MachineEvent[] } {
  const guest = flatGuest(PROGRAM);
  const configuration = guest.configuration({ gicVersion: 2, cpuModel });
  const machine = engine === "early"
    ? Object.assign(new Machine(configuration, guest.images), { engine: new EagerEngine() })
    : new Machine(configuration, guest.images, { engine });
  const traps: MachineEvent[] = [];
  machine.board.events.add({ classes: ["trap"], observe: (event) => void traps.push(event) });
  for (let end = PART; end < STEPS; end += PART) machine.run(end);
  return { machine, traps };
}

for (const cpuModel of ["cortex-a57", "max"] as const) {
  Deno.test(`engines call and return as the reference does, on ${cpuModel}`, () => {
    const reference = run("reference", cpuModel), root = reference.machine.stateRoot();
    const { slots, registers } = reference.machine.board.cpus[0] as Machine["currentCpu"];
    const counts = [22, 23, 25, 27].map((register) => slots[register] as bigint);
    assert(
      counts.every((count, index) => count > [50n, 200n, 2000n, 200n][index]!),
      `FP traps, illegal states, calls, interrupts: ${counts}, at ${registers.pc.toString(16)}`,
    );
    for (const engine of [...Object.keys(ENGINES), "early"]) {
      const { machine, traps } = run(engine, cpuModel);
      assertEquals(traps.length, reference.traps.length, engine);
      for (const [index, trap] of traps.entries()) assertEquals(trap, reference.traps[index], engine);
      assertEquals(machine.stateRoot(), root, engine);
    }
  });
}
