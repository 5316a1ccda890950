/** Registers whose writes take effect without a context synchronization event, and why (Arm ARM D13.1.2). */

/** Writes that take effect at once. */
interface ImmediateRow {
  /** Names that the reason holds for, each at the beginning of the register's. */
  readonly names: readonly string[];
  readonly reason: string;
}

const words = (text: string): string[] => text.split(" ");

/** op0 and CRn of special-purpose registers. */
const SPECIAL_PURPOSE_OP0 = 3, SPECIAL_PURPOSE_CRN = 4;
const SPECIAL_PURPOSE =
  "a special-purpose register (C5.2: PSTATE, SP, ELR, SPSR, FPCR, FPSR): accesses appear in program order";

/** Reasons by name; those of special-purpose registers follow from their encoding. */
// deno-fmt-ignore
const IMMEDIATE: readonly ImmediateRow[] = [
  { names: words("ESR_EL FAR_EL HPFAR_EL PAR_EL AFSR IFSR32_EL2"), reason: "nothing but MRS reads it, and exceptions and AT write it without asking" },
  { names: words("TPIDR"),                                  reason: "software's own: nothing but MRS reads it" },
  { names: words("DACR32_EL2 DBGVCR32_EL2 FPEXC32_EL2 SDER32_EL3"), reason: "state of AArch32, which is not there" },
  { names: words("CNTP_ CNTV_ CNTHP_ CNTHV_ CNTPS_ CNTVOFF_EL2 CNTPOFF_EL2"), reason: "the timer's own registers: it observes writes in finite time, which is at once here (D11.2)" },
  { names: words("CNTFRQ_EL0"),                                     reason: "the timer does not read it" },
  { names: words("PM"),                                             reason: "counts need not be exact: counters observe writes in finite time (D7.3)" },
  { names: words("OSDTR OSECCR_EL1 OSDLR_EL1 DBGPRCR_EL1 MDCCINT_EL1 DBGDTR"), reason: "there is no external debugger" },
  { names: words("DBGCLAIM OSLAR_EL1"),                             reason: "it acts on another register, which MRS then reads" },
];

/** Why writes of a register take effect at once; undefined when they wait. */
export function immediateReason(name: string, encoding: number): string | undefined {
  if (encoding >> 14 === SPECIAL_PURPOSE_OP0 && (encoding >> 7 & 15) === SPECIAL_PURPOSE_CRN) {
    return SPECIAL_PURPOSE;
  }
  return IMMEDIATE.find(({ names }) => names.some((start) => name.startsWith(start)))?.reason;
}

/** Every beginning of a name in the table, so that tests can find those that match nothing. */
export const IMMEDIATE_NAMES: readonly string[] = IMMEDIATE.flatMap(({ names }) => names);
