/** Faults in operations on lanes, floating-point numbers and cryptographic state: those that their tables suggest. */
import { CRYPTO_OPERATIONS } from "../../machine/ir/crypto_operations.ts";
import { FLOAT_OPERATIONS } from "../../machine/ir/float_operations.ts";
import { FLOAT_PRODUCT_OPERATIONS } from "../../machine/ir/float_product_operations.ts";
import { LANE_OPERATIONS } from "../../machine/ir/lane_operations.ts";
import type { IrNode, OperationName } from "../../machine/ir/operations.ts";
import { isSameValue } from "./equivalence.ts";
import type { Mutator, Replacement } from "./mutation.ts";
import { canTellApart, changesOperand } from "./probe.ts";

const TABLES: readonly (readonly OperationName[])[] = [
  LANE_OPERATIONS,
  FLOAT_OPERATIONS,
  FLOAT_PRODUCT_OPERATIONS,
  CRYPTO_OPERATIONS,
].map((table) => Object.keys(table) as OperationName[]);

/** A change of a node in place, unless it is none or cannot be seen. */
function changing(
  change: (node: IrNode) => IrNode | undefined,
  node: IrNode,
  nodes: readonly IrNode[],
): Replacement | undefined {
  const changed = change(node);
  if (changed === undefined || !canTellApart(node, changed, nodes)) return undefined;
  return (node) => [change(node) ?? node];
}

function tableOf({ op }: IrNode): readonly OperationName[] | undefined {
  return TABLES.find((table) => table.includes(op));
}

/** The operation so many rows further on in its table. */
const neighbour = (distance: number): Mutator => (node, nodes) => {
  const table = tableOf(node), other = table?.[table.indexOf(node.op) + distance];
  return other && changing((node) => ({ ...node, op: other }), node, nodes);
};

/** The operation of the other sign. */
const otherSign: Mutator = (node, nodes) => {
  const name = node.op.replace(/(Uns|S)igned/, (sign) => sign === "Signed" ? "Unsigned" : "Signed");
  const other = tableOf(node)?.find((op) => op === name && op !== node.op);
  return other && changing((node) => ({ ...node, op: other }), node, nodes);
};

const swap = (left: number, right: number): Mutator => (node, nodes) => {
  const [a, b] = [node.args[left], node.args[right]];
  if (tableOf(node) === undefined || a === undefined || b === undefined || isSameValue(nodes, a, b)) return;
  if (nodes[a]?.width !== nodes[b]?.width) return;
  return changing(
    (node) => {
      const args = [...node.args];
      [args[left], args[right]] = [args[right] as number, args[left] as number];
      return { ...node, args };
    },
    node,
    nodes,
  );
};

/** Lanes of twice or half the width. */
const rescale = (factor: number): Mutator => (node, nodes) => {
  const least = Object.hasOwn(FLOAT_OPERATIONS, node.op) ? 16 : 8;
  const [lane] = node.immediates;
  if (tableOf(node) === undefined || typeof lane !== "number" || Object.hasOwn(CRYPTO_OPERATIONS, node.op)) {
    return;
  }
  if (lane * factor < least || lane * factor > 64) return;
  return changing(
    (node) => ({
      ...node,
      immediates: [(node.immediates[0] as number) * factor, ...node.immediates.slice(1)],
    }),
    node,
    nodes,
  );
};

/** One of the numbers after the first: an amount, a lane, a mode. */
const changeNumber = (at: number, by: number): Mutator => (node, nodes) => {
  const number = node.immediates[at];
  if (tableOf(node) === undefined || typeof number !== "number" || number + by < 0) return;
  return changing(
    (node) => ({
      ...node,
      immediates: node.immediates.map((value, index) => index === at ? (value as number) + by : value),
    }),
    node,
    nodes,
  );
};

/** Leaves the operation out: its result is its first operand. */
const skip: Mutator = (node, nodes) => {
  const [first] = node.args;
  if (tableOf(node) === undefined || first === undefined || nodes[first]?.width !== node.width) return;
  if (!changesOperand(node, nodes)) return;
  return ({ args: [first = 0], width }) => [{ op: "zeroExtend", width, args: [first], immediates: [] }];
};

/** All of them, with the kind of each. */
// deno-fmt-ignore
export const VECTOR_MUTATORS: readonly (readonly [string, Mutator])[] = [
  ["lanes: neighbouring operation", neighbour(1)],
  ["lanes: neighbouring operation", neighbour(-1)],
  ["lanes: other sign",             otherSign],
  ["lanes: operand swapped",        swap(0, 1)],
  ["lanes: operand swapped",        swap(1, 2)],
  ["lanes: width",                  rescale(2)],
  ["lanes: width",                  rescale(0.5)],
  ["lanes: number off by one",      changeNumber(1, 1)],
  ["lanes: number off by one",      changeNumber(1, -1)],
  ["lanes: number off by one",      changeNumber(2, 1)],
  ["lanes: operation dropped",      skip],
];
