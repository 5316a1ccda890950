/** Folds what is known of a lowered instruction at its address: constants, and values that nothing uses. */
import { type IrNode, OPERATIONS } from "../ir/operations.ts";

/** Evaluation of operations whose arguments are all known touches no state. */
const NO_STATE = undefined as never;

/** Values of the nodes that depend on the address and on constants alone. */
function knownValues(nodes: readonly IrNode[], pc: bigint): (bigint | undefined)[] {
  const known: (bigint | undefined)[] = [];
  for (const node of nodes) {
    const { op, args } = node;
    if (op === "constant") known.push(node.immediates[0] as bigint);
    else if (op === "pc") known.push(pc);
    else if (args.length === 0 || OPERATIONS[op].effect) known.push(undefined);
    else {
      const [a, b = 0n, c = 0n] = args.map((argument) => known[argument]);
      const isKnown = args.every((argument) => known[argument] !== undefined);
      known.push(isKnown ? OPERATIONS[op].evaluate(node, a as bigint, b, c, NO_STATE) : undefined);
    }
  }
  return known;
}

/** True for the nodes that have an effect or whose value another such node needs. */
function liveNodes(nodes: readonly IrNode[], known: readonly (bigint | undefined)[]): boolean[] {
  const live = nodes.map(({ op }) => OPERATIONS[op].effect);
  for (let index = nodes.length - 1; index >= 0; index--) {
    if (!live[index] || known[index] !== undefined) continue;
    for (const argument of (nodes[index] as IrNode).args) live[argument] = true;
  }
  return live;
}

/** The instruction at address `pc` with every known value as a constant, and without dead nodes. */
export function fold(nodes: readonly IrNode[], pc: bigint): IrNode[] {
  const known = knownValues(nodes, pc), live = liveNodes(nodes, known);
  const folded: IrNode[] = [], places: number[] = [];
  nodes.forEach((node, index) => {
    places.push(folded.length);
    if (!live[index]) return;
    const value = known[index];
    folded.push(
      value === undefined
        ? { ...node, args: node.args.map((argument) => places[argument] as number) }
        : { op: "constant", width: node.width, args: [], immediates: [value] },
    );
  });
  return folded;
}
