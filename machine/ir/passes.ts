/** Checks on lowered instructions: what makes aborts precise in every engine. */
import { canFault, type IrNode, OPERATIONS } from "./operations.ts";

/**
 * The first broken rule of a lowered instruction, or undefined: faults come before all writes of state, and a branch
 * comes last, since emitted code goes with it.
 */
export function brokenRule(nodes: readonly IrNode[]): string | undefined {
  let written: IrNode | undefined;
  for (const [index, node] of nodes.entries()) {
    if (node.args.some((argument) => argument >= index)) {
      return `node ${index} (${node.op}) uses a later value`;
    }
    if (canFault(node) && written !== undefined) {
      return `node ${index} (${node.op}) can fault after ${written.op} wrote state`;
    }
    if (nodes[index - 1]?.op === "branch" || nodes[index - 1]?.op === "branchIf") {
      return `node ${index} (${node.op}) comes after a branch`;
    }
    const changesState = OPERATIONS[node.op].effect && !canFault(node) && node.op !== "helper";
    if (changesState) written ??= node;
  }
  return undefined;
}

/** One line per node, for golden files and people. */
export function printIr(nodes: readonly IrNode[]): string {
  return nodes.map((node, index) => {
    const operands = [...node.immediates.map(String), ...node.args.map((argument) => `%${argument}`)];
    const result = node.width > 0 ? `%${index}:${node.width} = ` : "";
    return `${result}${node.op} ${operands.join(", ")}`.trimEnd();
  }).join("\n");
}
