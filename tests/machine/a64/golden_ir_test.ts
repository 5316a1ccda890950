/** Compares the IR of representative instructions with tests/golden/ir; `deno task golden` writes those files. */
import { assertEquals } from "@std/assert";
import { goldenIr } from "./golden_ir.ts";

for (const [path, content] of goldenIr()) {
  Deno.test(`lower gives the IR of ${path}`, () => {
    assertEquals(Deno.readTextFileSync(new URL(`../../../${path}`, import.meta.url)), content);
  });
}
