/** The compiled engine against the reference on programs that are compiled early: each once showed, or would show, a mistake. */
import { assert, assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest, type Guest } from "../../journal/guest.ts";
import { EagerEngine } from "./eager.ts";

/** The guest on the reference engine and on the compiled one in a hurry. */
function machinesOf(guest: Guest, more?: ConfigurationInput): [reference: Machine, eager: Machine] {
  const configuration = guest.configuration(more);
  const eager = Object.assign(new Machine(configuration, guest.images), { engine: new EagerEngine() });
  return [new Machine(configuration, guest.images, { engine: "reference" }), eager];
}

/** Runs both for so many steps, in pieces of `piece`, and compares them after each; CPU 0 at the end. */
function assertAgree(
  source: string,
  steps: number,
  { more, piece = steps }: { more?: ConfigurationInput; piece?: number } = {},
): Cpu {
  const machines = machinesOf(flatGuest(source), more);
  for (let limit = piece; limit <= steps; limit += piece) {
    for (const machine of machines) machine.run(limit);
    const [[reference], [eager]] = machines.map(({ board }) => board.cpus) as [[Cpu], [Cpu]];
    assertEquals(eager.slots, reference.slots, `registers at ${limit}`);
    assertEquals(machines[1].stateRoot(), machines[0].stateRoot(), `root at ${limit}`);
  }
  return machines[1].board.cpus[0] as Cpu;
}

/** Sums up what BTYPE was at a BRK that never follows a branch, at ever other distances from one. */
const BRANCH_TYPE = `
        adr     x0, vectors
        msr     vbar_el1, x0
again:  add     x7, x7, #1
        ubfx    x8, x7, #1, #10
        add     x8, x8, #20
        adr     x9, there
        br      x9
there:  tbz     x7, #0, spin
        nop
spin:   subs    x8, x8, #1
        b.ne    spin
        brk     #1
        b       again
        .balign 2048
vectors:
        .skip   0x200
        mrs     x10, spsr_el1
        ubfx    x10, x10, #10, #2
        add     x20, x20, x10
        mrs     x10, elr_el1
        add     x10, x10, #4
        msr     elr_el1, x10
        eret
`;

Deno.test("CompiledEngine forgets a branch's BTYPE after the instruction that follows it", () => {
  const { slots } = assertAgree(BRANCH_TYPE, 900_000, { more: { cpuModel: "max" } });
  assert(slots[7]! > 1000n);
});

/** Stores across the top of 3 GiB of RAM, where offsets are above 2^31, alone, in pairs and near each other. */
const HIGH_MEMORY = `
        mov     x0, #0xffff0000
        mov     x1, #0
again:  and     x2, x1, #0xfff8
        add     x4, x0, x2
        stp     x1, x7, [x4]
        strh    w1, [x4, #18]
        ldp     x3, x5, [x4]
        ldrh    w6, [x4, #18]
        sturh   w3, [x4, #-6]
        ldur    x8, [x4, #-8]
        add     x10, x10, #1
        add     x7, x7, x3
        add     x7, x7, x5, lsl #1
        add     x7, x7, x6
        eor     x7, x7, x8
        ands    x9, x7, #0xff
        csel    x1, x1, x7, ne
        add     x1, x1, #24
        b       again
`;

Deno.test("CompiledEngine finds memory above 2^31 as the reference does, on 1 CPU and on 8", () => {
  for (const cpus of [1, 8]) {
    const { slots } = assertAgree(HIGH_MEMORY, 40_000, { more: { memoryMiB: 3072, cpus }, piece: 20_000 });
    assert(slots[10]! > 1000n, `${slots[10]} rounds: the guest faulted`);
  }
});
