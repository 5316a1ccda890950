/** The shapes of a machine's instruction words, each found once: what handlers and compiled regions are generated from. */
import { type CpuModel, hasFeature } from "../a64/feature.ts";
import { decode, lowerOn } from "../a64/rows.ts";
import type { IrNode } from "../ir/operations.ts";
import { withoutTarget } from "./plain_registers.ts";
import { RecentWords } from "./recent_words.ts";
import { RecordImage } from "./record_image.ts";
import { type Operands, type Shape, shapeOf } from "./shape.ts";
import { type TakenApart, WordForms } from "./word_forms.ts";

/** A word: the number of its shape, which is −1 where the word has to be evaluated, and what fills the shape. */
export interface ShapedWord {
  /** Index in `WordShapes.shapes`, or −1. */
  readonly number: number;
  /** Operands, where it has a number. */
  readonly operands: Operands | undefined;
}

/** What a branch to a register makes BTYPE is known by its page; without FEAT_BTI there is none. */
function branchTypeKnown(model: CpuModel, node: IrNode, guarded: boolean): IrNode | undefined {
  if (!hasFeature(model, "BTI")) return undefined;
  const { immediates: [whenGuarded, otherwise] } = node;
  return { ...node, immediates: [(guarded ? whenGuarded : otherwise) as number] };
}

/** A word's operations on a CPU, in a guarded page or not; undefined where it has none there. */
function lowerAt(model: CpuModel, word: number, guarded: boolean): readonly IrNode[] | undefined {
  const found = decode(word), lowered = found === undefined ? undefined : lowerOn(model, found);
  if (lowered === undefined) return undefined;
  const nodes: IrNode[] = [];
  for (const node of lowered) {
    const kept = node.op === "writeBranchType"
      ? branchTypeKnown(model, node, guarded)
      : withoutTarget(model, node);
    if (kept !== undefined) nodes.push(kept);
  }
  return nodes;
}

/** What a word is at an address on a CPU, in a guarded page or not: its operations, folded and taken apart. */
export function takeApart(model: CpuModel, word: number, pc: bigint, guarded: boolean): TakenApart {
  const nodes = lowerAt(model, word, guarded);
  if (nodes === undefined) return { shaped: undefined, isRelative: false };
  return { shaped: shapeOf(nodes, pc), isRelative: nodes.some(({ op }) => op === "pc") };
}

/** What words are, of which nothing depends on a machine: found once for all machines of a process that may use it. */
export class WordKnowledge {
  /** Shapes by key; null where they are not usable. */
  readonly #interned = new Map<string, Shape | null>();
  /** Forms of words, in pages that are not guarded and in those that are. */
  readonly #forms: readonly [WordForms, WordForms];

  /** Words of a CPU model; shapes that are not `usable` have no number. */
  constructor(private readonly model: CpuModel, private readonly usable: (shape: Shape) => boolean) {
    const formsOf = (guarded: boolean) => new WordForms((word, pc) => this.#takeApart(word, pc, guarded));
    this.#forms = [formsOf(false), formsOf(true)];
  }

  /** The shape of a word at an address, given by halves, if it has a usable one; its record is put into the image. */
  find(image: RecordImage, word: number, low: number, high: number, guarded: boolean): Shape | undefined {
    return this.#forms[guarded ? 1 : 0].find(image, word, low, high);
  }

  #takeApart(word: number, pc: bigint, guarded: boolean): TakenApart {
    const found = takeApart(this.model, word, pc, guarded), { shaped } = found;
    const shape = shaped && this.#intern(shaped.shape);
    return { ...found, shaped: shaped && shape && { shape, operands: shaped.operands } };
  }

  /** The one shape with its key, if it is usable. */
  #intern(shape: Shape): Shape | undefined {
    const { key } = shape, known = this.#interned.get(key);
    if (known !== undefined) return known === null ? undefined : known;
    const isUsable = this.usable(shape);
    this.#interned.set(key, isUsable ? shape : null);
    return isUsable ? shape : undefined;
  }
}

/** Shapes that a machine met so far, and their numbers. */
export class WordShapes {
  /** Shapes by number. */
  readonly shapes: Shape[] = [];
  readonly #numbers = new Map<Shape, number>();
  /** Words in pages that are not guarded and in those that are. */
  readonly #recent: readonly [RecentWords, RecentWords] = [new RecentWords(), new RecentWords()];
  /** What `decode` leaves of a word that has a shape. */
  readonly image: RecordImage = new RecordImage();

  /** Starts with none. */
  constructor(private readonly knowledge: WordKnowledge) {}

  /** Number of the shape of a word at an address, given by halves, in a guarded page or not; `image` is its record. */
  decode(word: number, low: number, high: number, guarded: boolean): number {
    const { image } = this, recent = this.#recent[guarded ? 1 : 0];
    const known = recent.find(word, image);
    if (known >= 0) return known;
    const shape = this.knowledge.find(image, word, low, high, guarded);
    if (shape === undefined) return -1;
    const number = this.#numberOf(shape);
    if (!image.isRelative) recent.keep(word, number, image);
    return number;
  }

  /** The shape and operands of a word at an address, in a guarded page or not. */
  find(word: number, pc: bigint, guarded: boolean): ShapedWord {
    const number = this.decode(word, Number(pc & 0xffff_ffffn), Number(pc >> 32n), guarded);
    return { number, operands: number < 0 ? undefined : this.image.operandsAt(pc) };
  }

  #numberOf(shape: Shape): number {
    const known = this.#numbers.get(shape);
    if (known !== undefined) return known;
    const number = this.shapes.push(shape) - 1;
    this.#numbers.set(shape, number);
    return number;
  }
}
