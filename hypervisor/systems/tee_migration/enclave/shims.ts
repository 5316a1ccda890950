/**
 * Instructions of extensions that a CPU lacks, carried out for EL0: they are UNDEFINED there (Arm ARM D1.12.2), the exception
 * comes to whoever carries the program, and the machine's own meaning of the instruction is evaluated with EL0's registers
 * and EL0's memory.
 */
import { decode, featureOf, lower } from "../../../../machine/a64/rows.ts";
import { type Feature, hasFeature } from "../../../../machine/a64/feature.ts";
import type { Cpu } from "../../../../machine/cpu/cpu.ts";
import { selectStackPointer } from "../../../../machine/cpu/stack_pointer.ts";
import { OPERATIONS } from "../../../../machine/ir/operations.ts";

/** Extensions of which all that EL0 has is UNDEFINED where they are not there. */
// deno-fmt-ignore
export const SHIMMED: readonly Feature[] = [
  "CRC32", "AES", "PMULL", "SHA1", "SHA256", "LSE", "RDM", "FP16", "FHM", "SHA512", "SHA3", "DotProd", "JSCVT", "FCMA",
  "LRCPC", "LRCPC2", "FlagM", "FlagM2", "FRINTTS", "BF16", "I8MM",
];

/** What came of an instruction: it was done, there is no shim for it, or its access faulted. */
export type ShimOutcome =
  | { readonly kind: "done"; readonly opcode: number; readonly feature: Feature }
  | { readonly kind: "none" | "faulted" };

/** PSTATE.NZCV in a saved state. */
const FLAGS_SHIFT = 28n;

/** Where EL0 is: its program counter and its PSTATE, as they were saved. */
export interface Stopped {
  /** Address of the instruction. */
  readonly pc: bigint;
  /** PSTATE. */
  readonly state: bigint;
}

/**
 * Carries the instruction out at which EL0 stopped, if an extension has it that `features` names and the CPU lacks. The CPU
 * is at its monitor's level with EL0's registers and translation in force. Gives PSTATE behind it too.
 * With `isDone` false it is skipped.
 */
export function emulate(
  cpu: Cpu,
  { pc, state }: Stopped,
  features: readonly string[],
  isDone = true,
): ShimOutcome & { readonly state: bigint } {
  const { el, spSel, nextPc } = cpu, { nzcv } = cpu.registers;
  selectStackPointer(cpu, 0, 0);
  cpu.registers.nzcv = Number(state >> FLAGS_SHIFT & 15n);
  const outcome = evaluateAt(cpu, pc, features, isDone);
  const flags = BigInt(cpu.registers.nzcv) << FLAGS_SHIFT;
  cpu.pending = undefined;
  cpu.nextPc = nextPc;
  cpu.registers.nzcv = nzcv;
  selectStackPointer(cpu, el, spSel);
  return { ...outcome, state: state & ~(15n << FLAGS_SHIFT) | flags };
}

function evaluateAt(cpu: Cpu, pc: bigint, features: readonly string[], isDone: boolean): ShimOutcome {
  const opcode = Number(cpu.load(pc, 4, "normal"));
  if (cpu.pending !== undefined) return { kind: "faulted" };
  const decoded = decode(opcode);
  if (decoded === undefined) return { kind: "none" };
  const { row, fields } = decoded, feature = featureOf(row, fields);
  const isWanted = SHIMMED.includes(feature) && features.includes(feature) &&
    !hasFeature(cpu.features.model, feature);
  if (!isWanted) return { kind: "none" };
  const values: bigint[] = [];
  const valueOf = (index: number | undefined): bigint => index === undefined ? 0n : values[index] as bigint;
  for (const node of isDone ? lower(row, fields) : []) {
    const [a, b, c] = node.args.map(valueOf);
    values.push(OPERATIONS[node.op].evaluate(node, a ?? 0n, b ?? 0n, c ?? 0n, cpu));
    if (cpu.pending !== undefined) return { kind: "faulted" };
  }
  return { kind: "done", opcode, feature };
}
