/** Automatic faults in lowered instructions: one small change each, of the kinds that people make. */
import { actsAlike, isSameValue, isTopBitZero, onlyLowBitsAreRead } from "./equivalence.ts";
import { SLOT_TRASH } from "../../machine/cpu/registers.ts";
import {
  canFault,
  type IrNode,
  type OperationName,
  OPERATIONS,
  type Width,
} from "../../machine/ir/operations.ts";
import { VECTOR_MUTATORS } from "./vector_mutation.ts";

/** A fault: what it does, and how to do it to any IR of the same shape. */
export interface Mutation {
  /** What is changed, for people: `operand swapped`. */
  readonly kind: string;
  /** Index of the node that is changed. */
  readonly index: number;
  /** The changed IR. */
  apply(nodes: readonly IrNode[]): IrNode[];
}

/** What one kind of fault makes of a node; undefined when it has nothing to change there. */
export type Mutator = (node: IrNode, nodes: readonly IrNode[], index: number) => Replacement | undefined;

/** Nodes that stand in for one, as a function of the index that the first of them gets; the last is the result. */
export type Replacement = (node: IrNode, first: number) => readonly IrNode[];

const replacing = (change: (node: IrNode) => IrNode): Replacement => (node) => [change(node)];

/** Operations whose two operands (numbers of them given) cannot trade places without a difference. */
const ORDERED: Partial<Record<OperationName, readonly [number, number]>> = {
  sub: [0, 1],
  divUnsigned: [0, 1],
  divSigned: [0, 1],
  shiftLeft: [0, 1],
  shiftRight: [0, 1],
  shiftRightSigned: [0, 1],
  rotateRight: [0, 1],
  crc32: [0, 1], // but for data of 32 bits and more, which it adds to the accumulator
  concatenate: [0, 1],
  lessUnsigned: [0, 1],
  lessSigned: [0, 1],
  flagsOfSub: [0, 1],
  select: [1, 2],
  store: [0, 1],
};

const swapOperands: Mutator = (node, nodes) => {
  const pair = ORDERED[node.op];
  if (pair === undefined || (node.op === "crc32" && (node.immediates[0] as number) >= 32)) return undefined;
  const [a, b] = pair.map((at) => node.args[at] as number) as [number, number];
  if (isSameValue(nodes, a, b)) return undefined;
  return replacing((node) => {
    const args = [...node.args], [left, right] = pair;
    [args[left], args[right]] = [args[right] as number, args[left] as number];
    return { ...node, args };
  });
};

/** Operations of equal arity and width that are easily taken for one another. */
const SIBLINGS: readonly (readonly OperationName[])[] = [
  ["add", "sub"],
  ["and", "or", "xor"],
  ["mulHighSigned", "mulHighUnsigned"],
  ["divUnsigned", "divSigned"],
  ["shiftLeft", "shiftRight", "shiftRightSigned", "rotateRight"],
  ["leadingZeros", "leadingSigns", "reverseBits", "not"],
  ["lessUnsigned", "lessSigned"],
  ["mul", "divUnsigned"],
];

function siblingMutators(): Mutator[] {
  return SIBLINGS.flatMap((group) =>
    group.map((sibling): Mutator => ({ op }, nodes, index) => {
      if (op === sibling || !group.includes(op) || actsAlike(nodes, index, sibling)) return undefined;
      return replacing((node) => ({ ...node, op: sibling }));
    })
  );
}

/** Extends with the other sign, unless the top bit is always zero. */
const exchangeExtension: Mutator = ({ op, args }, nodes) => {
  const source = nodes[args[0] ?? -1];
  if (source === undefined || (op !== "zeroExtend" && op !== "signExtend")) return undefined;
  if (isTopBitZero(source) || source.width === 1) return undefined;
  return replacing((node) =>
    op === "zeroExtend"
      ? { ...node, op: "signExtend", immediates: [source.width] }
      : { ...node, op: "zeroExtend", immediates: [] }
  );
};

const exchangeFlags: Mutator = ({ op, args }) => {
  if (op !== "flagsOfAdd" && op !== "flagsOfSub" || args.length !== 2) return undefined;
  return replacing((node) => ({ ...node, op: op === "flagsOfAdd" ? "flagsOfSub" : "flagsOfAdd" }));
};

const changeConstant = (by: 1 | -1): Mutator => ({ op }) => {
  if (op !== "constant") return undefined;
  return replacing((node) => ({
    ...node,
    immediates: [BigInt.asUintN(node.width, (node.immediates[0] as bigint) + BigInt(by))],
  }));
};

/** The neighbour of a register; nothing reads or writes the slots beyond SP. */
const changeRegister: Mutator = ({ op, immediates }) => {
  const [slot] = immediates;
  if ((op !== "readX" && op !== "writeX" && op !== "readV" && op !== "writeV") || slot === SLOT_TRASH) {
    return undefined;
  }
  return replacing((node) => ({ ...node, immediates: [((node.immediates[0] as number) + 1) % 31] }));
};

const changeLowestBit: Mutator = ({ op, args, immediates, width }, nodes) => {
  const source = nodes[args[0] ?? -1]?.width ?? 0, lowest = immediates[0] as number;
  if (op !== "extract" || source <= width) return undefined;
  const other = lowest + width < source ? lowest + 1 : lowest - 1;
  return replacing((node) => ({ ...node, immediates: [other] }));
};

const changeContainer: Mutator = ({ op, immediates, width }) => {
  if (op !== "reverseBytes") return undefined;
  const container = immediates[0] as number;
  return replacing((node) => ({ ...node, immediates: [container === width ? container / 2 : width] }));
};

const invertCondition: Mutator = ({ op, immediates }) => {
  if (op !== "condition" || (immediates[0] as number) >= 14) return undefined;
  return replacing((node) => ({ ...node, immediates: [(node.immediates[0] as number) ^ 1] }));
};

const node = (
  op: OperationName,
  width: Width,
  args: number[],
  immediates: IrNode["immediates"] = [],
): IrNode => ({
  op,
  width,
  args,
  immediates,
});

const invertBranch: Mutator = ({ op }) => {
  if (op !== "branchIf") return undefined;
  return (branch, first) => [
    node("not", 1, [branch.args[0] as number]),
    { ...branch, args: [first, branch.args[1] as number] },
  ];
};

const invertComparison: Mutator = ({ op }) => {
  if (op !== "equal" && op !== "lessUnsigned" && op !== "lessSigned") return undefined;
  return (comparison, first) => [comparison, node("not", 1, [first])];
};

const NARROWED: ReadonlySet<OperationName> = new Set<OperationName>([
  "add",
  "addCarry",
  "sub",
  "mul",
  "mulHighSigned",
  "mulHighUnsigned",
  "divUnsigned",
  "divSigned",
  "and",
  "or",
  "xor",
  "not",
  "shiftLeft",
  "shiftRightSigned",
  "rotateRight",
  "reverseBits",
  "reverseBytes",
  "signExtend",
  "concatenate",
  "readX",
  "readV",
  "load",
  "loadExclusive",
]);

const HALF: Partial<Record<Width, Width>> = { 16: 8, 32: 16, 64: 32, 128: 64 };

/** Loses the upper half of a result, unless nobody looks at it. */
const narrowResult: Mutator = ({ op, width }, nodes, index) => {
  const half = HALF[width];
  if (half === undefined || !NARROWED.has(op)) return undefined;
  if (onlyLowBitsAreRead(nodes, index, half)) return undefined;
  return (
    whole,
    first,
  ) => [whole, node("extract", half, [first], [0]), node("zeroExtend", width, [first + 1])];
};

/** Halves the bytes of a store. */
const narrowStore: Mutator = ({ op, immediates }) => {
  const bytes = immediates[0] as number;
  if ((op !== "store" && op !== "storeExclusive") || bytes === 1) return undefined;
  return replacing((node) => ({ ...node, immediates: [bytes / 2, ...node.immediates.slice(1)] }));
};

/** Takes flags and comparisons of half the width. */
const narrowOperands: Mutator = ({ op, immediates }) => {
  const width = immediates[0] as number;
  const named: readonly OperationName[] = ["flagsOfAdd", "flagsOfSub", "flagsOfLogic"];
  if (!named.includes(op) || width !== 64) return undefined;
  return replacing((node) => ({ ...node, immediates: [32] }));
};

const dropEffect: Mutator = (node) => {
  const isWrite = OPERATIONS[node.op].effect && node.op !== "helper" && node.immediates[0] !== SLOT_TRASH;
  return isWrite && node.width === 0 ? () => [] : undefined;
};

const dropHelper: Mutator = (node) => {
  const isQuiet = /^(check|wait|send|yield|dataBarrier|instructionBarrier)/.test(`${node.immediates[0]}`);
  return node.op === "helper" && canFault(node) && !isQuiet ? () => [] : undefined;
};

// deno-fmt-ignore
const MUTATORS: readonly (readonly [string, Mutator])[] = [
  ["operand swapped",       swapOperands],
  ...siblingMutators().map((mutator) => ["operation replaced", mutator] as const),
  ["operation replaced",    exchangeExtension],
  ["operation replaced",    exchangeFlags],
  ["constant off by one",   changeConstant(1)],
  ["constant off by one",   changeConstant(-1)],
  ["constant off by one",   changeRegister],
  ["constant off by one",   changeLowestBit],
  ["constant changed",      changeContainer],
  ["condition inverted",    invertCondition],
  ["condition inverted",    invertBranch],
  ["condition inverted",    invertComparison],
  ["width narrowed",        narrowResult],
  ["width narrowed",        narrowStore],
  ["width narrowed",        narrowOperands],
  ["writeback dropped",     dropEffect],
  ["exception dropped",     dropHelper],
  ...VECTOR_MUTATORS,
];

/** Every fault that can be put into some IR. */
export function mutationsOf(nodes: readonly IrNode[]): Mutation[] {
  return nodes.flatMap((node, index) =>
    MUTATORS.flatMap(([kind, mutator]) => {
      const replacement = mutator(node, nodes, index);
      return replacement === undefined
        ? []
        : [{ kind, index, apply: (nodes) => replace(nodes, index, replacement) }];
    })
  );
}

/** The IR with one node replaced; who used it uses the last of its replacements. */
function replace(nodes: readonly IrNode[], index: number, replacement: Replacement): IrNode[] {
  const instead = replacement(nodes[index] as IrNode, index);
  const shift = instead.length - 1;
  const moved = nodes.slice(index + 1).map((node) => ({
    ...node,
    args: node.args.map((argument) => argument < index ? argument : argument + shift),
  }));
  return [...nodes.slice(0, index), ...instead, ...moved];
}

/** What words share whose IR differs only in numbers. */
export function shapeOf(nodes: readonly IrNode[]): string {
  return nodes.map(({ op, width, args }) => `${op}:${width}(${args})`).join(" ");
}
