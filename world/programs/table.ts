/** The programs that every world can have as nodes: one row, and one file, each. */
import type { NodeProgram } from "../node_program.ts";
import { clockwork } from "./clockwork.ts";
import { echo } from "./echo.ts";

/** Programs by name. */
export const PROGRAMS: readonly NodeProgram[] = [echo, clockwork];
