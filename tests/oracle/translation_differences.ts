/** Where QEMU 7.2 and the Arm ARM differ on translation, as masks over outcomes; each with its section. */
import type { Outcome } from "./translation_runner.ts";

/** A known difference: what is not compared, and when. */
export interface Difference {
  /** What QEMU does, and what the Arm ARM says. */
  readonly reason: string;
  /** Section of the Arm ARM. */
  readonly section: string;
  /** True when one side's outcome is of the kind. */
  readonly applies: (outcome: Outcome, isAt: boolean) => boolean;
  /** The outcome without what differs. */
  readonly masked: (outcome: Outcome) => Outcome;
}

const isAbort = (syndrome: bigint): boolean => [0x20n, 0x21n, 0x24n, 0x25n].includes(syndrome >> 26n);
const isWalkAbort = (syndrome: bigint): boolean => isAbort(syndrome) && (syndrome & 0x80n) !== 0n;
const hasResult = ({ vector, PAR_EL1 }: Outcome, isAt: boolean): boolean =>
  isAt && vector === 0x100n && (PAR_EL1 & 1n) === 0n;

/** Every difference met by the cases; what cases avoid is said where they are drawn. */
export const DIFFERENCES: readonly Difference[] = [
  {
    reason: "a stage 2 fault on a stage 1 walk has the level of the stage 1 lookup; it is that of stage 2",
    section: "D13.2.37 ESR_ELx.DFSC, D13.2.103 PAR_EL1.FST",
    applies: ({ ESR_EL2, PAR_EL1 }, isAt) => isWalkAbort(ESR_EL2) || (isAt && (PAR_EL1 & 0x101n) === 0x101n),
    masked: (outcome) => ({
      ...outcome,
      ESR_EL2: isWalkAbort(outcome.ESR_EL2) ? outcome.ESR_EL2 & ~3n : outcome.ESR_EL2,
      PAR_EL1: (outcome.PAR_EL1 & 0x101n) === 0x101n ? outcome.PAR_EL1 & ~6n : outcome.PAR_EL1,
    }),
  },
  {
    reason: "PAR_EL1.SH is the descriptor's for Device and Normal Non-cacheable memory; it is 0b10",
    section: "D13.2.103 PAR_EL1.SH",
    applies: (outcome, isAt) => {
      const attribute = outcome.PAR_EL1 >> 56n;
      return hasResult(outcome, isAt) && (attribute < 0x10n || attribute === 0x44n);
    },
    masked: (outcome) => ({ ...outcome, PAR_EL1: outcome.PAR_EL1 & ~0x180n }),
  },
  {
    reason: "Device of one stage is combined with bits 3–0 of the other's attribute though that is Normal",
    section: "D8.6.4",
    applies: (outcome, isAt) => hasResult(outcome, isAt) && outcome.PAR_EL1 >> 56n < 0x10n,
    masked: (outcome) => ({ ...outcome, PAR_EL1: outcome.PAR_EL1 & ~(0xfn << 56n) }),
  },
  {
    reason: "an AT that takes a synchronous external abort leaves HPFAR_EL2; UNKNOWN",
    section: "D13.2.55 HPFAR_EL2",
    applies: ({ vector }, isAt) => isAt && vector !== 0x100n,
    masked: (outcome) => ({ ...outcome, HPFAR_EL2: 0n }),
  },
];

/** The outcome with everything masked that is known to differ; `used` counts each difference's uses. */
export function masked(outcome: Outcome, isAt: boolean, used?: number[]): Outcome {
  let result = outcome;
  for (const [index, difference] of DIFFERENCES.entries()) {
    if (!difference.applies(outcome, isAt)) continue;
    if (used !== undefined) used[index] = (used[index] ?? 0) + 1;
    result = difference.masked(result);
  }
  return result;
}
