/** The keys of pointer authentication (Arm ARM D13.2, AP*Key*_EL1; FEAT_PAuth). */
import { stored, type SystemRegister } from "./system_register_row.ts";

const OPTIONS = { traps: ["APK_EL2", "APK_EL3"], feature: "PAuth" } as const;

/** The keys, each in two halves; UNKNOWN after reset, zero here as in QEMU. */
export const PAUTH_REGISTERS: readonly SystemRegister[] = [
  stored("APIAKeyLo_EL1", "EL1_RW", OPTIONS),
  stored("APIAKeyHi_EL1", "EL1_RW", OPTIONS),
  stored("APIBKeyLo_EL1", "EL1_RW", OPTIONS),
  stored("APIBKeyHi_EL1", "EL1_RW", OPTIONS),
  stored("APDAKeyLo_EL1", "EL1_RW", OPTIONS),
  stored("APDAKeyHi_EL1", "EL1_RW", OPTIONS),
  stored("APDBKeyLo_EL1", "EL1_RW", OPTIONS),
  stored("APDBKeyHi_EL1", "EL1_RW", OPTIONS),
  stored("APGAKeyLo_EL1", "EL1_RW", OPTIONS),
  stored("APGAKeyHi_EL1", "EL1_RW", OPTIONS),
];
