/** Modules are written with imports, several functions, globals and table entries in the numbering they promise. */
import { assertEquals, assertThrows } from "@std/assert";
import { ModuleWriter } from "../../../machine/wasm/module_writer.ts";

function instantiate(module: ModuleWriter, imports: WebAssembly.ModuleImports): WebAssembly.Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { e: imports }).exports;
}

Deno.test("ModuleWriter numbers functions after imports and shares equal types", () => {
  const module = new ModuleWriter();
  const type = module.type(["i32"], ["i32"]);
  assertEquals(module.type(["i32"], ["i32"]), type);
  const twice = module.importFunction("e", "twice", type);
  module.importMemory("e", "memory", 1, 2);
  const first = module.declare(type), second = module.declare(type);
  const callSecond = module.define(first);
  callSecond.localGet(0);
  callSecond.call(second);
  const load = module.define(second);
  load.localGet(0);
  load.call(twice);
  load.i32Load8U(3);
  module.exportFunction("first", first);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  new Uint8Array(memory.buffer)[13] = 77;
  const exports = instantiate(module, { memory, twice: (value: number) => value * 2 });
  assertEquals((exports["first"] as (value: number) => number)(5), 77);
});

Deno.test("ModuleWriter defines globals after imported ones", () => {
  const module = new ModuleWriter();
  const imported = module.importGlobal("e", "start", "i64", false);
  const counter = module.global("i64", true, -5n);
  const narrow = module.global("i32", true, 0xffffffff);
  const next = module.declare(module.type([], ["i64"]));
  const code = module.define(next);
  code.globalGet(imported);
  code.globalGet(counter);
  code.i64Add();
  code.globalGet(narrow);
  code.i64ExtendI32S();
  code.i64Add();
  code.globalSet(counter);
  code.globalGet(counter);
  module.exportFunction("next", next);
  module.exportGlobal("counter", counter);
  const start = new WebAssembly.Global({ value: "i64" }, 100n);
  const exports = instantiate(module, { start });
  assertEquals((exports["next"] as () => bigint)(), 94n);
  assertEquals((exports["counter"] as WebAssembly.Global).value, 94n);
});

Deno.test("ModuleWriter places functions in the imported table, for indirect calls", () => {
  const module = new ModuleWriter();
  module.importTable("e", "table", 4);
  const type = module.type([], ["i32"]), chooser = module.type(["i32"], ["i32"]);
  const constants = [11, 22].map((value) => {
    const index = module.declare(type);
    module.define(index).i32Const(value);
    return index;
  });
  const [call, tail] = [false, true].map((isTail) => {
    const index = module.declare(chooser);
    const code = module.define(index);
    code.localGet(0);
    if (isTail) code.returnCallIndirect(type);
    else code.callIndirect(type);
    return index;
  }) as [number, number];
  module.element(2, constants);
  module.exportFunction("call", call);
  module.exportFunction("tail", tail);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 4 });
  const exports = instantiate(module, { table }) as Record<string, (index: number) => number>;
  assertEquals([2, 3].map((index) => exports["call"]?.(index)), [11, 22]);
  assertEquals([2, 3].map((index) => exports["tail"]?.(index)), [11, 22]);
});

Deno.test("ModuleWriter refuses late imports and missing bodies", () => {
  const module = new ModuleWriter();
  const type = module.type([], []);
  const index = module.declare(type);
  assertThrows(() => module.importFunction("e", "f", type), RangeError, "before any is declared");
  assertThrows(() => module.finish(), RangeError, "Function 0 was not defined");
  assertThrows(() => module.define(index + 1), RangeError, "Function 1 was not declared");
});
