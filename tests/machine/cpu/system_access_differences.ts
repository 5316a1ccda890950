/** Where our outcome of an access may differ from QEMU 7.2's, with the reason. */
import { SYSTEM_INSTRUCTIONS } from "../../../machine/a64/system_names.ts";
import type { Configuration } from "./system_access.ts";

/** One access whose outcomes differ. */
export interface AccessDifference {
  /** Where. */
  readonly configuration: Configuration;
  /** As `systemEncoding` has it. */
  readonly encoding: number;
  /** MRS or SYSL. */
  readonly isRead: boolean;
  /** Name of the register. */
  readonly name: string;
  /** Outcomes as `outcomeOf` writes them. */
  readonly ours: string;
  /** QEMU's. */
  readonly theirs: string;
}

interface Row {
  /** Why ours is right, with the Arm ARM's section. */
  readonly reason: string;
  /** True for the accesses that it is about. */
  readonly holds: (difference: AccessDifference) => boolean;
}

/** Registers that Armv8.0-A has and QEMU 7.2 has not. */
// deno-fmt-ignore
const MISSING_IN_QEMU = new Set([
  "OSDTRRX_EL1", "OSDTRTX_EL1", "OSECCR_EL1", "DBGPRCR_EL1", "DBGCLAIMSET_EL1", "DBGCLAIMCLR_EL1",
  "DBGAUTHSTATUS_EL1", "DBGDTR_EL0", "DBGDTRRX_EL0", "DBGDTRTX_EL0",
]);

/** Reads of these are allowed by their own bits of PMUSERENR_EL0. */
const isCounter = (name: string): boolean => /^PM(SELR|SWINC|CCNTR|XEVCNTR|EVCNTR\d)_EL0$/.test(name);

const has = ({ configuration }: AccessDifference, register: string, bit: number): boolean =>
  ((configuration.controls[register] ?? 0n) >> BigInt(bit) & 1n) === 1n;

/** Every reason. */
// deno-fmt-ignore
const ROWS: readonly Row[] = [
  { reason: "D13.3: a debug register that QEMU does not have", holds: ({ name }) => MISSING_IN_QEMU.has(name) },
  { reason: "D13.3, MDSCR_EL1.TDCC traps the debug communications channel", holds: (d) => d.name === "MDCCSR_EL0" && has(d, "MDSCR_EL1", 12) && d.ours === "trap 1" },
  { reason: "D13.2, HCR_EL2.TIDCP traps all IMPLEMENTATION DEFINED encodings", holds: (d) => has(d, "HCR_EL2", 20) && d.ours === "trap 2" && [11, 15].includes(d.encoding >> 7 & 15) },
  { reason: "D13.4, MDCR_EL2.TPMCR traps PMCR_EL0", holds: (d) => d.name === "PMCR_EL0" && has(d, "MDCR_EL2", 5) && d.ours === "trap 2" },
  { reason: "D13.4: TPM traps counters that PMUSERENR_EL0 lets EL0 use", holds: (d) => isCounter(d.name) && (has(d, "MDCR_EL2", 6) || has(d, "MDCR_EL3", 6)) && d.ours.startsWith("trap") },
  { reason: "D13.8, CNTHCTL_EL2.EL1PCTEN, not EL1PCEN, traps CNTPCT_EL0 at EL0", holds: (d) => d.name === "CNTPCT_EL0" && d.configuration.level === 0 && d.configuration.controls["CNTHCTL_EL2"] !== 3n },
  { reason: "C5.3: with the MMU off memory is Device, where DC ZVA faults", holds: (d) => d.encoding === SYSTEM_INSTRUCTIONS["dc zva"]?.encoding && /^[1-3]:9[26]000061$/.test(d.ours) },
  { reason: "D13.3: MDCR_EL3.TDA traps MDCR_EL2", holds: (d) => d.name === "MDCR_EL2" && has(d, "MDCR_EL3", 9) && d.ours === "trap 3" },
];

/** The reason why an outcome may differ from QEMU's, or undefined. */
export function differenceIn(difference: AccessDifference): string | undefined {
  return ROWS.find(({ holds }) => holds(difference))?.reason;
}

/** Registers with other values than QEMU's, with the reason. */
// deno-fmt-ignore
const VALUES: Readonly<Record<string, string>> = {
  ID_AA64PFR0_EL1: "AArch64 alone: fields are 1 where QEMU has 2",
  HCR_EL2:         "D13.2, RW is RAO/WI without AArch32",
  SCR_EL3:         "D13.2: RW is RAO/WI without AArch32; QEMU's own is not probed",
  MDCCINT_EL1:     "D13.3: readable; QEMU leaves Rt alone",
  DBGVCR32_EL2:    "D13.3: readable; QEMU leaves Rt alone",
  OSLSR_EL1:       "the probe unlocks it before",
  SPSel:           "the probe needs its own",
};

/** The reason why a register's values may differ from QEMU's, or undefined; `level` is the probe's. */
export function valueDifference(name: string, level: number): string | undefined {
  return name === `SCTLR_EL${level}` ? "the probe needs its own" : VALUES[name];
}
