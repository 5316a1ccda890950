/** Where QEMU 7.2 and the Arm ARM differ, and the Arm ARM is followed: what is left out of the comparison, and why. */
import { RESULT_WORDS, type ResultWord } from "./program.ts";

/** The words of one result, by name. */
export type Result = (word: ResultWord) => bigint;

/** A known difference. */
export interface Difference {
  /** What QEMU does otherwise. */
  readonly reason: string;
  /** Section of the Arm ARM. */
  readonly section: string;
  /** Runs it concerns, by name with the group's in front: `group: run`. */
  readonly runs: RegExp;
  /** Results it concerns, of those. */
  readonly when?: (theirs: Result, ours: Result) => boolean;
  /** Words not compared; all when absent. */
  readonly words?: readonly ResultWord[];
  /** Bits of those words that are not compared; all when absent. */
  readonly mask?: bigint;
  /** Our words vary as well, with what else the program does, so that they are not recorded. */
  readonly varies?: true;
}

const ALL_RUNS = /^/;

/** Class of a syndrome. */
export function exceptionClass(syndrome: bigint): number {
  return Number(syndrome >> 26n & 63n);
}

const EC_HVC = 0x16,
  EC_SMC = 0x17,
  EC_INSTRUCTION_ABORT_LOWER = 0x20,
  EC_DATA_ABORT_LOWER = 0x24,
  EC_DATA_ABORT_SAME = 0x25,
  EC_WATCHPOINT_LOWER = 0x34;

/** True when TOP was entered from a vector of a lower level. */
function cameFromStub(result: Result): boolean {
  const isStub = (syndrome: bigint, call: number) =>
    exceptionClass(syndrome) === call && (syndrome & 0xffffn) >= 0x100n;
  return isStub(result("ESR_EL3"), EC_SMC) || isStub(result("ESR_EL2"), EC_HVC);
}

/** True for a trapped access to a system register. */
function isAccessTrap(syndrome: bigint): boolean {
  return exceptionClass(syndrome) === 0x18;
}

/** True for an instruction or data abort. */
function isAbort(syndrome: bigint): boolean {
  return (exceptionClass(syndrome) & ~5) === EC_INSTRUCTION_ABORT_LOWER;
}

/** True for a data abort by an alignment fault. */
function isAlignmentFault(syndrome: bigint): boolean {
  return (exceptionClass(syndrome) & ~1) === EC_DATA_ABORT_LOWER && (syndrome & 63n) === 0x21n;
}

/** True for a watchpoint exception. */
function isWatchpoint(syndrome: bigint): boolean {
  return (exceptionClass(syndrome) & ~1) === EC_WATCHPOINT_LOWER;
}

/** True when an address translation succeeded and the memory is Device or Normal Non-cacheable. */
function isUncached(par: bigint): boolean {
  const attributes = par >> 56n;
  return (par & 0x801n) === 0x800n && (attributes < 0x10n || attributes === 0x44n);
}

/** The differences. */
// deno-fmt-ignore
export const DIFFERENCES: readonly Difference[] = [
  { reason: "flags are cleared on exception entry; Arm leaves them", section: "D1.10.2",
    runs: ALL_RUNS, when: cameFromStub, words: ["SPSR_EL2", "SPSR_EL3"], mask: 0xf000_0000n },
  { reason: "DIT is cleared on exception entry; Arm leaves it", section: "D1.10.2, AArch64.TakeException",
    runs: ALL_RUNS, when: cameFromStub, words: ["SPSR_EL2", "SPSR_EL3"], mask: 0x100_0000n },
  { reason: "PAN is not restored by an illegal exception return", section: "D1.11.4, SetPSTATEFromPSR",
    runs: /, max: return from EL\d to \w*[2d], SPSR/, words: ["SPSR_EL1", "SPSR_EL2", "SPSR_EL3"], mask: 0x40_0000n },
  { reason: "FEAT_IDST gives reads of ID registers at EL0 a syndrome; there is none here", section: "D1.10.4, ID_AA64MMFR2_EL1.IDS",
    runs: /, max: mrs x4, (m(id|pid|vf)|revid|aid|id_|s3_0_c0_|clid|ccsid|csseld?).* at EL0/, when: (theirs, ours) => [1, 2].some((el) => isAccessTrap(theirs(`ESR_EL${el}` as ResultWord)) && exceptionClass(ours(`ESR_EL${el}` as ResultWord)) === 0),
    words: ["ESR_EL1", "ESR_EL2"] },
  { reason: "ID registers tell of extensions that do not exist here", section: "D13.2 ID_AA64ISAR0_EL1", runs: /, max: mrs x4, (id_|mvfr)/, words: ["X4"] },
  { reason: "registers have their names in _EL12 without HCR_EL2.E2H too", section: "D13.1.2, SCTLR_EL1 by SCTLR_EL12",
    runs: /, max: .*_EL12.* at EL[23], HCR_EL2 0x80000000$/ },
  { reason: "aborts from EL2 to EL2 have ISV and what follows it though there is no stage 2", section: "D13.2.37 ESR_ELx, ISV",
    runs: ALL_RUNS, when: (theirs) => exceptionClass(theirs("ESR_EL2")) === EC_DATA_ABORT_SAME, words: ["ESR_EL2"], mask: 0x01ff_c000n },
  { reason: "HVC at EL3 goes to EL2", section: "C6.2 HVC, AArch64.CallHypervisor", runs: /: hvc( #\S+)? at EL3/ },
  { reason: "HVC is not UNDEFINED in Secure state", section: "C6.2 HVC", runs: /: hvc #1 at EL1, SCR_EL3 .*[02468ace]$/ },
  { reason: "MSR DAIFSet and DAIFClr at EL0 exchange op1 and op2 in the syndrome", section: "D13.2.37 ESR_ELx, trapped MSR",
    runs: /(: daif|msr daifset, #1) at EL0/, when: (theirs) => exceptionClass(theirs("ESR_EL1")) === 0x18, words: ["ESR_EL1"], mask: 0x000f_c000n },
  { reason: "MSR DAIFSet at EL0 exchanges op1 and op2 in the syndrome, also when routed to EL2", section: "D13.2.37 ESR_ELx, trapped MSR",
    runs: /msr daifset, #1 at EL0/, when: (theirs) => exceptionClass(theirs("ESR_EL2")) === 0x18, words: ["ESR_EL2"], mask: 0x000f_c000n },
  { reason: "a stepped instruction that masks debug exceptions is followed by the step's; here the state is inactive by then", section: "D2.12.3",
    runs: /: step \d+: msr daifset/ },
  { reason: "an unaligned access may be made as aligned ones, whose address a watchpoint gives", section: "D13.2.40 FAR_EL1",
    runs: /: watchpoint .*, #-?\d\] at/, when: (theirs) => isWatchpoint(theirs("ESR_EL1")), words: ["FAR_EL1"], mask: 15n },
  { reason: "an unaligned access may be made as aligned ones, whose address a watchpoint gives to EL2", section: "D13.2.41 FAR_EL2",
    runs: /: watchpoint .*, #-?\d\] at/, when: (theirs) => isWatchpoint(theirs("ESR_EL2")), words: ["FAR_EL2"], mask: 15n },
  { reason: "a store-exclusive that fails does not check its alignment", section: "AArch64.ExclusiveMonitorsPass",
    runs: /: store exclusive unaligned / },
  { reason: "DC ZVA on Device memory is done; here, as everywhere else, it must be aligned Normal memory", section: "C5.3 DC ZVA",
    runs: /(: zero nowhere|: dc zva, x1) at/, when: (_, ours) => (["ESR_EL1", "ESR_EL2", "ESR_EL3"] as const).some((word) => isAlignmentFault(ours(word))) },
  { reason: "an external abort of DC ZVA gives the block's address instead of the argument", section: "D13.2.40 FAR_EL1",
    runs: /: dc zva, x1 at EL0/, when: (theirs) => (theirs("ESR_EL1") & 63n) === 0x10n, words: ["FAR_EL1"], mask: 63n },
  { reason: "an external abort of DC ZVA to EL2 gives the block's address instead of the argument", section: "D13.2.41 FAR_EL2",
    runs: /, max: .*: dc zva, x1 at EL/, when: (theirs) => (theirs("ESR_EL2") & 63n) === 0x10n, words: ["FAR_EL2"], mask: 63n },
  { reason: "shareability of Device and Normal Non-cacheable memory is not given as outer", section: "D13.2.105 PAR_EL1, SH",
    runs: ALL_RUNS, when: (theirs) => isUncached(theirs("PAR_EL1")), words: ["PAR_EL1"], mask: 0x180n },
  { reason: "blocks of level 0 (4 KiB granule) and 1 (16 and 64 KiB) are taken for such; here they are invalid", section: "D5.3.1",
    runs: /(\b4K.*, level 0|(16|64)K.*, level 1) 0x[0-9a-f]*[159d][:,]/ },
  { reason: "a stage 2 fault in a walk of stage 1 is given the level of stage 1", section: "D13.2.37 ESR_ELx, S1PTW",
    runs: /stage 2/, when: (theirs) => isAbort(theirs("ESR_EL2")) && (theirs("ESR_EL2") & 0x80n) !== 0n, words: ["ESR_EL2"], mask: 3n },
  { reason: "a stage 2 fault in a walk of stage 1 is given the level of stage 1, in PAR_EL1 too", section: "D13.2.105 PAR_EL1, PTW",
    runs: /stage 2/, when: (theirs) => (theirs("PAR_EL1") & 0x101n) === 0x101n, words: ["PAR_EL1"], mask: 6n },
  { reason: "cache maintenance by address does not translate", section: "D5.7, C5.3 DC CVAC", runs: /(translation|stage [12]).*: (dc (i|c|ci)va[cu]|ic ivau), x1 at/ },
  { reason: "AArch32 exists at every level there and at none here", section: "D13.2.64 ID_AA64PFR0_EL1",
    runs: /id_aa64pfr0_el1/i, words: ["X4", "X5"] },
  { reason: "AArch32 does not exist here, so RW is one", section: "D13.2.48 HCR_EL2, RW", runs: /: HCR_EL2 = /, words: ["X6"], mask: 0x8000_0000n },
  { reason: "PMCEID0_EL0 tells of INST_RETIRED with -icount alone", section: "D7.11", runs: /pmceid0_el0/i, words: ["X4", "X5"], mask: 0x100n },
  { reason: "the DCC, the claim tags, OSECCR, DBGPRCR and DBGAUTHSTATUS do not exist, or are only in part there", section: "D13.3 Debug registers",
    runs: /dbgdtr|dbgprcr|dbgauthstatus|dbgclaim|osdtr|oseccr/i },
  { reason: "MDCCINT_EL1 and DBGVCR32_EL2 keep nothing", section: "D13.3 Debug registers", runs: /: (MDCCINT_EL1|DBGVCR32_EL2) = /, words: ["X6"] },
  { reason: "the counter is the host's time", section: "D11.2", runs: /cnt[pv]ct_el0|cnt\w+_tval_el\d/i, words: ["X4", "X5", "X6"], varies: true },
  { reason: "a compare value derives from the counter, which is the host's time", section: "D11.2.4", runs: /: CNT\w+_CVAL_EL\d = /, words: ["X4", "X5"], varies: true },
  { reason: "MDSCR_EL1.TDCC traps nothing", section: "D13.3.20 MDSCR_EL1", runs: /mdccsr_el0 at EL0, MDSCR_EL1/ },
  { reason: "HCR_EL2.TIDCP traps nothing", section: "D13.2.48 HCR_EL2, TIDCP", runs: /c15.* at EL1, HCR_EL2 = 0x80100000|c11.* at EL1, HCR_EL2 = 0x80100000/ },
  { reason: "MDCR_EL3.TDA does not trap MDCR_EL2", section: "D13.3.19 MDCR_EL3, TDA", runs: /mdcr_el2 at EL2, MDCR_EL3 = 0x200/ },
  { reason: "MDCR_EL2.TPMCR traps nothing", section: "D13.3.18 MDCR_EL2", runs: /pmcr_el0 at EL[01], MDCR_EL2 = 0x26/ },
];

/** A result by words. */
const reader = (words: BigUint64Array): Result => (word) => words[RESULT_WORDS.indexOf(word)] as bigint;

/** Takes the words and bits that a difference leaves out from other words; true when there was something to take. */
function take(
  { words, mask = 2n ** 64n - 1n }: Difference,
  into: BigUint64Array,
  from: BigUint64Array,
): boolean {
  let isMet = false;
  for (const [at, word] of RESULT_WORDS.entries()) {
    if (words !== undefined && !words.includes(word)) continue;
    const other = from[at] as bigint, own = into[at] as bigint;
    isMet ||= (other & mask) !== (own & mask);
    into[at] = (own & ~mask) | (other & mask);
  }
  return isMet;
}

/** What must not be compared of a result of QEMU is made equal to ours, in place; gives the differences met. */
export function reconcile(name: string, ours: BigUint64Array, theirs: BigUint64Array): Difference[] {
  const there = reader(theirs.slice()), here = reader(ours);
  return DIFFERENCES.filter((difference) =>
    difference.runs.test(name) && difference.when?.(there, here) !== false && take(difference, theirs, ours)
  );
}

/** Zeroes what varies in a result of ours, in place. */
export function steady(name: string, ours: BigUint64Array): void {
  const zero = new BigUint64Array(RESULT_WORDS.length);
  for (const difference of DIFFERENCES) {
    if (difference.varies && difference.runs.test(name)) take(difference, ours, zero);
  }
}
