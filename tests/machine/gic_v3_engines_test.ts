/** A GICv3 is the same on every engine: registers that change when they are read, interrupts at exact steps. */
import { assertEquals } from "@std/assert";
import { ENGINES } from "../../machine/machine.ts";
import { walkGroup } from "../oracle/system/gic_v3.ts";
import { programOf } from "../oracle/system/fixtures.ts";
import { endOfProgram } from "../oracle/system/machines.ts";

const RUNS = 400;

for (const group of ([1, 2, 3] as const).map((top) => walkGroup(top, 8, RUNS))) {
  Deno.test(`${group.name}: random walks end in one state on every engine`, () => {
    const ends = Object.keys(ENGINES).map((engine) => {
      const machine = endOfProgram(programOf(group), group, engine);
      return { instant: machine.instant, root: machine.stateRoot() };
    });
    for (const end of ends) assertEquals(end, ends[0]);
  });
}
