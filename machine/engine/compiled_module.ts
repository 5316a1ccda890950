/** Modules of compiled regions: a function for each page, and what they call. */
import type { CodeLayout } from "./threaded_layout.ts";
import { ModuleWriter } from "../wasm/module_writer.ts";
import { defineFlags } from "./compiled_flags.ts";
import { type RegionFunctions, regionType } from "./compiled_layout.ts";
import { defineFind, defineFindOther } from "./compiled_memory.ts";
import { type RegionPage, RegionWriter } from "./compiled_region.ts";

/** The bytes of a module that exports the function of page i as its number. */
export function generateRegions(
  pages: readonly RegionPage[],
  layout: CodeLayout,
  memoryPages: number,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  module.importMemory("env", "memory", memoryPages, memoryPages);
  const device = module.importFunction("env", "device", module.type(["i32", "i32", "i32", "i32"], ["i32"]));
  const find = module.type(["i64", "i32", "i32", "i32"], ["i32"]);
  const functions: RegionFunctions = {
    read: module.declare(find),
    write: module.declare(find),
    unprivileged: { read: module.declare(find), write: module.declare(find) },
    exclusive: module.declare(find),
    zero: module.declare(find),
    device,
    flags: module.declare(module.type(["i32", "i64", "i64"], ["i32"])),
  };
  for (const kind of ["read", "write"] as const) {
    defineFind(module.define(functions[kind]), layout, kind, "normal");
    defineFind(module.define(functions.unprivileged[kind]), layout, kind, "unprivileged");
  }
  defineFindOther(module.define(functions.exclusive), layout, "exclusive");
  defineFindOther(module.define(functions.zero), layout, "zero");
  defineFlags(module.define(functions.flags));
  const type = regionType(module);
  for (const [index, page] of pages.entries()) {
    const region = module.declare(type);
    module.exportFunction(String(index), region);
    new RegionWriter(module.define(region, 1 << 15), page, layout, functions).write();
  }
  return module.finish();
}
