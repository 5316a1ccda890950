/** Where our outcome of an access may differ from QEMU 7.2's, with the reason. */
import { SYSTEM_INSTRUCTIONS, systemInstructionName } from "../../../machine/a64/system_names.ts";
import type { Configuration, RecordedModel } from "./system_access.ts";

/** One access whose outcomes differ. */
export interface AccessDifference {
  /** On what. */
  readonly model: RecordedModel;
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

/** Extensions of QEMU 7.2's max that do not exist here: RAS, LOR, CSV2, RNG, PMUv3p4, S-EL2, HCX, MTE of EL0. */
const ELSEWHERE =
  /^(ERR|ERX|V?DISR|VSESR|LOR|SCXTNUM|RNDR|PMMIR|VSTTBR|VSTCR|S3_4_C1_C2_2|GMID|TCO|TFSR|RGSR|GCR|AP[IDG][AB]?Key)/;
/** TLBI of the outer shareable domain and of ranges, prediction restrictions, DC of tags. */
const INSTRUCTIONS_ELSEWHERE = /^(tlbi (r\w+|\w+os)|cfp|dvp|cpp|dc c?i?g\w+)/;

function isElsewhere({ name, encoding }: AccessDifference): boolean {
  return ELSEWHERE.test(name) || INSTRUCTIONS_ELSEWHERE.test(systemInstructionName(encoding) ?? "");
}

/** A read of the ID space (op0 3, op1 0, 1 or 3, CRn 0), at EL0 or of a register that is not there. */
function isIdRead({ model, encoding, isRead, ours, theirs }: AccessDifference): boolean {
  const isIdSpace = encoding >> 14 === 3 && [0, 1, 3].includes(encoding >> 11 & 7) &&
    (encoding >> 7 & 15) === 0;
  const isTrap = ours.startsWith("undefined") && theirs.startsWith("trap");
  return model === "max" && isRead && isIdSpace && isTrap;
}

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
  { reason: "D1.10.4, FEAT_IDST gives UNDEFINED reads of ID registers a syndrome; it does not exist here", holds: isIdRead },
  { reason: "FEAT_ECV and FEAT_FGT, which QEMU 7.2 does not have", holds: ({ name }) => /^(CNT[PV]CTSS|CNTPOFF|HD?FG[RWI]TR)_/.test(name) },
  { reason: "D13.1.2: names in _EL12 and _EL02 exist while HCR_EL2.E2H is 1", holds: (d) => /_EL[01]2$/.test(d.name) && (!has(d, "HCR_EL2", 34) || (d.configuration.scr & 1n) === 0n) && d.ours.startsWith("undefined") },
  { reason: "rule R_RJFFP: registers of EL2 are RES0 at EL3 where EL2 does not exist", holds: (d) => /^(TTBR1|CNTHV_\w+)_EL2$/.test(d.name) && !d.configuration.el2 && d.ours === "ok" },
  { reason: "the extension does not exist here, as ID registers say", holds: (d) => d.model === "max" && isElsewhere(d) && d.ours.startsWith("undefined") },
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
  PMCEID0_EL0:     "D7.11: INST_RETIRED, which QEMU has with -icount",
  OSLSR_EL1:       "the probe unlocks it before",
  SPSel:           "the probe needs its own",
};

/** The same of max alone. */
const VALUES_OF_MAX: readonly (readonly [names: RegExp, reason: string])[] = [
  [/^(ID_|MVFR)/, "fields of extensions that exist here"],
  [/_EL[01]2$/, "D13.1.2, the name exists while HCR_EL2.E2H is 1"],
  [/^PM(XEVCNTR|EVCNTR\d)_EL0$/, "FEAT_PMUv3p5: counters of 64 bits do not exist here"],
  [/^PMCEID1_EL0$/, "FEAT_PMUv3p1: events that do not exist here"],
];

/** The reason why a register's values may differ from QEMU's, or undefined; `level` is the probe's. */
export function valueDifference(model: RecordedModel, name: string, level: number): string | undefined {
  const ofMax = model === "max" ? VALUES_OF_MAX.find(([names]) => names.test(name))?.[1] : undefined;
  return name === `SCTLR_EL${level}` ? "the probe needs its own" : VALUES[name] ?? ofMax;
}
