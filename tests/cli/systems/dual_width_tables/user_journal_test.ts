/** What processes see of a run, and comparisons of it. */
import { assert, assertEquals } from "@std/assert";
import { exceptionLines } from "../../../../cli/systems/dual_width_tables/exceptions.ts";
import { build, kernelRanges, MODELS } from "../../../../cli/systems/dual_width_tables/images.ts";
import { firstDifference, UserJournal } from "../../../../cli/systems/dual_width_tables/user_journal.ts";
import type { KernelForm } from "../../../../firmware/dual_width/layout.ts";
import { protectionProbe, turnTaker } from "../../../../firmware/dual_width/programs.ts";
import { runImage } from "../../../firmware/dual_width/support.ts";

function journalOf(form: KernelForm, rounds: number): readonly string[] {
  const probe = protectionProbe([{ first: 0x8000_0000_0000n, count: 1, step: 4096n }]);
  const image = build({ form, processes: [turnTaker("A", rounds), probe] });
  const { machine } = runImage(image.bytes, { cpuModel: MODELS[form] }, [], 0);
  const journal = new UserJournal(machine, form, image);
  machine.run(100_000);
  return journal.lines;
}

Deno.test("UserJournal is equal for both kernels, and tells of calls, results, faults and the console", () => {
  const [el2, vhe] = [journalOf("el2", 2), journalOf("vhe", 2)];
  assertEquals(firstDifference(el2, vhe, ["el2", "vhe"]), undefined);
  const has = (pattern: RegExp) =>
    assert(el2.some((line) => pattern.test(line)), `${pattern}: ${el2.join("\n")}`);
  has(/^1: call 124\(.*\), 0x[0-9a-f]+, sp 0x7[0-9a-f]+$/);
  has(/^1: = 0x0, at 0x4/);
  has(/^2: fault 0x92000004 at 0x800000000000, 0x4/);
  has(/^2: fault 0x82000004 at 0x800000000000, 0x800000000000/);
  has(/^console "refused 3 of 3\\n"$/);
});

Deno.test("firstDifference() names the line, and what either side has there", () => {
  const other = journalOf("el2", 3),
    difference = firstDifference(journalOf("el2", 2), other, ["two", "three"]);
  assert(difference?.startsWith("line ") && difference.includes("three"), difference);
  assertEquals(firstDifference(["a"], ["a", "b"], ["x", "y"]), 'line 2: x has nothing more, y "b"');
  assertEquals(firstDifference(["a", "b"], ["a"], ["x", "y"]), 'line 2: x has "b", y nothing more');
});

Deno.test("exceptionLines() has what is about exceptions, up to the call that ends the run", () => {
  const log = "noise\nTaking exception 2 [SVC] on CPU 0\n...from EL0 to EL1\nException return from\n" +
    "Taking exception 13 [Secure Monitor Call] on CPU 0\n...from EL2 to EL3\n";
  assertEquals(exceptionLines(log), [
    "Taking exception 2 [SVC] on CPU 0",
    "...from EL0 to EL1",
    "Exception return from",
  ]);
});

Deno.test("kernelRanges() joins pages that follow one another", () => {
  assertEquals(kernelRanges([0x1000n, 0x2000n, 0x5000n]), [
    { first: 0x1000n, count: 2, step: 4096n },
    { first: 0x5000n, count: 1, step: 4096n },
  ]);
});
