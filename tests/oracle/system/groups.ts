/** Every group of runs on the bare machine. */
import { groups as atomics } from "./atomics.ts";
import { groups as branchTargets } from "./branch_targets.ts";
import { groups as debug } from "./debug.ts";
import { groups as exceptions } from "./exceptions.ts";
import { groups as gicV3 } from "./gic_v3.ts";
import { type Group, onMax } from "./group.ts";
import { groups as host } from "./host.ts";
import { groups as interrupts } from "./interrupts.ts";
import { groups as pointerAuthentication } from "./pointer_authentication.ts";
import { groups as privilegedAccess } from "./privileged_access.ts";
import { groups as pstate } from "./pstate.ts";
import { groups as registers } from "./registers.ts";
import { groups as stage2 } from "./stage2.ts";
import { groups as translation, hostGroups as hostTranslation } from "./translation.ts";
import { groups as traps } from "./traps.ts";

/** The groups, in the order of the report. */
export const GROUPS: readonly Group[] = [
  ...exceptions,
  ...interrupts,
  ...traps,
  ...registers,
  ...translation,
  ...stage2,
  ...onMax(exceptions),
  ...pstate,
  ...privilegedAccess,
  ...branchTargets,
  ...pointerAuthentication,
  ...atomics,
  ...host,
  ...hostTranslation,
  ...debug,
  ...gicV3,
];
