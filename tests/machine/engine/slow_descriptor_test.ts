/** Test of how the threaded engine names a slow access in one number. */
import { assertEquals } from "@std/assert";
import { readDescriptor, SLOW, slowDescriptor } from "../../../machine/engine/threaded_layout.ts";
import { ACCESSES } from "../../../machine/ir/operation.ts";

Deno.test("readDescriptor gives back what slowDescriptor was given, for every access", () => {
  for (const access of ACCESSES) {
    for (const kind of Object.values(SLOW)) {
      for (const size of [1, 2, 4, 8, 16]) {
        assertEquals(readDescriptor(slowDescriptor(kind, size, access)), { kind, size, access });
      }
    }
  }
});
