/** FEAT_BTI: where a branch to a register may lead in guarded pages (Arm ARM AArch64.BranchTargetCheck, BTypeCompatible). */
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { isGuarded } from "./place.ts";
import { syndromeOf } from "./syndrome.ts";
import { generalTarget, raiseSynchronous } from "./take_exception.ts";
import { controlRegister } from "./translation_regime.ts";

/** The word of HINT #0, and where its number starts. */
const HINT = 0xd503_201f, HINT_SHIFT = 5;
const hint = (number: number): number => (HINT | number << HINT_SHIFT) >>> 0;

/** BTI, BTI c, BTI j, BTI jc: the values of BTYPE, one bit each, that may lead to them. */
// deno-fmt-ignore
const LANDING: ReadonlyMap<number, number> = new Map([
  [hint(32), 0b0000], [hint(34), 0b0110], [hint(36), 0b1010], [hint(38), 0b1110],
]);
const PACIASP = hint(25), PACIBSP = hint(27);
/** BRK and HLT of any immediate. */
const IMMEDIATE_MASK = 0xffe0_001f, BRK = 0xd420_0000, HLT = 0xd440_0000;
/** SCTLR_ELx.BT0 for EL0, BT1 (BT) for the others: PACIASP and PACIBSP are no targets of BTYPE 0b11. */
const BT0 = 35, BT1 = 36;

/** True when an instruction may come after a branch of this BTYPE, 1–3, in a guarded page. */
function isCompatible(cpu: Cpu, word: number, type: number): boolean {
  const types = LANDING.get(word);
  if (types !== undefined) return (types >> type & 1) === 1;
  if (word === PACIASP || word === PACIBSP) {
    return type !== 3 || !hasBit(cpu, controlRegister(cpu), cpu.el === 0 ? BT0 : BT1);
  }
  const kind = (word & IMMEDIATE_MASK) >>> 0;
  return kind === BRK || kind === HLT;
}

/**
 * Makes a Branch Target exception pending where the instruction `word` at the PC may not come after a branch of BTYPE
 * `type`, 1–3; engines ask before they execute an instruction while `cpu.branchType` is not 0.
 */
export function checkBranchTarget(cpu: Cpu, word: number, type: number): void {
  if (isCompatible(cpu, word, type) || !isGuarded(cpu)) return;
  raiseSynchronous(cpu, generalTarget(cpu), syndromeOf("branchTarget", type));
}
