/** el2-trampoline: a kernel at EL1 and a VMM at EL2 that take turns, by a trampoline. */
import { COST_CHECKS } from "./el2_trampoline/costs.ts";
import { DEBIAN_CHECKS } from "./el2_trampoline/debian.ts";
import { EXPLAIN } from "./el2_trampoline/explanation.ts";
import { MUTANT_CHECKS } from "./el2_trampoline/mutants.ts";
import { REFUSAL_CHECKS } from "./el2_trampoline/refusals.ts";
import { SWITCH_CHECKS } from "./el2_trampoline/switches.ts";
import type { SystemScenario } from "./scenario.ts";

/** The system. */
export const scenario: SystemScenario = {
  slug: "el2-trampoline",
  explain: EXPLAIN,
  checks: [...SWITCH_CHECKS, ...COST_CHECKS, ...REFUSAL_CHECKS, ...MUTANT_CHECKS, ...DEBIAN_CHECKS],
};
