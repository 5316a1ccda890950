/** Breakpoints, watchpoints and software step together, as a kernel's ptrace uses them; system_oracle_test.ts has the rest. */
import { assertEquals } from "@std/assert";
import { isPageWatched } from "../../../machine/cpu/breakpoints.ts";
import { patchSystemRegister, peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { Machine } from "../../../machine/machine.ts";
import { ReferenceEngine } from "../../../machine/engine/reference.ts";
import { flatGuest } from "../../journal/guest.ts";
import { putAt, RAM, testCpus } from "./support.ts";

const ROUNDS = 300;

/** Each round passes a breakpoint once, stores to the watched cell once and to its page eight times. */
const debugged = flatGuest(`
        adr     x0, vectors
        msr     VBAR_EL1, x0
        msr     OSLAR_EL1, xzr
        adr     x1, cells
        add     x2, x1, #24
        msr     DBGWVR0_EL1, x2
        adr     x2, here
        msr     DBGBVR2_EL1, x2
        movz    x3, #0x1ff3             // BAS all, stores, EL1
        msr     DBGWCR0_EL1, x3
        movz    x4, #0x1e3              // BAS all, EL1
        msr     DBGBCR2_EL1, x4
        movz    x5, #0xa000             // MDE, KDE
        msr     MDSCR_EL1, x5
        msr     daifclr, #8
        isb
        mov     x20, #0                 // breakpoints
        mov     x21, #0                 // watchpoints
        mov     x22, #0                 // steps
        mov     x23, #0                 // sum of offsets in FAR_EL1
        mov     x10, #${ROUNDS}
1:      str     x10, [x1]
        stp     x10, x10, [x1, #8]
        str     w10, [x1, #32]
        strb    w10, [x1, #31]
        ldr     x11, [x1, #24]
here:   add     x12, x12, #1
        str     x10, [x1, #40]
        sub     x10, x10, #1
        cbnz    x10, 1b
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
        .balign 4096
cells:  .space  4096
        .balign 2048
vectors:
        .space  512
        mrs     x13, ESR_EL1
        lsr     x13, x13, #26
        mrs     x14, SPSR_EL1
        cmp     x13, #0x33
        b.eq    stepped
        cmp     x13, #0x31
        b.ne    2f
        add     x20, x20, #1
        b       3f
2:      cmp     x13, #0x35
        b.ne    .
        add     x21, x21, #1
        mrs     x15, FAR_EL1
        sub     x15, x15, x1
        add     x23, x23, x15
3:      orr     x14, x14, #0x200000
        msr     SPSR_EL1, x14
        bic     x14, x3, #1
        msr     DBGWCR0_EL1, x14
        bic     x14, x4, #1
        msr     DBGBCR2_EL1, x14
        orr     x14, x5, #1
        msr     MDSCR_EL1, x14
        eret
stepped:
        add     x22, x22, #1
        msr     DBGWCR0_EL1, x3
        msr     DBGBCR2_EL1, x4
        msr     MDSCR_EL1, x5
        eret
`);

Deno.test("breakpoints and watchpoints match exactly and alike on every engine", () => {
  const results = (["reference", "threaded"] as const).map((engine) => {
    const machine = new Machine(debugged.configuration({}), debugged.images, { engine });
    assertEquals(machine.run(1_000_000).reason, "poweredOff");
    const counts = [20, 21, 22, 23].map((n) => Number(machine.board.cpus[0]?.registers.x(n)));
    return { counts, instant: machine.instant, root: machine.stateRoot().root.toHex() };
  });
  assertEquals(results[0]?.counts, [ROUNDS, ROUNDS, 2 * ROUNDS, 31 * ROUNDS]);
  assertEquals(results[1], results[0]);
});

Deno.test("a snapshot brings back what is armed", () => {
  const power = () => new Machine(debugged.configuration({}), debugged.images);
  const whole = power(), cut = power(), after = power();
  whole.run(1_000_000);
  cut.run(2_345);
  after.restore(cut.snapshot());
  after.run(1_000_000);
  assertEquals(after.stateRoot(), whole.stateRoot());
});

interface ContextCase {
  readonly name: string;
  readonly set: Readonly<Record<string, bigint>>;
  readonly level: 0 | 1 | 2;
  readonly matches: boolean;
}

const VMID = 3n << 48n, ANYWHERE = 1n << 13n | 3n << 1n | 1n;
/** A breakpoint on a context alone; QEMU 7.2 has none of these. */
// deno-fmt-ignore
const CONTEXTS: readonly ContextCase[] = [
  { name: "context", set: { DBGBVR4_EL1: 7n, DBGBCR4_EL1: 2n << 20n | ANYWHERE, CONTEXTIDR_EL1: 7n }, level: 0, matches: true },
  { name: "other context", set: { DBGBVR4_EL1: 7n, DBGBCR4_EL1: 2n << 20n | ANYWHERE, CONTEXTIDR_EL1: 8n }, level: 0, matches: false },
  { name: "not aware of contexts", set: { DBGBVR3_EL1: 7n, DBGBCR3_EL1: 2n << 20n | ANYWHERE, CONTEXTIDR_EL1: 7n }, level: 0, matches: false },
  { name: "linked alone", set: { DBGBVR4_EL1: 7n, DBGBCR4_EL1: 3n << 20n | ANYWHERE, CONTEXTIDR_EL1: 7n }, level: 0, matches: false },
  { name: "virtual machine", set: { DBGBVR5_EL1: 3n << 32n, DBGBCR5_EL1: 8n << 20n | ANYWHERE, VTTBR_EL2: VMID }, level: 1, matches: true },
  { name: "other virtual machine", set: { DBGBVR5_EL1: 4n << 32n, DBGBCR5_EL1: 8n << 20n | ANYWHERE, VTTBR_EL2: VMID }, level: 1, matches: false },
  { name: "both", set: { DBGBVR5_EL1: 3n << 32n | 7n, DBGBCR5_EL1: 10n << 20n | ANYWHERE, VTTBR_EL2: VMID, CONTEXTIDR_EL1: 7n }, level: 0, matches: true },
  { name: "EL2 has no virtual machine", set: { DBGBVR5_EL1: 3n << 32n, DBGBCR5_EL1: 8n << 20n | ANYWHERE, VTTBR_EL2: VMID }, level: 2, matches: false },
  { name: "reserved type", set: { DBGBVR5_EL1: 3n << 32n | 7n, DBGBCR5_EL1: 4n << 20n | ANYWHERE, CONTEXTIDR_EL1: 7n }, level: 0, matches: false },
];

Deno.test("breakpoints on contexts match any instruction there", () => {
  for (const { name, set, level, matches } of CONTEXTS) {
    const { cpu } = testCpus({ el2: true, el3: true });
    const all = { SCR_EL3: 0x531n, OSLAR_EL1: 0n, MDSCR_EL1: 0xa000n, MDCR_EL2: 0x106n, ...set };
    for (const [register, value] of Object.entries(all)) patchSystemRegister(cpu, register, value);
    putAt(cpu, level);
    cpu.daif = 0;
    cpu.registers.pc = BigInt(RAM);
    new ReferenceEngine().step(cpu);
    assertEquals(peekSystemRegister(cpu, "ESR_EL2") === 0xc200_0022n, matches, name);
  }
});

Deno.test("isPageWatched does not look at tags, and nothing is watched while MDE is 0", () => {
  const { cpu } = testCpus();
  const arm = { DBGWVR1_EL1: 0x1ff8n, DBGWCR1_EL1: 0x1fffn, OSLAR_EL1: 0n, MDSCR_EL1: 0x8000n };
  for (const [register, value] of Object.entries(arm)) patchSystemRegister(cpu, register, value);
  assertEquals([0x1000n, 0xaa00_0000_0000_1234n, 0x2000n].map((at) => isPageWatched(cpu, at)), [
    true,
    true,
    false,
  ]);
  patchSystemRegister(cpu, "MDSCR_EL1", 0n);
  assertEquals(isPageWatched(cpu, 0x1000n), false);
});
