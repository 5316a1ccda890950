/** What generated code and its driver share has a place of its own for each thing. */
import { assertEquals } from "@std/assert";
import { SHARED } from "../../../machine/engine/threaded_layout.ts";

Deno.test("SHARED gives every name its own place", () => {
  const places = Object.values(SHARED);
  assertEquals(new Set(places).size, places.length);
});
