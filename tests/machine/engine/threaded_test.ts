/** The threaded engine where memory reaches beyond what a signed number of 32 bits holds. */
import { assert, assertEquals } from "@std/assert";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";

/** Stores at the top of 3 GiB of RAM, loads them back, and sums up; long enough for handlers to be generated. */
const HIGH_MEMORY = `
        mov     x0, #0xffff0000
        mov     x4, #0xfffe0000
        mov     x1, #0
again:  and     x2, x1, #0xfff8
        str     x1, [x0, x2]
        strh    w1, [x4, x2]
        ldr     x3, [x0, x2]
        ldrh    w5, [x4, x2]
        mrs     x6, mpidr_el1
        add     x7, x7, x3
        add     x7, x7, x5
        add     x1, x1, #1
        b       again
`;

Deno.test("ThreadedEngine runs with 3 GiB of RAM, whose records lie above 2^31, as the reference does", () => {
  const guest = flatGuest(HIGH_MEMORY);
  const [reference, threaded] = ["reference", "threaded"].map((engine) => {
    const machine = new Machine(guest.configuration({ memoryMiB: 3072 }), guest.images, { engine });
    machine.run(30_000);
    return machine;
  }) as [Machine, Machine];
  assertEquals(threaded.stateRoot(), reference.stateRoot());
  const rounds = threaded.board.cpus[0]?.slots[1] ?? 0n;
  assert(rounds > 2000n, `${rounds} rounds: the guest faulted`);
  assertEquals(rounds, reference.board.cpus[0]?.slots[1]);
});

/** Turns the MMU on over RAM as Normal memory, then clears blocks with DC ZVA in pages new and old, and sums up. */
const ZERO_BLOCKS = `
        mov     x0, #0x40100000
        mov     x1, #0x40000000
        mov     x2, #0x0701
        orr     x1, x1, x2
        str     x1, [x0, #8]
        mov     x1, #0xff
        msr     mair_el1, x1
        msr     ttbr0_el1, x0
        mov     x1, #0x3519
        movk    x1, #0x80, lsl #16
        msr     tcr_el1, x1
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1
        msr     sctlr_el1, x1
        isb
        mov     x0, #0x40200000
        mov     x1, #0
        mov     x9, #88
again:  mul     x2, x1, x9
        and     x2, x2, #0xfffff
        add     x2, x2, x0
        str     x1, [x2]
        str     x1, [x2, #128]
        dc      zva, x2
        ldr     x3, [x2]
        ldr     x4, [x2, #128]
        ldr     x5, [x2, #56]
        add     x7, x7, x3
        add     x7, x7, x4, lsl #1
        add     x7, x7, x5, lsl #2
        add     x1, x1, #1
        b       again
`;

Deno.test("ThreadedEngine clears blocks as the reference does", () => {
  const guest = flatGuest(ZERO_BLOCKS);
  const [reference, threaded] = ["reference", "threaded"].map((engine) => {
    const machine = new Machine(guest.configuration(), guest.images, { engine });
    machine.run(60_000);
    machine.stateRoot(); // Pages are clean again: their next blocks are the driver's.
    machine.run(120_000);
    return machine;
  }) as [Machine, Machine];
  const { slots } = threaded.board.cpus[0] as { slots: BigUint64Array };
  assert(slots[1]! > 5000n && slots[3] === 0n, `${slots[1]} rounds: the guest faulted`);
  assertEquals(slots[7], reference.board.cpus[0]?.slots[7]);
  assertEquals(threaded.stateRoot(), reference.stateRoot());
});
