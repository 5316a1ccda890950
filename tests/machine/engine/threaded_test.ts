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
