/** Walks that meet no memory: a guest below a monitor at EL2 gets the syndromes that it gets alone, on every engine. */
import { assertEquals } from "@std/assert";
import "../../hypervisor/install.ts";
import { physicalAddress } from "../../machine/address.ts";
import { ENGINES, Machine } from "../../machine/machine.ts";
import { flatGuest } from "../journal/guest.ts";

/** Goes to `addresses` by load, store and branch; ESR_EL1 and FAR_EL1 of each abort are logged from 0x41000000 on. */
const SOURCE = `
        adr     x0, vectors
        msr     VBAR_EL1, x0
        ldr     x2, =0x40200000         // tables of levels 1 and 2
        ldr     x0, =0x40000705         // Normal, a block of 1 GiB
        str     x0, [x2, #8]
        ldr     x0, =0x50000003         // nothing is there
        str     x0, [x2, #16]
        ldr     x0, =0x40201003
        str     x0, [x2, #24]
        ldr     x0, =0x08000003         // the distributor, which the monitor emulates
        str     x0, [x2, #32]
        ldr     x0, =0x40201000
        ldr     x1, =0x50000003
        str     x1, [x0]
        msr     TTBR0_EL1, x2
        ldr     x0, =0x50000000
        msr     TTBR1_EL1, x0
        ldr     x0, =0x4404             // Device-nGnRE, Normal Non-cacheable
        msr     MAIR_EL1, x0
        ldr     x0, =(25 | 25 << 16 | 2 << 30 | 2 << 32)
        msr     TCR_EL1, x0
        isb
        mrs     x0, SCTLR_EL1
        orr     x0, x0, #1
        msr     SCTLR_EL1, x0
        isb
        ldr     x20, =0x41000000
        adr     x21, addresses
1:      ldr     x1, [x21], #8
        cbz     x1, 2f
        ldr     w0, [x1]
        str     w0, [x1]
        adr     x30, 1b
        br      x1
2:      ldr     x0, =0x84000008         // SYSTEM_OFF
        hvc     #0
        .balign 8
addresses:
        .quad   0x80000000, 0xc0000000, 0x100000000, 0xffffff8000000000, 0x140000000, 0
        .balign 2048
vectors: .space 0x200
        mrs     x9, ESR_EL1
        mrs     x10, FAR_EL1
        stp     x9, x10, [x20], #16
        mrs     x11, ELR_EL1
        add     x11, x11, #4
        lsr     x12, x9, #26
        cmp     x12, #0x21
        csel    x11, x30, x11, eq       // back from a branch, on behind the others
        msr     ELR_EL1, x11
        eret
`;

/** What was logged. */
function aborts(isMonitored: boolean, engine: string): string[] {
  const guest = flatGuest(SOURCE);
  const more = isMonitored ? { monitors: [{ level: 2 as const, systems: [] }] } : {};
  const machine = new Machine(guest.configuration({ memoryMiB: 64, ...more }), guest.images, { engine });
  assertEquals(machine.run(10_000).reason, "poweredOff");
  const log = machine.board.memory.readBytes(physicalAddress(0x4100_0000), 16 * 16);
  const words = new BigUint64Array(log.buffer.slice(log.byteOffset, log.byteOffset + log.length));
  return Array.from(
    { length: 16 },
    (_, at) => `${words[2 * at]!.toString(16)} ${words[2 * at + 1]!.toString(16)}`,
  );
}

Deno.test("GuestSpace injects an abort on a walk with the level of the table, which no device is", () => {
  const onWalk = (address: string, level: number) =>
    ["96", "96", "86"].map((top, kind) =>
      `${top}0000${(0x14 + level + (kind === 1 ? 0x40 : 0)).toString(16)} ${address}`
    );
  const expected = [
    ...onWalk("80000000", 2),
    ...onWalk("c0000000", 3),
    ...onWalk("100000000", 2),
    ...onWalk("ffffff8000000000", 1),
    "96000005 140000000",
    "96000045 140000000",
    "86000005 140000000",
    "0 0",
  ];
  for (const engine of Object.keys(ENGINES)) {
    assertEquals(aborts(false, engine), expected, `alone, ${engine}`);
    assertEquals(aborts(true, engine), expected, `below a monitor, ${engine}`);
  }
});
