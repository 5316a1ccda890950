/** The compiler in a worker: it answers, and what it answers changes no result. */
import { assert, assertEquals } from "@std/assert";
import { compileInWorker, endCompileWorker } from "../../../cli/host/worker_compiler.ts";
import type { RegionCompiler } from "../../../machine/engine/compile_request.ts";
import { CompiledEngine } from "../../../machine/engine/compiled.ts";
import { Machine } from "../../../machine/machine.ts";
import { counterGuest } from "../../journal/guest.ts";
import { EAGER } from "../../machine/engine/eager.ts";

/** Counts what is compiled at once. */
function counted(immediate: RegionCompiler): RegionCompiler & { pages: number } {
  return {
    pages: 0,
    request(request) {
      this.pages += request.pages.length;
      immediate.request(request);
    },
    take: () => immediate.take(),
  };
}

Deno.test("compileInWorker gives regions that run as the reference does", async () => {
  const guest = counterGuest(100_000), configuration = guest.configuration();
  const reference = new Machine(configuration, guest.images, { engine: "reference" });
  let here: ReturnType<typeof counted> | undefined;
  const engine = new CompiledEngine((setup, immediate) => {
    here = counted(immediate);
    return compileInWorker(setup, here, 0);
  }, { ...EAGER, largestTotal: 1 });
  const machine = Object.assign(new Machine(configuration, guest.images), { engine });
  try {
    // A busy host may take half a minute to start a worker. Regions are given up as soon as others come, so that there is always something to compile.
    for (
      let limit = 500;
      engine.compiled === undefined || engine.compiled.regions <= (here?.pages ?? 0);
      limit += 500
    ) {
      assert(limit < 2_000_000, "the worker does not answer");
      for (const each of [machine, reference]) each.run(limit);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(machine.stateRoot(), reference.stateRoot());
  } finally {
    endCompileWorker();
  }
});
