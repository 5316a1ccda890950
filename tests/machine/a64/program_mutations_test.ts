/** A damaged source is refused with places and reasons, never by another error. */
import { assert } from "@std/assert";
import { assembleMutants } from "./program_mutations.ts";

Deno.test("assembleProgram gives nothing but ProgramError for 600 mutants", () => {
  const seed = 20260101;
  const { accepted, refused } = assembleMutants(600, seed);
  console.log(`seed ${seed}: ${accepted} mutants assembled, ${refused} refused`);
  assert(accepted > 20 && refused > 200, "the mutations are too harsh or too mild");
});
