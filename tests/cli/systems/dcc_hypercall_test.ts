/** What the checks of dcc-hypercall read: QEMU's log of exceptions, two consoles, and who is to take an access. */
import { assertEquals } from "@std/assert";
import { takenInLog } from "../../../cli/systems/dcc_hypercall/priority.ts";
import { firstDifference } from "../../../cli/systems/dcc_hypercall/transparency.ts";
import { priorityAccesses, takerOf } from "../../../firmware/dcc_hypercall/priority_guest.ts";

Deno.test("takenInLog finds exceptions in what QEMU writes for -d int", () => {
  const log = `Taking exception 1 [Undefined Instruction] on CPU 0
...from EL0 to EL2
...with ESR 0x18/0x6220c3e3
...with ELR 0x40080808
...to EL2 PC 0x40081400 PSTATE 0x3c9
Exception return from AArch64 EL2 to AArch64 EL0 PC 0x40080810
Taking exception 11 [Hypervisor Call] on CPU 0
...from EL1 to EL2
...with ESR 0x16/0x5a000200
`;
  assertEquals(takenInLog(log), [
    { from: 0, to: 2, syndrome: 0x6220c3e3 },
    { from: 1, to: 2, syndrome: 0x5a000200 },
  ]);
});

Deno.test("firstDifference names the scenario and both lines, and nothing where all is alike", () => {
  assertEquals(firstDifference("A\r\n0\r\nB\r\n1\r\n", "A\n0\nB\n1\n"), undefined);
  assertEquals(firstDifference("A\n0\nb\n1\n", "A\n0\nb\n2\n"), "scenario b: 1, then 2");
  assertEquals(firstDifference("A\n0\n", "A\n0\n3\n"), "scenario A: undefined, then 3");
});

Deno.test("accesses have every combination of controls once, TDCC before EL2's", () => {
  const accesses = priorityAccesses(true);
  assertEquals(new Set(accesses.map((access) => JSON.stringify(access))).size, accesses.length);
  const read = (more: object) =>
    takerOf({ kernel: false, tge: false, tda: false, tde: false, level: 0, register: "mdccsr_el0", ...more });
  assertEquals([read({}), read({ tda: true }), read({ kernel: true, tda: true })], [0, 2, 1]);
  assertEquals([read({ kernel: true, tge: true }), read({ kernel: true, level: 1 })], [2, 0]);
  assertEquals([
    read({ register: "mdscr_el1", tda: true }),
    read({ register: "mdscr_el1", tda: true, level: 1 }),
  ], [1, 2]);
});
