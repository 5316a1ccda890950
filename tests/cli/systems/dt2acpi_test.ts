/** Tests of dt2acpi's checks: the map of nodes, refusals, changes, random trees, and the decision of the A64 code. */
import { assert, assertEquals } from "@std/assert";
import { KINDS } from "../../../cli/systems/dt2acpi/boards.ts";
import {
  deterministic,
  minimalChanges,
  nodeMap,
  refusals,
} from "../../../cli/systems/dt2acpi/conversions.ts";
import { EXPECTED, explanation } from "../../../cli/systems/dt2acpi/expected.ts";
import { convertRandom, randomBlob } from "../../../cli/systems/dt2acpi/fuzz.ts";

Deno.test("every node of a board has a place or a reason", () =>
  assertEquals(nodeMap(KINDS.slice(0, 5)).failures, []));

Deno.test("a tree that contradicts itself is refused by the node's path", () =>
  assertEquals(refusals().failures, []));

Deno.test("a change of the tree changes its lines alone", () => assertEquals(minimalChanges().failures, []));

Deno.test("the same tree gives the same tables", () => assertEquals(deterministic().failures, []));

Deno.test("random trees give valid tables or a refusal", () => {
  const came = { converted: 0, refused: 0 };
  for (let seed = 1; seed <= 40; seed++) {
    const { failures, placed, refused } = convertRandom(randomBlob(seed));
    assertEquals(failures, [], `seed ${seed}`);
    if (placed !== undefined) came.converted++;
    else if (refused !== undefined) came.refused++;
  }
  assert(came.converted > 5 && came.refused > 5, JSON.stringify(came));
});

Deno.test("a line that differs from QEMU's in another way than a row says is not explained", () => {
  const [kind] = KINDS.slice(-1) as [(typeof KINDS)[number]];
  assertEquals(
    explanation({ name: "SPCR.baudRate", one: "0x0", other: "0x3" }, kind)?.reason,
    EXPECTED.find(({ name }) => name.test("SPCR.baudRate"))?.reason,
  );
  assertEquals(explanation({ name: "SPCR.baudRate", one: "0x7", other: "0x3" }, kind), undefined);
  assertEquals(explanation({ name: "IORT.nodeCount", one: undefined, other: "0x2" }, kind), undefined); // it has an ITS
  assertEquals(explanation({ name: "GTDT.virtualInterrupt", one: "0x1a", other: "0x1b" }, kind), undefined);
});
