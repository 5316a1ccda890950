/** Words whose operands depend on their address: how, found out by trying, so that the next address costs little. */
import type { Operands, Shape } from "./shape.ts";

/** An address far from another with the same place in its page: branches from both lead out of the page, or neither. */
const FAR = (1n << 32n) + (1n << 20n);
/** The neighbour in the same page. */
const NEIGHBOUR = 4n;
const PAGE = ~0xfffn;

/** What a wide place holds: a value, or one that many bytes from the instruction or from its page. */
type Wide = { readonly from: "nothing" | "instruction" | "page"; readonly value: bigint };

/** How the operands of a word follow from its address, wherever its branch, if any, leaves the page or does not. */
export interface RelativeOperands {
  /** As in Operands. */
  readonly registers: readonly number[];
  /** What the wide places hold. */
  readonly wide: readonly [Wide, Wide];
  /** As in Operands. */
  readonly narrow: number;
  /** Bytes from the instruction to its branch's target. */
  readonly target: bigint | undefined;
}

const NOTHING: Wide = { from: "nothing", value: 0n };

/** A word taken apart at an address. */
export type Shaped = { readonly shape: Shape; readonly operands: Operands };

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/**
 * Takes the word apart at three addresses; undefined where what it finds is not one of the three forms, or may take
 * another place in the record elsewhere.
 */
export function relativeOperands(
  pc: bigint,
  { shape, operands }: Shaped,
  at: (pc: bigint) => Shaped | undefined,
): RelativeOperands | undefined {
  const far = at(wrap(pc + FAR)), hasTarget = operands.target !== undefined;
  // A branch's neighbour may differ in where it leads; nothing that a branch holds depends on the page alone.
  const near = hasTarget ? far : at(pc ^ NEIGHBOUR);
  if (far === undefined || near === undefined) return undefined;
  if (far.shape.key !== shape.key || near.shape.key !== shape.key) return undefined;
  if (shape.nodes.some(({ op, immediates: [place] }) => op === "constant" && place === "narrow")) {
    return undefined;
  }
  const wide = operands.wide.map((value, index): Wide | undefined => {
    const moved = wrap(far.operands.wide[index as 0] - value);
    if (moved === 0n) return value === 0n ? NOTHING : { from: "nothing", value };
    if (moved !== FAR) return undefined;
    const stays = !hasTarget && near.operands.wide[index as 0] === value;
    return stays
      ? { from: "page", value: wrap(value - (pc & PAGE)) }
      : { from: "instruction", value: wrap(value - pc) };
  });
  const [first, second] = wide;
  if (first === undefined || second === undefined) return undefined;
  const { registers, narrow, target } = operands;
  return { registers, wide: [first, second], narrow, target: target && wrap(target - pc) };
}

/** True when a branch that goes so many bytes on from an address stays in the page. */
export function staysInPage(pc: bigint, target: bigint | undefined): boolean {
  return target !== undefined && wrap(pc + target) >> 12n === pc >> 12n && (target & 3n) === 0n;
}

function valueAt(pc: bigint, { from, value }: Wide): bigint {
  if (from === "nothing") return value;
  return wrap((from === "page" ? pc & PAGE : pc) + value);
}

/** The operands at an address. */
export function operandsAt(pc: bigint, { registers, wide, narrow, target }: RelativeOperands): Operands {
  return {
    registers,
    wide: [valueAt(pc, wide[0]), valueAt(pc, wide[1])],
    narrow,
    target: target === undefined ? undefined : wrap(pc + target),
  };
}
