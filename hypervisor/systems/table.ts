/** The systems that monitors can have, by name. */
import type { SystemRow } from "../system.ts";

/** One row for each. */
export const SYSTEMS: readonly SystemRow[] = [];
