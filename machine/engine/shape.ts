/**
 * Shapes of instructions: what of an instruction is a handler's code, and what its record holds. Two instructions whose
 * operations differ only in register numbers and constants have one shape.
 */
import { OFFSET_V } from "../cpu/registers.ts";
import type { IrNode } from "../ir/operations.ts";
import { fold } from "./fold.ts";

/** Registers that a record has room for. */
export const RECORD_REGISTERS = 5;

/** Where a record holds a constant: `wide` are 64 bits, `narrow` is 32; 128 bits take both wide places. */
export type ConstantPlace = "wide0" | "wide1" | "narrow";

/** What is left of an instruction when its shape is taken away. */
export interface Operands {
  /** Byte offsets of registers within a CPU's state, in the order of the nodes that name them. */
  readonly registers: readonly number[];
  /** Values of the wide places. */
  readonly wide: readonly [bigint, bigint];
  /** Value of the narrow place. */
  readonly narrow: number;
  /** Address of a branch whose target is known. */
  readonly target: bigint | undefined;
}

/** A shape, with operations whose register and constant immediates are places in the record. */
export interface Shape {
  /** Equal for equal shapes. */
  readonly key: string;
  /** Operations: registers are numbers of a record's registers, constants places or, beyond these, literal values. */
  readonly nodes: readonly IrNode[];
}

/** Kinds of a branch's target: in the same page, a known address elsewhere, or a value. */
export type TargetKind = "local" | "far" | "dynamic";

const REGISTER_OPERATIONS: Readonly<Record<string, (slot: number) => number>> = {
  readX: (slot) => slot * 8,
  writeX: (slot) => slot * 8,
  readV: (register) => OFFSET_V + register * 16,
  writeV: (register) => OFFSET_V + register * 16,
};

/** Wide places that hold nothing. */
const NO_WIDE: readonly [bigint, bigint] = [0n, 0n];

/** Gives constants places; where the wide ones do not suffice, the first that fits is narrow. */
class Places {
  readonly wide: [bigint, bigint] = [0n, 0n];
  narrow = 0;
  #used = { wide0: false, wide1: false, narrow: false };

  readonly #spare: boolean;

  /** `count` constants want places; a branch's target takes one first. */
  constructor(kind: TargetKind | undefined, count: number) {
    this.#spare = count > (kind === "far" ? 1 : 2);
    if (kind === "local") this.#used.narrow = true;
    if (kind === "far") this.#used.wide0 = true;
  }

  /** Keeps a far branch's address. */
  setTarget(address: bigint): void {
    this.wide[0] = address;
  }

  take(width: number, value: bigint): ConstantPlace | undefined {
    const used = this.#used;
    if (width > 64) {
      if (used.wide0 || used.wide1) return undefined;
      used.wide0 = used.wide1 = true;
      this.wide[0] = BigInt.asUintN(64, value);
      this.wide[1] = value >> 64n;
      return "wide0";
    }
    const fits = !used.narrow && value <= 0xffff_ffffn;
    if (fits && this.#spare) return this.#takeNarrow(value);
    const place = !used.wide0 ? "wide0" : !used.wide1 ? "wide1" : undefined;
    if (place !== undefined) {
      this.wide[place === "wide0" ? 0 : 1] = value;
      used[place] = true;
      return place;
    }
    return fits ? this.#takeNarrow(value) : undefined;
  }

  #takeNarrow(value: bigint): ConstantPlace {
    this.narrow = Number(value);
    this.#used.narrow = true;
    return "narrow";
  }
}

/** Where a branch with a known target goes; `local` is the page of `pc`. */
function targetOf(nodes: readonly IrNode[], pc: bigint): { kind: TargetKind; address: bigint } | undefined {
  const branch = nodes.find(({ op }) => op === "branch" || op === "branchIf");
  const node = branch && nodes[branch.args[branch.args.length - 1] as number] as IrNode;
  if (node?.op !== "constant") return undefined;
  const address = node.immediates[0] as bigint;
  const isLocal = address >> 12n === pc >> 12n && (address & 3n) === 0n;
  return { kind: isLocal ? "local" : "far", address };
}

/**
 * Takes an instruction at address `pc` apart, or gives undefined when its record would not hold its registers. Constants
 * that find no place are part of the shape.
 */
export function shapeOf(
  instruction: readonly IrNode[],
  pc: bigint,
): { shape: Shape; operands: Operands } | undefined {
  const nodes = fold(instruction, pc);
  const target = targetOf(nodes, pc);
  const places = new Places(target?.kind, nodes.filter(({ op }) => op === "constant").length);
  if (target?.kind === "far") places.setTarget(target.address);
  const registers: number[] = [];
  const updated = updatedRegisters(nodes);
  const placeOf = (op: string, offset: number): number =>
    updated.includes(op) ? registers.indexOf(offset) : registers.push(offset) - 1;
  const abstracted = nodes.map((node): IrNode => {
    const offsetOf = REGISTER_OPERATIONS[node.op];
    if (offsetOf !== undefined) {
      return nodeOf(node, node.args, [placeOf(node.op, offsetOf(node.immediates[0] as number))]);
    }
    if (node.op === "branch" || node.op === "branchIf") {
      const args = target === undefined ? node.args : node.args.slice(0, -1);
      return nodeOf(node, args, [target?.kind ?? "dynamic"]);
    }
    if (node.op !== "constant") return node;
    const value = node.immediates[0] as bigint;
    if (target !== undefined && value === target.address && isTarget(nodes, node)) {
      return nodeOf(node, node.args, ["target"]);
    }
    return nodeOf(node, node.args, [places.take(node.width, value) ?? value]);
  });
  if (registers.length > RECORD_REGISTERS) return undefined;
  const { wide, narrow } = places;
  const isEmpty = wide[0] === 0n && wide[1] === 0n;
  const key = keyOf(abstracted);
  return {
    shape: { key, nodes: abstracted },
    // A copy has no room to grow: operands are kept for each word of a guest.
    operands: {
      registers: registers.slice(),
      wide: isEmpty ? NO_WIDE : wide,
      narrow,
      target: target?.address,
    },
  };
}

/**
 * Where registers would not find places, what writes those that are written for having been read, one by one: they take
 * the places of the reads. That does not depend on their numbers, as other registers may be equal or not.
 */
function updatedRegisters(nodes: readonly IrNode[]): string[] {
  const named = (wanted: string) =>
    nodes.filter(({ op }) => op === wanted).map(({ immediates: [register] }) => register).join();
  const count = nodes.filter(({ op }) => Object.hasOwn(REGISTER_OPERATIONS, op)).length;
  if (count <= RECORD_REGISTERS) return [];
  return ["X", "V"].filter((kind) => named(`read${kind}`) === named(`write${kind}`)).map((kind) =>
    `write${kind}`
  );
}

function nodeOf({ op, width }: IrNode, args: IrNode["args"], immediates: IrNode["immediates"]): IrNode {
  return { op, width, args, immediates };
}

function keyOf(nodes: readonly IrNode[]): string {
  let key = "";
  for (const { op, width, args, immediates } of nodes) {
    if (key !== "") key += ";";
    key += op + ":" + width + "(" + args.join() + ")" + immediates.join();
  }
  return key;
}

/** True for the constant that is only a branch's target; it stays in the list, unused, so that numbers hold. */
function isTarget(nodes: readonly IrNode[], node: IrNode): boolean {
  const at = nodes.indexOf(node);
  return nodes.every(({ op, args }) => !args.includes(at) || op === "branch" || op === "branchIf");
}
