/** The shapes of a machine's instruction words, each found once: what handlers and compiled regions are generated from. */
import { type CpuModel, hasFeature } from "../a64/feature.ts";
import { decode, lowerOn } from "../a64/rows.ts";
import type { IrNode } from "../ir/operations.ts";
import { withoutTarget } from "./plain_registers.ts";
import { operandsAt, type RelativeOperands, relativeOperands, staysInPage } from "./relative_word.ts";
import { type Operands, type Shape, shapeOf } from "./shape.ts";

/** Decoded words kept before they are forgotten, those that depend on their address apart: bounds memory, to 50 MB. */
const CACHE_LIMIT = 1 << 17, RELATIVE_LIMIT = 1 << 15;

/** A word: the number of its shape, which is −1 where the word has to be evaluated, and what fills the shape. */
export interface ShapedWord {
  /** Index in `WordShapes.shapes`, or −1. */
  readonly number: number;
  /** Operands, where the word has a shape at all. */
  readonly operands: Operands | undefined;
}

/** A word whose operands follow from its address. */
interface RelativeWord {
  readonly number: number;
  readonly operands: RelativeOperands;
}

/** What a branch to a register makes BTYPE is known by its page; without FEAT_BTI there is none. */
function branchTypesKnown(model: CpuModel, nodes: IrNode[], guarded: boolean): IrNode[] {
  if (!hasFeature(model, "BTI")) return nodes.filter(({ op }) => op !== "writeBranchType");
  return nodes.map((node) => {
    const { op, immediates: [whenGuarded, otherwise] } = node;
    if (op !== "writeBranchType") return node;
    return { ...node, immediates: [(guarded ? whenGuarded : otherwise) as number] };
  });
}

/** A word's operations on a CPU, in a guarded page or not; undefined where it has none there. */
function lowerAt(model: CpuModel, word: number, guarded: boolean): readonly IrNode[] | undefined {
  const found = decode(word);
  const lowered = found === undefined ? undefined : lowerOn(model, found);
  return lowered && branchTypesKnown(model, lowered, guarded).map((node) => withoutTarget(model, node));
}

/** Shapes met so far, and what is known of words. */
export class WordShapes {
  /** Shapes by number. */
  readonly shapes: Shape[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #words = new Map<number, ShapedWord>();
  /** Words whose operands depend on the address, by whether their branch stays in the page, and those it is known of. */
  readonly #relative = [new Map<number, RelativeWord>(), new Map<number, RelativeWord>()] as const;

  /** Words of a CPU model; shapes that are not `usable` have no number. */
  constructor(private readonly model: CpuModel, private readonly usable: (shape: Shape) => boolean) {}

  /** The shape and operands of a word at an address, in a guarded page or not. */
  find(word: number, pc: bigint, guarded: boolean): ShapedWord {
    const key = guarded ? word + 2 ** 32 : word;
    return this.#words.get(key) ?? this.#relativeAt(key, pc) ?? this.#decode(word, pc, guarded);
  }

  #decode(word: number, pc: bigint, guarded: boolean): ShapedWord {
    const key = guarded ? word + 2 ** 32 : word;
    const nodes = lowerAt(this.model, word, guarded);
    const shaped = nodes === undefined ? undefined : shapeOf(nodes, pc);
    const number = shaped !== undefined && this.usable(shaped.shape) ? this.#numberOf(shaped.shape) : -1;
    const result = { number, operands: shaped?.operands };
    if (nodes === undefined || !nodes.some(({ op }) => op === "pc")) {
      if (this.#words.size >= CACHE_LIMIT) this.#words.clear();
      this.#words.set(key, result);
    } else if (shaped !== undefined) {
      const operands = relativeOperands(pc, shaped, (pc) => shapeOf(nodes, pc));
      if (operands !== undefined) this.#remember(key, pc, { number, operands });
    }
    return result;
  }

  #remember(key: number, pc: bigint, word: RelativeWord): void {
    const words = this.#relative[staysInPage(pc, word.operands.target) ? 1 : 0];
    if (words.size >= RELATIVE_LIMIT) words.clear();
    words.set(key, word);
  }

  /** A word whose operands are known to follow from the address. */
  #relativeAt(key: number, pc: bigint): ShapedWord | undefined {
    for (const stays of [0, 1] as const) {
      const word = this.#relative[stays].get(key);
      if (word === undefined || staysInPage(pc, word.operands.target) !== (stays === 1)) continue;
      return { number: word.number, operands: operandsAt(pc, word.operands) };
    }
    return undefined;
  }

  #numberOf(shape: Shape): number {
    const known = this.#numbers.get(shape.key);
    if (known !== undefined) return known;
    const number = this.shapes.push(shape) - 1;
    this.#numbers.set(shape.key, number);
    return number;
  }
}
