/** The checks of el2-trampoline see what they are for: a register that leaks, a boundary that does not match, what a switch costs. */
import { assert, assertEquals } from "@std/assert";
import { Boundaries } from "../../../../cli/systems/el2_trampoline/boundaries.ts";
import { withoutTimes } from "../../../../cli/systems/el2_trampoline/machines.ts";
import {
  leakTexts,
  VECTOR_NAMES,
  WorldVectors,
} from "../../../../cli/systems/el2_trampoline/world_vectors.ts";
import { changedTrampoline } from "../../../../firmware/el2_trampoline/image.ts";
import { KEPT_REGISTERS, worldRegisters } from "../../../../firmware/el2_trampoline/registers.ts";
import { SYSTEM_REGISTER_TABLE } from "../../../../machine/cpu/system_registers.ts";
import { type TestRun, trampolineMachine } from "../../../firmware/el2_trampoline/support.ts";

function watched(run: TestRun): { readonly worlds: WorldVectors; readonly boundaries: Boundaries } {
  const { machine, image } = trampolineMachine(run);
  const worlds = new WorldVectors(machine), boundaries = new Boundaries(machine, image);
  machine.run(20_000);
  return { worlds, boundaries };
}

function changed(from: string, to: string): TestRun {
  return { rounds: 10, build: (options) => changedTrampoline(options, "trampoline", from, to) };
}

Deno.test("WorldVectors and Boundaries have nothing to say of a right trampoline, and count", () => {
  const { worlds, boundaries } = watched({ rounds: 10 });
  assertEquals(leakTexts(worlds), []);
  assertEquals(boundaries.mismatches, []);
  assertEquals([worlds.returns, worlds.entries.guest, worlds.switches, worlds.refusals], [
    { vmkernel: 11, guest: 10 },
    1,
    22,
    1,
  ]);
  assert(worlds.unreachable.guest.has("PMCCNTR_EL0") && !worlds.unreachable.guest.has("TPIDR_EL0"));
  assert(boundaries.counts.trampoline > 22 && boundaries.counts.vmm > 22);
});

Deno.test("WorldVectors compares every register that the trampoline switches and that has storage, and others", () => {
  const stored = SYSTEM_REGISTER_TABLE.filter(({ index }) => index !== undefined).map(({ name }) => name);
  const rows = [...worldRegisters(true), ...KEPT_REGISTERS].map(({ name }) => name);
  const missing = rows.filter((name) => stored.includes(name) || name.startsWith("CNT"))
    .filter((name) => !VECTOR_NAMES.includes(name));
  assertEquals(missing, []);
  assert(VECTOR_NAMES.length > 31 + rows.length);
});

Deno.test("WorldVectors names a register that is not saved", () => {
  const { worlds } = watched(changed("mrs     x2, par_el1", "mov     x2, xzr"));
  assert(worlds.leaks.every(({ register }) => register === "PAR_EL1"));
  assertEquals(leakTexts(worlds)[0]?.includes("PAR_EL1"), true);
});

Deno.test("Boundaries names an exception with the vectors of one space and the tables of the other", () => {
  const { boundaries: { mismatches } } = watched(changed("        msr     vbar_el2, x2\n", ""));
  assert(mismatches[0]?.includes("VBAR_EL2 0x40201000, TTBR0_EL2 0x40288000"), mismatches[0]);
});

Deno.test("withoutTimes() leaves out what differs from run to run, and nothing else", () => {
  const lines = withoutTimes("[    1.234567] a\r\nb \r\nvmkernel: c\r\nd");
  assertEquals(lines, ["a", "b", "d"]);
});
