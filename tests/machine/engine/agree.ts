/** Runs a program on the reference engine and on the compiled one, which have to agree whatever is compiled when. */
import { assertEquals } from "@std/assert";
import type { CompileStatistics, RegionCompiler } from "../../../machine/engine/compile_request.ts";
import { CompiledEngine } from "../../../machine/engine/compiled.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EAGER } from "./eager.ts";

/** Runs the program on the reference engine and on one with a compiler, in pieces, and compares them after each. */
export function assertAgree(
  source: string,
  makeCompiler: (immediate: RegionCompiler) => RegionCompiler = (immediate) => immediate,
  { policy = EAGER, between = () => {} } = {},
): CompileStatistics {
  const guest = flatGuest(source), configuration = guest.configuration();
  const reference = new Machine(configuration, guest.images, { engine: "reference" });
  const engine = new CompiledEngine((_, immediate) => makeCompiler(immediate), policy);
  const compiled = Object.assign(new Machine(configuration, guest.images), { engine });
  for (let limit = 3000; limit <= 60_000; limit += 3000) {
    for (const machine of [reference, compiled]) machine.run(limit);
    assertEquals(compiled.stateRoot(), reference.stateRoot(), `root at ${limit}`);
    between();
  }
  return engine.compiled as CompileStatistics;
}
