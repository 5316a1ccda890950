/** The programs that every world can have as nodes: one row, and one file or folder, each. */
import type { NodeProgram } from "../node_program.ts";
import { bmc } from "./bmc/bmc.ts";
import { clockwork } from "./clockwork.ts";
import { dpuHost } from "./dpu_host.ts";
import { echo } from "./echo.ts";

/** Programs by name. */
export const PROGRAMS: readonly NodeProgram[] = [echo, clockwork, bmc, dpuHost];
