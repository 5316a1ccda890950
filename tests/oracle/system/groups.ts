/** Every group of runs on the bare machine. */
import { groups as exceptions } from "./exceptions.ts";
import type { Group } from "./group.ts";
import { groups as interrupts } from "./interrupts.ts";
import { groups as registers } from "./registers.ts";
import { groups as stage2 } from "./stage2.ts";
import { groups as translation } from "./translation.ts";
import { groups as traps } from "./traps.ts";

/** The groups, in the order of the report. */
export const GROUPS: readonly Group[] = [
  ...exceptions,
  ...interrupts,
  ...traps,
  ...registers,
  ...translation,
  ...stage2,
];
