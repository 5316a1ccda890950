/** Folds what is known of a lowered instruction at its address: constants, and values that nothing uses. */
import { type IrNode, OPERATIONS } from "../ir/operations.ts";

/** Evaluation of operations whose arguments are all known touches no state. */
const NO_STATE = undefined as never;

/** Values of the nodes that depend on the address and on constants alone. */
function knownValues(nodes: readonly IrNode[], pc: bigint): (bigint | undefined)[] {
  const known: (bigint | undefined)[] = [];
  for (const node of nodes) known.push(knownValue(node, known, pc));
  return known;
}

function knownValue(node: IrNode, known: readonly (bigint | undefined)[], pc: bigint): bigint | undefined {
  const { op, args } = node;
  if (op === "constant") return node.immediates[0] as bigint;
  if (op === "pc") return pc;
  if (args.length === 0) return undefined;
  for (const argument of args) if (known[argument] === undefined) return undefined;
  if (OPERATIONS[op].effect) return undefined;
  const [a, b, c] = args as [number, number?, number?];
  const valueOf = (argument: number | undefined) => argument === undefined ? 0n : known[argument] as bigint;
  return OPERATIONS[op].evaluate(node, valueOf(a), valueOf(b), valueOf(c), NO_STATE);
}

/** True for the nodes that have an effect or whose value another such node needs. */
function liveNodes(nodes: readonly IrNode[], known: readonly (bigint | undefined)[]): boolean[] {
  const live: boolean[] = [];
  for (const { op } of nodes) live.push(OPERATIONS[op].effect);
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
  for (let index = 0; index < nodes.length; index++) {
    places.push(folded.length);
    if (!live[index]) continue;
    const { op, width, args, immediates } = nodes[index] as IrNode, value = known[index];
    folded.push(
      value === undefined
        ? { op, width, args: args.map((argument) => places[argument] as number), immediates }
        : { op: "constant", width, args: [], immediates: [value] },
    );
  }
  return folded;
}
