/** Proofs that a change of IR changes nothing, so that it is no fault. */
import { SLOT_TRASH } from "../../machine/cpu/registers.ts";
import { type IrNode, type OperationName, OPERATIONS } from "../../machine/ir/operations.ts";

/** The IR without what has no effect. */
export function effective(nodes: readonly IrNode[]): IrNode[] {
  const needed = new Set<number>();
  for (let index = nodes.length - 1; index >= 0; index--) {
    const { op, immediates, args } = nodes[index] as IrNode;
    const hasEffect = OPERATIONS[op].effect && !(op === "writeX" && immediates[0] === SLOT_TRASH);
    if (!hasEffect && !needed.has(index)) continue;
    needed.add(index);
    for (const argument of args) needed.add(argument);
  }
  const places = new Map([...needed].sort((a, b) => a - b).map((index, place) => [index, place]));
  return [...places.keys()].map((index) => {
    const node = nodes[index] as IrNode;
    return { ...node, args: node.args.map((argument) => places.get(argument) as number) };
  });
}

/** Two nodes that are one, or read one register. */
export function isSameValue(nodes: readonly IrNode[], a: number, b: number): boolean {
  const text = (at: number) =>
    JSON.stringify(nodes[at], (_, value) => typeof value === "bigint" ? `${value}` : value);
  return a === b || (nodes[a]?.args.length === 0 && text(a) === text(b));
}

/** Operations whose results have a top bit of zero. */
const SMALL: ReadonlySet<OperationName> = new Set<OperationName>([
  "zeroExtend",
  "leadingZeros",
  "leadingSigns",
  "storeExclusive",
]);

/** True when the top bit of the node's value is always zero. */
export function isTopBitZero({ op }: IrNode): boolean {
  return SMALL.has(op);
}

function usersOf(nodes: readonly IrNode[], index: number): IrNode[] {
  return nodes.filter(({ args }) => args.includes(index));
}

/** True when a node takes no more than the low bits of any argument: by extraction or a constant mask. */
function readsOnly({ op, width, immediates, args }: IrNode, nodes: readonly IrNode[], bits: number): boolean {
  if (op === "extract") return (immediates[0] as number) + width <= bits;
  const masks = args.map((argument) => nodes[argument]).filter((node) => node?.op === "constant");
  return op === "and" && masks.some((mask) => mask?.immediates[0] as bigint < 1n << BigInt(bits));
}

/** True when all users of a value take no more than its low bits. */
export function onlyLowBitsAreRead(nodes: readonly IrNode[], index: number, bits: number): boolean {
  return usersOf(nodes, index).every((user) => readsOnly(user, nodes, bits));
}

const ones = (width: number): bigint => (1n << BigInt(width)) - 1n;

/** The value of a constant node; undefined for others. */
function constantOf(nodes: readonly IrNode[], index: number | undefined): bigint | undefined {
  const node = nodes[index ?? -1];
  return node?.op === "constant" ? node.immediates[0] as bigint : undefined;
}

/** The bits of a value that can be one. */
function possibleBits(nodes: readonly IrNode[], index: number): bigint {
  const { op, width, args: [a = -1, b = -1], immediates } = nodes[index] as IrNode;
  const amount = constantOf(nodes, b);
  if (op === "constant") return immediates[0] as bigint;
  if (op === "zeroExtend") return possibleBits(nodes, a);
  if (op === "and") return possibleBits(nodes, a) & possibleBits(nodes, b);
  if (op === "or" || op === "xor") return possibleBits(nodes, a) | possibleBits(nodes, b);
  if (op === "shiftLeft" && amount !== undefined) return possibleBits(nodes, a) << amount & ones(width);
  if (op === "shiftRight" && amount !== undefined) return possibleBits(nodes, a) >> amount;
  return ones(width);
}

const SHIFTS_DOWN: readonly OperationName[] = ["shiftRight", "shiftRightSigned", "rotateRight"];

/** True when another operation in a node's place gives the same: OR and XOR of bits that never meet, shifts before a mask. */
export function actsAlike(nodes: readonly IrNode[], index: number, other: OperationName): boolean {
  const { op, width, args: [a = -1, b = -1] } = nodes[index] as IrNode;
  if ((op === "or" && other === "xor") || (op === "xor" && other === "or")) {
    return (possibleBits(nodes, a) & possibleBits(nodes, b)) === 0n;
  }
  const amount = constantOf(nodes, b);
  if (amount === undefined || !SHIFTS_DOWN.includes(op) || !SHIFTS_DOWN.includes(other)) return false;
  return onlyLowBitsAreRead(nodes, index, width - Number(amount));
}
