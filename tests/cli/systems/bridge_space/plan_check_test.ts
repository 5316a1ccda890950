/** The check of bridge-space's plans: what holds, and what it finds in plans with planted faults. */
import { assertEquals, assertMatch } from "@std/assert";
import {
  checkPlans,
  compareWays,
  faultsOfPlan,
  isUnbacked,
} from "../../../../cli/systems/bridge_space/plan_check.ts";
import { planHops, type PlannedSpace, type PlanRequest } from "../../../../firmware/bridge_space/planner.ts";

const PHYSICAL = 0x4800_0000n, SIZE = 0x2_0000n, FAR = 0x12_3456_0000n;

function request(bits: number): PlanRequest {
  const space = (name: string, inputBits: number, virtual: bigint): PlannedSpace => ({
    name,
    layout: { granule: 12, inputBits },
    mappings: [{ virtual, physical: PHYSICAL, size: SIZE }],
  });
  const [source, target] = [space("S1", 40, PHYSICAL), space("S2", bits, FAR)];
  return { source, target, from: PHYSICAL, to: FAR, physical: PHYSICAL, size: SIZE, isUnbacked };
}

Deno.test("checkPlans finds that plans do what they say", () => {
  assertEquals(checkPlans(1, 8).failures, []);
});

Deno.test("faultsOfPlan finds a plan that leaves a hop out", () => {
  const one = request(40), hops = planHops(one)!;
  assertEquals(faultsOfPlan(one, hops, 1), []);
  for (const left of hops.keys()) {
    const faults = faultsOfPlan(one, hops.filter((_, index) => index !== left), 1);
    assertMatch(faults.join("; "), /does not arrive|does not begin|it ends at/, `without hop ${left}`);
  }
});

Deno.test("faultsOfPlan finds a switch between spaces of two widths", () => {
  const one = request(48), because = "nobody looked";
  const faults = faultsOfPlan(one, [
    { kind: "switch", space: one.target, address: FAR, because },
  ], 2);
  assertMatch(faults.join("; "), /does not arrive/);
});

Deno.test("compareWays finds the bridge and the page fault to end in the same space", () => {
  const { failures, figures } = compareWays(1);
  assertEquals(failures, []);
  assertMatch(figures["over a bridge"]!, /TTBR0 2, SCTLR 0, TLBI 2, aborts 0$/);
  assertMatch(figures["by a page fault"]!, /TTBR0 1, SCTLR 2, TLBI 2, aborts 1$/);
});
