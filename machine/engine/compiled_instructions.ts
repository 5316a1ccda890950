/** Which instructions compiled code can hold, and how it does their accesses. */
import { canEmit } from "../ir/emit.ts";
import type { IrNode } from "../ir/operations.ts";
import { isPlain } from "./plain_registers.ts";
import type { Shape } from "./shape.ts";
import type { CodeLayout } from "./threaded_layout.ts";

/** Helpers that are nothing there. */
export const BARRIERS: ReadonlySet<string> = new Set(["dataBarrier", "instructionBarrier"]);
const STATE: ReadonlySet<string> = new Set([
  ...["constant", "readX", "writeX", "readV", "writeV", "readNzcv", "writeNzcv", "branch", "branchIf"],
  ...["writeBranchType", "loadExclusive", "storeExclusive"],
]);

/** True when compiled code can hold an instruction's operations; the others are the threaded engine's. */
export function canCompile({ nodes }: Shape, layout: CodeLayout): boolean {
  return canEmit(nodes, (node) => isCompiled(node, layout), { float: !layout.isStrict });
}

function isCompiled(node: IrNode, layout: CodeLayout): boolean {
  const { op, immediates: [name] } = node;
  if (op !== "helper") return STATE.has(op) || isQuickAccess(node);
  if (name === "checkFpEnabled" || name === "checkSpAlignment") return true;
  return (BARRIERS.has(name as string) || name === "zeroBlock" || isPlain(node)) && !layout.isStrict;
}

/** Accesses that the quick paths are for, and whether they may be misaligned there. */
export const QUICK_ACCESSES: Readonly<Record<string, boolean>> = {
  normal: true,
  unprivileged: true,
  ordered: false,
  lanes8: true,
  lanes16: true,
  lanes32: true,
};

/** True for loads and stores that compiled code does itself where it can. */
export function isQuickAccess({ op, immediates }: IrNode): boolean {
  return (op === "load" || op === "store") && (immediates[1] as string) in QUICK_ACCESSES;
}

/** What may happen once more if it stops: an instruction with one access to a register's bytes, and no look after it. */
export function mayAskDevice(nodes: readonly IrNode[]): boolean {
  const accesses = nodes.filter(({ op }) => ACCESSES.has(op)),
    last = nodes.lastIndexOf(accesses[0] as IrNode);
  if (accesses.length !== 1 || nodes.some(({ op }, at) => op === "helper" && at > last)) return false;
  const { op, immediates: [size, access] } = accesses[0] as IrNode;
  return (op === "load" || op === "store") && (size as number) <= 4 &&
    (access === "normal" || access === "ordered");
}

const ACCESSES: ReadonlySet<string> = new Set(["load", "store", "loadExclusive", "storeExclusive"]);
