/** What operations that an engine writes read and change, so that emission does not move one past the other; sets of bits. */
import type { HelperName } from "./helpers.ts";
import type { IrNode } from "./operation.ts";
import type { OperationName } from "./operations.ts";

const X = 1, V = 2, NZCV = 4;
/** The right to start the instruction again: what may bail depends on it, and every change of state ends it. */
export const BAIL = 8;
const ALL = 15;

const READS: Partial<Record<OperationName, number>> = {
  constant: 0,
  pc: 0,
  readX: X,
  readV: V,
  readNzcv: NZCV,
};

/** Effects not listed change everything. */
// deno-fmt-ignore
const CHANGES: Partial<Record<OperationName, number>> = {
  writeX: X | BAIL, writeV: V | BAIL, writeNzcv: NZCV | BAIL,
  load: BAIL, store: BAIL, loadExclusive: BAIL, storeExclusive: BAIL, branch: BAIL, branchIf: BAIL,
};

/** What a node that the engine writes depends on. */
export function readsOf(node: IrNode): number {
  return READS[node.op] ?? X | V | NZCV;
}

/** Helpers that do nothing but fault: they can be called again. */
const CHECKS: ReadonlySet<unknown> = new Set<HelperName>(["checkFpEnabled", "checkSpAlignment"]);

/** What a node with an effect changes. */
export function changesOf({ op, immediates }: IrNode): number {
  return op === "helper" && CHECKS.has(immediates[0]) ? 0 : CHANGES[op] ?? ALL;
}
