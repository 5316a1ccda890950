/** The systems that monitors can have, by name. */
import type { SystemRow } from "../system.ts";
import { DCC_HYPERCALL } from "./dcc_hypercall/system.ts";
import { DPU_PROVISION } from "./dpu_provision.ts";
import { EL3_ECAM } from "./el3_ecam/system.ts";
import { ECAM_SEGMENTS } from "./ecam_segments/system.ts";
import { EL3_SIMDEV } from "./el3_simdev.ts";
import { EXCLUSIVE_PROBE } from "./exclusive_probe.ts";
import { GVA_SCAN } from "./gva_scan.ts";
import { ICACHE_ON_FAULT } from "./icache_on_fault/system.ts";
import { RTS_UPCALL } from "./rts_upcall/system.ts";
import { TEE_ENCLAVE } from "./tee_migration/enclave/enclave_system.ts";
import { TEE_REALM } from "./tee_migration/enclave/rows.ts";
import { SERIAL_CONSOLES } from "./serial_consoles/system.ts";
import { TEE_MIGRATION } from "./tee_migration/system.ts";
import { TIME_SCALE } from "./time_scale/system.ts";
import { UNIFIED_BACKDOOR } from "./unified_backdoor/system.ts";

/** One row for each. */
export const SYSTEMS: readonly SystemRow[] = [
  DCC_HYPERCALL,
  DPU_PROVISION,
  EL3_ECAM,
  ECAM_SEGMENTS,
  EL3_SIMDEV,
  EXCLUSIVE_PROBE,
  GVA_SCAN,
  ICACHE_ON_FAULT,
  RTS_UPCALL,
  TEE_ENCLAVE,
  TEE_REALM,
  SERIAL_CONSOLES,
  TEE_MIGRATION,
  TIME_SCALE,
  UNIFIED_BACKDOOR,
];
