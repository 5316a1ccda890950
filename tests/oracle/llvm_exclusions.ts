/** Where LLVM 14 refuses or rewrites what the Arm ARM defines, or warns of: not compared, but counted. */
import type { AnyFields } from "../../machine/a64/pattern.ts";
import { unpredictableCases } from "../../machine/a64/unpredictable.ts";
import {
  SYSTEM_INSTRUCTIONS,
  systemEncoding,
  systemInstructionName,
} from "../../machine/a64/system_names.ts";

/** A group of cases and the comparisons they are left out of. */
export interface Exclusion {
  /** Names of the rows. */
  readonly rows: RegExp;
  /** True for the fields that are left out. */
  readonly when: (fields: AnyFields) => boolean;
  /** Assembling only, or printing as well. */
  readonly directions: "assembly" | "both";
  /** Why LLVM is no judge here. */
  readonly reason: string;
}

/** What comparisons of a case are left out, if any: LLVM prints unpredictable cases but refuses to assemble them. */
export function exclusionOf(row: string, fields: AnyFields): Exclusion["directions"] | undefined {
  const exclusion = EXCLUSIONS.find(({ rows, when }) => rows.test(row) && when(fields));
  if (exclusion !== undefined) return exclusion.directions;
  return unpredictableCases(row, fields).length > 0 ? "assembly" : undefined;
}

/** Size of a bitmask immediate's elements. */
function elementSize({ N, imms }: AnyFields): number {
  return 2 ** (31 - Math.clz32((N as number) << 6 | (~(imms as number) & 63)));
}

/** All exclusions beside those of unpredictable.ts. */
// deno-fmt-ignore
export const EXCLUSIONS: readonly Exclusion[] = [
  { rows: /^(AND|ANDS|ORR|EOR)_imm$/, directions: "assembly", when: (fields) => (fields.immr as number) >= elementSize(fields),
    reason: "immr has bits above the element's size, which decoders ignore: the text stands for another word too" },
  { rows: /^DUP_general$/, directions: "assembly", when: ({ imm5 }) => ((imm5 as number) & ((imm5 as number) - 1)) !== 0,
    reason: "imm5 has bits above its lowest one, which decoders ignore: the text stands for another word too" },
  { rows: /^INS_element$/, directions: "assembly", when: ({ imm4, imm5 }) => ((imm4 as number) & (((imm5 as number) & -(imm5 as number)) - 1)) !== 0,
    reason: "imm4 has bits below the index, which decoders ignore: the text stands for another word too" },
  { rows: /^MSR_imm_(UAO|PAN|SSBS|DIT)$/, directions: "both", when: ({ CRm }) => (CRm as number) > 1,
    reason: "PSTATE fields of one bit take their bit from CRm<0>; LLVM allows CRm 0 and 1 alone" },
  { rows: /^SYS$/, directions: "both", when: (fields) => fields.Rt !== 31 && hasNoRegister(fields),
    reason: "LLVM drops the register of operations that take none, so that its text stands for another word" },
];

function hasNoRegister({ op1, CRn, CRm, op2 }: AnyFields): boolean {
  const encoding = systemEncoding(1, op1 as number, CRn as number, CRm as number, op2 as number);
  const name = systemInstructionName(encoding);
  return name !== undefined && SYSTEM_INSTRUCTIONS[name]?.hasRegister === false;
}
