/** The systems that monitors can have, by name. */
import type { SystemRow } from "../system.ts";
import { GVA_SCAN } from "./gva_scan.ts";

/** One row for each. */
export const SYSTEMS: readonly SystemRow[] = [GVA_SCAN];
