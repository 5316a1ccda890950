/** Modules of compiled regions: a function for each page, and what they call. */
import type { CodeLayout } from "./threaded_layout.ts";
import { ByteWriter } from "../wasm/bytes.ts";
import { CodeWriter } from "../wasm/code_writer.ts";
import { ModuleWriter } from "../wasm/module_writer.ts";
import { defineCall } from "./compiled_chain.ts";
import { defineFlags } from "./compiled_flags.ts";
import { REGION_RESULTS, type RegionFunctions, regionType } from "./compiled_layout.ts";
import { defineFind, defineFindOther } from "./compiled_find.ts";
import { type RegionPage, RegionWriter } from "./compiled_region.ts";

/** Makes modules of one machine's regions. */
export class RegionModules {
  /** Bodies of what regions call, in the order of `ownFunctions`: the same in all modules. */
  #bodies: readonly Uint8Array[] | undefined;

  /** For a memory of so many pages of 64 KiB. */
  constructor(private readonly layout: CodeLayout, private readonly memoryPages: number) {}

  /** The bytes of a module that exports the function of page i as its number. */
  generate(pages: readonly RegionPage[]): Uint8Array<ArrayBuffer> {
    const { layout, memoryPages } = this, module = new ModuleWriter();
    module.importMemory("env", "memory", memoryPages, memoryPages);
    const functions = declareFunctions(module);
    const type = regionType(module); // declared after the same as in every module
    this.#bodies ??= bodiesOf(layout, type);
    const own = ownFunctions(functions);
    for (const [index, body] of this.#bodies.entries()) module.defineAs(own[index] as number, body);
    for (const [index, page] of pages.entries()) {
      const region = module.declare(type);
      module.exportFunction(String(index), region);
      new RegionWriter(module.define(region, 1 << 15), page, layout, functions).write();
    }
    return module.finish();
  }
}

function declareFunctions(module: ModuleWriter): RegionFunctions {
  const device = module.importFunction("env", "device", module.type(["i32", "i32", "i32", "i32"], ["i32"]));
  module.importTable("env", "regions", 1);
  const find = module.type(["i64", "i32", "i32", "i32"], ["i32"]);
  return {
    read: module.declare(find),
    write: module.declare(find),
    unprivileged: { read: module.declare(find), write: module.declare(find) },
    exclusive: module.declare(find),
    zero: module.declare(find),
    device,
    call: module.declare(module.type(["i32", "i32", "i32", "i64"], REGION_RESULTS)),
    flags: module.declare(module.type(["i32", "i64", "i64"], ["i32"])),
  };
}

/** Those that a module defines, in the order of `bodiesOf`. */
function ownFunctions(
  { read, write, unprivileged, exclusive, zero, call, flags }: RegionFunctions,
): number[] {
  return [read, write, unprivileged.read, unprivileged.write, exclusive, zero, call, flags];
}

/** Their bodies, which call no function of the module's; `type` is that of regions. */
function bodiesOf(layout: CodeLayout, type: number): Uint8Array[] {
  const find = 4, call = 4, flags = 3; // parameters
  const places = layout.regions as NonNullable<typeof layout.regions>;
  return [
    bodyOf(find, (code) => defineFind(code, layout, "read", "normal")),
    bodyOf(find, (code) => defineFind(code, layout, "write", "normal")),
    bodyOf(find, (code) => defineFind(code, layout, "read", "unprivileged")),
    bodyOf(find, (code) => defineFind(code, layout, "write", "unprivileged")),
    bodyOf(find, (code) => defineFindOther(code, layout, "exclusive")),
    bodyOf(find, (code) => defineFindOther(code, layout, "zero")),
    bodyOf(call, (code) => defineCall(code, layout, places, type)),
    bodyOf(flags, (code) => defineFlags(code)),
  ];
}

function bodyOf(parameters: number, write: (code: CodeWriter) => void): Uint8Array {
  const code = new CodeWriter(parameters), out = new ByteWriter();
  write(code);
  code.finishInto(out);
  return out.bytes;
}
