/** Parts of roots: what is stored of them, and what is read back. */
import { assert, assertEquals } from "@std/assert";
import type { StoredRoot } from "../../journal/payloads.ts";
import { allParts, changedParts, type Parts } from "../../journal/root_parts.ts";
import { counterGuest, recordGuest } from "./guest.ts";

const parts = (values: Readonly<Record<string, number>>): Parts =>
  Object.entries(values).map(([name, value]) => ({ name, hash: new Uint8Array(32).fill(value) }));

Deno.test("allParts undoes changedParts", () => {
  const before = parts({ a: 1, b: 2, c: 3 }), now = parts({ a: 1, b: 5, c: 3 });
  assertEquals(changedParts(before, now), parts({ b: 5 }));
  for (const [from, to] of [[[], before], [before, now], [now, now]] as const) {
    assertEquals(allParts(from, changedParts(from, to)), to);
  }
});

Deno.test("allParts takes a root of which all parts are stored as it is", () => {
  const now = parts({ a: 1, b: 5, c: 3 });
  assertEquals(allParts(parts({ a: 1, b: 2, c: 3 }), now), now);
});

Deno.test("Recorder stores the parts of a root that changed, and RecordedRun gives all of them", () => {
  const { run, end } = recordGuest(counterGuest(), {});
  const blocks = run.reader.blocks.filter(({ kind }) => kind === "roots" || kind === "end");
  const stored = blocks.map(({ number }) => (run.reader.payload(number) as StoredRoot).parts);
  const whole = [...run.roots, run.end!].map(({ parts }) => parts);
  assertEquals(whole.at(-1), end.parts);
  assertEquals(stored[0], whole[0]);
  for (const [index, { length }] of stored.entries()) {
    assert(index === 0 || length < end.parts.length / 2, `root ${index} has ${length} parts`);
    assertEquals(whole[index]!.map(({ name }) => name), end.parts.map(({ name }) => name));
  }
});
