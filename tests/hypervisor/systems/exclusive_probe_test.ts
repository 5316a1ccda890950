/** The monitors' part of exclusive-probe: switches that trap, and store-exclusives carried out behind a trap. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import "../../../hypervisor/install.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import type { EventOf } from "../../../machine/events.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";

/** What a guest has in X20 to X27 at its end, and what its monitor carried out. */
interface Seen {
  readonly values: readonly bigint[];
  readonly completed: readonly EventOf<"exclusiveCompleted">[];
  readonly root: string;
}

/** Runs code under a monitor with switches; X1 is a word, aligned to its granule. Sees engines agree. */
function run(code: string, options: Readonly<Record<string, string>>, level: 2 | 3 = 2): Seen {
  const conduit = level === 2 ? "hvc" : "smc";
  const guest = flatGuest(`
        adr     x1, word
${code}
        ldr     x0, =0x84000008
        ${conduit}     #0
        .balign 64
word:   .quad   0, 0, 0, 0, 0, 0, 0, 0
`);
  const configuration = guest.configuration({
    memoryMiB: 64,
    monitors: [{ level, systems: [{ name: "exclusive-probe", options }] }],
  });
  const seen = Object.keys(ENGINES).map((engine): Seen => {
    const machine = new Machine(configuration, guest.images, { engine });
    const completed: EventOf<"exclusiveCompleted">[] = [];
    machine.board.events.add({
      classes: ["detail"],
      observe: (event) => void (event.kind === "exclusiveCompleted" && completed.push(event)),
    });
    assertEquals(machine.run(10_000).reason, "poweredOff");
    const { registers } = machine.board.cpus[0]!;
    const values = Array.from({ length: 8 }, (_, n) => registers.x(20 + n));
    return { values, completed, root: machine.stateRoot().root.toHex() };
  });
  for (const other of seen.slice(1)) assertEquals(other, seen[0]);
  return seen[0]!;
}

const PAIR = `
        mov     w4, #7
        ldxr    w0, [x1]
        mrs     x3, CTR_EL0
        stxr    w20, w4, [x1]
        ldr     w21, [x1]
`;

Deno.test("a switch makes the pair fail, and without it the pair stores", () => {
  assertEquals(run(PAIR, { traps: "tid2" }).values.slice(0, 2), [1n, 0n]);
  assertEquals(run(PAIR, { traps: "tid3" }).values.slice(0, 2), [0n, 7n]);
  assertEquals(run(PAIR, {}).values.slice(0, 2), [0n, 7n]);
  const channel = PAIR.replace("CTR_EL0", "MDCCSR_EL0");
  assertEquals(run(channel, { traps: "tda" }, 3).values[0], 1n);
  assertEquals(run(channel, { traps: "ea" }, 3).values[0], 0n);
});

Deno.test("a stealthy monitor carries the store out, with what is computed before it", () => {
  const code = `
        ldxr    x0, [x1]
        mrs     x3, CTR_EL0
        mov     x4, #0x1234
        lsl     x5, x4, #16
        add     x5, x5, x4
        nop
        stlxr   w20, x5, [x1]
        ldr     x21, [x1]
`;
  for (const level of [2, 3] as const) {
    const traps = level === 2 ? "tid2" : "tda";
    const own = level === 2 ? code : code.replace("CTR_EL0", "MDCCSR_EL0");
    const { values, completed } = run(own, { traps, stealth: "on" }, level);
    assertEquals(values.slice(0, 2), [0n, 0x1234_1234n]);
    assertEquals(completed.length, 1);
    const { size, status, instructions } = completed[0]!;
    assertEquals({ size, status, instructions }, { size: 8, status: 0, instructions: 5 });
  }
});

Deno.test("a stealthy monitor gives the status of bare metal where the monitor is closed or is of another word", () => {
  const closed = PAIR.replace("ldxr    w0, [x1]", "clrex");
  const { values, completed } = run(closed, { traps: "tid2", stealth: "on" });
  assertEquals([values[0], values[1], completed[0]?.status], [1n, 0n, 1]);
  const elsewhere = PAIR.replace("w4, [x1]", "w4, [x2]").replace(
    "mov     w4, #7",
    "mov w4, #7\n add x2, x1, #8",
  );
  const other = run(elsewhere, { traps: "tid2", stealth: "on" });
  assertEquals([other.values[0], other.completed[0]?.status], [1n, 1]);
  // The same without any trap.
  assertEquals(run(elsewhere, {}).values[0], 1n);
});

Deno.test("a stealthy monitor leaves to its guest what it cannot carry out", () => {
  const between = (line: string): string => PAIR.replace("stxr", `${line}\n stxr`);
  // Flags and the stack pointer are banked, memory is not computing, a branch leads elsewhere.
  for (const line of ["cmp x3, #0", "ldr x5, [x1, #16]", "b 1f\n1:", "add x5, sp, #0", "dmb sy"]) {
    const { values, completed } = run(between(line), { traps: "tid2", stealth: "on" });
    assertEquals([line, values[0], completed.length], [line, 1n, 0]);
  }
  const far = run(between("nop\n".repeat(20)), { traps: "tid2", stealth: "on" });
  assertEquals([far.values[0], far.completed.length], [1n, 0]);
});

Deno.test("wrong switches are refused with those that there are", () => {
  const refused = (options: Readonly<Record<string, string>>, level: 2 | 3 = 2): string => {
    const error = assertThrows(() => run(PAIR, options, level), ConfigurationError);
    assert(error instanceof Error);
    return error.message;
  };
  assertStringIncludes(refused({ traps: "tid9" }), "write traps=tid3+tid2+tacr+tda+cntpct+cntvct");
  assertStringIncludes(refused({ traps: "tid2" }, 3), "write traps=ea+tda");
  assertStringIncludes(refused({ traps: "tid2+tid2" }), "twice");
  assertStringIncludes(refused({ stealth: "maybe" }), "on or off");
  assertStringIncludes(refused({ trap: "tid2" }), "trap");
});
