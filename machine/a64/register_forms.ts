/** Register operands that are shifted or extended before use (Arm ARM: ShiftReg, ExtendReg). */
import type { Builder, Value } from "../ir/builder.ts";

/** The register Rm shifted by LSL, LSR, ASR or ROR (shift 0–3). */
export function shiftedRegister(
  ir: Builder,
  { sf, shift, Rm, imm6 }: Readonly<Record<"sf" | "shift" | "Rm" | "imm6", number>>,
): Value {
  const width = sf ? 64 : 32;
  const register = ir.readX(Rm, width);
  if (imm6 === 0) return register; // The commonest form deserves a shape of its own.
  const amount = ir.constant(width, imm6);
  if (shift === 0) return ir.shiftLeft(width, register, amount);
  if (shift === 1) return ir.shiftRight(width, register, amount);
  if (shift === 2) return ir.shiftRightSigned(width, register, amount);
  return ir.rotateRight(width, register, amount);
}

/** The low 8, 16, 32 or 64 bits of register Rm (option), sign- or zero-extended to `width`, shifted left. */
export function extendedRegister(
  ir: Builder,
  width: 32 | 64,
  Rm: number,
  option: number,
  shift: number,
): Value {
  const size = Math.min(8 << (option & 3), width) as 8 | 16 | 32 | 64;
  const low = ir.readX(Rm, size);
  const extended = (option & 4) !== 0 ? ir.signExtend(width, low) : ir.zeroExtend(width, low);
  return shift === 0 ? extended : ir.shiftLeft(width, extended, ir.constant(width, shift));
}
