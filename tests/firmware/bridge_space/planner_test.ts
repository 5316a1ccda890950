/** Plans of hops between address spaces: the shortest, those with the MMU off, and those that there are not. */
import { assertEquals, assertThrows } from "@std/assert";
import { planHops, type PlannedSpace, type PlanRequest } from "../../../firmware/bridge_space/planner.ts";

const PHYSICAL = 0x4800_0000n, SIZE = 0x2_0000n, UNIT = 0x1_0000n, FAR = 0x12_3456_0000n;

function space(
  name: string,
  inputBits: number,
  places: readonly bigint[],
  decoys: readonly bigint[] = [],
): PlannedSpace {
  const mappings = [
    ...places.map((virtual) => ({ virtual, physical: PHYSICAL, size: SIZE })),
    ...decoys.map((virtual) => ({ virtual, physical: PHYSICAL + 0x100_0000n, size: SIZE })),
  ];
  return { name, layout: { granule: 12, inputBits }, mappings };
}

function request(source: PlannedSpace, target: PlannedSpace, from: bigint, to: bigint): PlanRequest {
  const isUnbacked = (physical: bigint) => physical >= 0x5000_0000n && physical < 0x40_0000_0000n;
  return { source, target, from, to, physical: PHYSICAL, size: SIZE, isUnbacked };
}

const shape = (one: PlanRequest) => planHops(one)?.map(({ kind }) => kind).join(" ");

Deno.test("planHops takes the shortest chain with the MMU on", () => {
  const at = (from: bigint, to: bigint, more: readonly bigint[] = [], others: readonly bigint[] = []) =>
    shape(request(space("S1", 40, [from, ...more]), space("S2", 40, [to, ...others]), from, to));
  assertEquals(at(PHYSICAL, FAR), "switch branch switch");
  assertEquals(at(PHYSICAL, PHYSICAL), "switch");
  assertEquals(at(PHYSICAL, FAR, [FAR]), "branch switch");
  assertEquals(at(PHYSICAL, FAR, [], [PHYSICAL]), "switch branch");
  // The two copies would overlap: over a second bridge.
  assertEquals(at(PHYSICAL, PHYSICAL + UNIT), "switch branch switch branch switch");
});

Deno.test("planHops turns the MMU off where T0SZ differs, and comes back by an abort where nothing is mapped", () => {
  const to = FAR, source = space("S1", 40, [PHYSICAL]);
  const plan = (target: PlannedSpace, one = source, from = PHYSICAL) => shape(request(one, target, from, to));
  assertEquals(plan(space("S2", 48, [to])), "off onByAbort");
  assertEquals(plan(space("S2", 48, [to, PHYSICAL])), "off on branch");
  // Something else is where the code is: it would be taken for it.
  assertEquals(plan(space("S2", 48, [to], [PHYSICAL])), "off onByAbort switch");
  assertEquals(
    plan(space("S2", 48, [to]), space("S1", 40, [0x6000_0000n]), 0x6000_0000n),
    "offByAbort onByAbort",
  );
  // Where it is, something answers at the physical address of that number: to the identity over a bridge first.
  const low = 0x0900_0000n;
  assertEquals(plan(space("S2", 48, [to]), space("S1", 40, [low]), low), "switch branch off onByAbort");
});

Deno.test("planHops finds no way where the identity is out of reach and every address answers", () => {
  const low = 0x0100_0000n, source = space("S1", 25, [low]);
  assertEquals(
    planHops({ ...request(source, space("S2", 48, [FAR]), low, FAR), isUnbacked: () => false }),
    undefined,
  );
});

Deno.test("planHops has nothing to do where the code is there", () => {
  const one = space("S1", 40, [PHYSICAL]);
  assertEquals(planHops(request(one, one, PHYSICAL, PHYSICAL)), []);
});

Deno.test("planHops refuses code that is not where the request says, and addresses between granules", () => {
  const source = space("S1", 40, [PHYSICAL]), target = space("S2", 40, [FAR]);
  const refuse = (from: bigint, to: bigint, text: string) =>
    assertThrows(() => planHops(request(source, target, from, to)), RangeError, text);
  refuse(PHYSICAL + UNIT, FAR, "not at 0x48010000 in S1");
  refuse(PHYSICAL, PHYSICAL, "not at 0x48000000 in S2");
  refuse(PHYSICAL + 8n, FAR, "no multiple of the granule of S1");
});
