/** Whether two operations of a lowered instruction can be told apart at all: both are tried on random and edge values. */
import { FLOAT_OPERATIONS } from "../../machine/ir/float_operations.ts";
import { type ExecutionContext, type IrNode, OPERATIONS } from "../../machine/ir/operations.ts";
import { randomNumbers } from "../machine/a64/random_words.ts";
import { edgeValue, type LaneWidth, nearbyValue } from "./edge_values.ts";
import type { Random } from "./random_state.ts";

/** Values that two operations are tried on before they are taken for one. */
const TRIES = 2000;
const SEED = 1;

/** What an operation sees of a machine when it may not touch one. */
class Context {
  fpcr = 0;
  flags = 0;
  accumulateFpsr(bits: number): void {
    this.flags |= bits;
  }
}

const isLaneWidth = (value: unknown): value is LaneWidth => [8, 16, 32, 64].includes(value as number);

/** A value of some width made of lanes that are random, edges, or near the lane before. */
function randomValue(width: number, lane: LaneWidth, isFloat: boolean, random: Random): bigint {
  let value = 0n, previous = edgeValue(lane, isFloat, random);
  for (let at = 0; at < width; at += lane) {
    const kind = random() % 4;
    if (kind === 0) previous = BigInt.asUintN(lane, BigInt(random()) << 32n | BigInt(random()));
    else if (kind === 1) previous = nearbyValue(lane, previous, random);
    else previous = edgeValue(lane, isFloat, random);
    value |= previous << BigInt(at);
  }
  return BigInt.asUintN(width, value);
}

/** The operands of a node on one try: constants are themselves, one value used twice is one. */
function operandsOf(node: IrNode, nodes: readonly IrNode[], random: Random): Map<number, bigint> {
  const lanes = node.immediates.filter(isLaneWidth), isFloat = Object.hasOwn(FLOAT_OPERATIONS, node.op);
  const lane = lanes[random() % Math.max(1, lanes.length)] ?? 32;
  return new Map(node.args.map((argument) => {
    const { op, width, immediates: [constant] } = nodes[argument] as IrNode;
    return [argument, op === "constant" ? constant as bigint : randomValue(width, lane, isFloat, random)];
  }));
}

/** Result and flags of a node, as text. */
function outcomeOf(node: IrNode, operands: ReadonlyMap<number, bigint>, fpcr: number): string {
  const context = new Context();
  context.fpcr = fpcr;
  const [a, b, c] = [0, 1, 2].map((at) => operands.get(node.args[at] ?? -1) ?? 0n) as [
    bigint,
    bigint,
    bigint,
  ];
  const result = OPERATIONS[node.op].evaluate(node, a, b, c, context as unknown as ExecutionContext);
  return `${result} ${context.flags}`;
}

/**
 * True when some operands tell a node of `nodes` from another in its place. False also for one that cannot be evaluated
 * at all (a width that it does not have), which no lowering could contain.
 */
export function canTellApart(node: IrNode, other: IrNode, nodes: readonly IrNode[]): boolean {
  const random = randomNumbers(SEED);
  try {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const operands = operandsOf(node, nodes, random), fpcr = attempt % 2 === 0 ? 0 : random() & 0x07c8_0000;
      if (outcomeOf(node, operands, fpcr) !== outcomeOf(other, operands, fpcr)) return true;
    }
  } catch {
    return false;
  }
  return false;
}

/** True when a node gives anything but its first operand. */
export function changesOperand(node: IrNode, nodes: readonly IrNode[]): boolean {
  const random = randomNumbers(SEED);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const operands = operandsOf(node, nodes, random);
    if (outcomeOf(node, operands, 0) !== `${operands.get(node.args[0] as number)} 0`) return true;
  }
  return false;
}
