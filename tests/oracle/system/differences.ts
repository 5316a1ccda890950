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
  /** Results it concerns, of those; told from QEMU's. */
  readonly when?: (theirs: Result) => boolean;
  /** Words not compared; all when absent. */
  readonly words?: readonly ResultWord[];
  /** Bits of those words that are not compared; all when absent. */
  readonly mask?: bigint;
}

const ALL_RUNS = /^/;

/** Class of a syndrome. */
export function exceptionClass(syndrome: bigint): number {
  return Number(syndrome >> 26n & 63n);
}

const EC_HVC = 0x16, EC_SMC = 0x17, EC_DATA_ABORT_SAME = 0x25;

/** True when TOP was entered from a vector of a lower level. */
function cameFromStub(result: Result): boolean {
  const isStub = (syndrome: bigint, call: number) =>
    exceptionClass(syndrome) === call && (syndrome & 0xffffn) >= 0x100n;
  return isStub(result("ESR_EL3"), EC_SMC) || isStub(result("ESR_EL2"), EC_HVC);
}

/** The differences. */
// deno-fmt-ignore
export const DIFFERENCES: readonly Difference[] = [
  { reason: "flags are cleared on exception entry; Arm leaves them", section: "D1.10.2",
    runs: ALL_RUNS, when: cameFromStub, words: ["SPSR_EL2", "SPSR_EL3"], mask: 0xf000_0000n },
  { reason: "aborts from EL2 to EL2 have ISV and what follows it though there is no stage 2", section: "D13.2.37 ESR_ELx, ISV",
    runs: ALL_RUNS, when: (theirs) => exceptionClass(theirs("ESR_EL2")) === EC_DATA_ABORT_SAME, words: ["ESR_EL2"], mask: 0x01ff_c000n },
  { reason: "HVC at EL3 goes to EL2", section: "C6.2 HVC, AArch64.CallHypervisor", runs: /: hvc( #\S+)? at EL3/ },
  { reason: "HVC is not UNDEFINED in Secure state", section: "C6.2 HVC", runs: /: hvc #1 at EL1, SCR_EL3 .*[02468ace]$/ },
  { reason: "MSR DAIFSet and DAIFClr at EL0 exchange op1 and op2 in the syndrome", section: "D13.2.37 ESR_ELx, trapped MSR",
    runs: /(: daif|msr daifset, #1) at EL0/, when: (theirs) => exceptionClass(theirs("ESR_EL1")) === 0x18, words: ["ESR_EL1"], mask: 0x000f_c000n },
  { reason: "MSR DAIFSet at EL0 exchanges op1 and op2 in the syndrome, also when routed to EL2", section: "D13.2.37 ESR_ELx, trapped MSR",
    runs: /msr daifset, #1 at EL0/, when: (theirs) => exceptionClass(theirs("ESR_EL2")) === 0x18, words: ["ESR_EL2"], mask: 0x000f_c000n },
  { reason: "a store-exclusive that fails does not check its alignment", section: "AArch64.ExclusiveMonitorsPass",
    runs: /: store exclusive unaligned / },
  { reason: "DC ZVA on Device memory is done; here, as everywhere else, it must be aligned Normal memory", section: "C5.3 DC ZVA",
    runs: /(: zero nowhere|: dc zva, x1) at/ },
  { reason: "shareability of Device memory is not given as outer", section: "D13.2.105 PAR_EL1, SH",
    runs: ALL_RUNS, when: (theirs) => theirs("PAR_EL1") !== 0n && (theirs("PAR_EL1") >> 60n & 15n) === 0n, words: ["PAR_EL1"], mask: 0x180n },
  { reason: "AArch32 exists at every level there and at none here", section: "D13.2.64 ID_AA64PFR0_EL1",
    runs: /id_aa64pfr0_el1/i, words: ["X4", "X5"] },
  { reason: "AArch32 does not exist here, so RW is one", section: "D13.2.48 HCR_EL2, RW", runs: /: HCR_EL2 = /, words: ["X6"], mask: 0x8000_0000n },
  { reason: "the DCC, the claim tags, OSECCR, DBGPRCR and DBGAUTHSTATUS do not exist, or are only in part there", section: "D13.3 Debug registers",
    runs: /dbgdtr|dbgprcr|dbgauthstatus|dbgclaim|osdtr|oseccr/i },
  { reason: "MDCCINT_EL1 and DBGVCR32_EL2 keep nothing", section: "D13.3 Debug registers", runs: /: (MDCCINT_EL1|DBGVCR32_EL2) = /, words: ["X6"] },
  { reason: "the counter is the host's time", section: "D11.2", runs: /cnt[pv]ct_el0|cnt\w+_tval_el\d/i, words: ["X4", "X5", "X6"] },
  { reason: "a compare value derives from the counter, which is the host's time", section: "D11.2.4", runs: /: CNT\w+_CVAL_EL\d = /, words: ["X4", "X5"] },
  { reason: "MDSCR_EL1.TDCC traps nothing", section: "D13.3.20 MDSCR_EL1", runs: /mdccsr_el0 at EL0, MDSCR_EL1/ },
  { reason: "HCR_EL2.TIDCP traps nothing", section: "D13.2.48 HCR_EL2, TIDCP", runs: /c15.* at EL1, HCR_EL2 = 0x80100000|c11.* at EL1, HCR_EL2 = 0x80100000/ },
  { reason: "MDCR_EL3.TDA does not trap MDCR_EL2", section: "D13.3.19 MDCR_EL3, TDA", runs: /mdcr_el2 at EL2, MDCR_EL3 = 0x200/ },
  { reason: "MDCR_EL2.TPMCR traps nothing", section: "D13.3.18 MDCR_EL2", runs: /pmcr_el0 at EL[01], MDCR_EL2 = 0x26/ },
];

/** The results of QEMU with what must not be compared made equal to ours; and how many differences were met. */
export function reconcile(
  name: string,
  ours: BigUint64Array,
  theirs: BigUint64Array,
): { theirs: BigUint64Array; met: Difference[] } {
  const reconciled = theirs.slice(), met: Difference[] = [];
  const result: Result = (word) => theirs[RESULT_WORDS.indexOf(word)] as bigint;
  for (const difference of DIFFERENCES) {
    if (!difference.runs.test(name) || difference.when?.(result) === false) continue;
    const mask = difference.mask ?? 2n ** 64n - 1n;
    for (const [at, word] of RESULT_WORDS.entries()) {
      if (difference.words !== undefined && !difference.words.includes(word)) continue;
      const other = ours[at] as bigint, own = reconciled[at] as bigint;
      if ((other & mask) !== (own & mask) && !met.includes(difference)) met.push(difference);
      reconciled[at] = (own & ~mask) | (other & mask);
    }
  }
  return { theirs: reconciled, met };
}
