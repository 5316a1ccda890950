/** The handlers of a machine's instructions: which shape has which number, and the module that holds them. */
import { decode, lowerOn } from "../a64/rows.ts";
import type { Cpu } from "../cpu/cpu.ts";
import type { IrNode } from "../ir/operations.ts";
import type { PhysicalMemory } from "../memory/physical.ts";
import { HANDLER } from "./code_pages.ts";
import { COMMON_ADDRESSES, COMMON_WORDS } from "./common_words.ts";
import { withoutTarget } from "./plain_registers.ts";
import { operandsAt, type RelativeOperands, relativeOperands, staysInPage } from "./relative_word.ts";
import { type Operands, type Shape, shapeOf } from "./shape.ts";
import type { CodeLayout } from "./threaded_layout.ts";
import { canGenerate, generateModule, type ThreadedImports, type ThreadedRun } from "./threaded_module.ts";

/** Steps of instructions whose shapes are not in the module after which it is generated, with the common ones. */
const FIRST_PATIENCE = 1000;
/** Such steps after which it is generated again: a new module runs slowly until it is optimized, so not lightly. */
const PATIENCE = 30_000;
/** Decoded words kept before they are forgotten, those that depend on their address apart: bounds memory, to 50 MB. */
const CACHE_LIMIT = 1 << 17, RELATIVE_LIMIT = 1 << 15;

/** A decoded word: the number of its handler and what its record holds. */
export interface DecodedWord {
  /** Number of the handler; one that is not generated yet is HANDLER.awaited. */
  readonly handler: number;
  /** Operands, where the handler has any. */
  readonly operands: Operands | undefined;
}

const EVALUATED: DecodedWord = { handler: HANDLER.evaluated, operands: undefined };

/** What a branch to a register makes BTYPE is known by its page; without FEAT_BTI there is none. */
function branchTypesKnown(cpu: Cpu, nodes: IrNode[], guarded: boolean): IrNode[] {
  if (!cpu.implements("BTI")) return nodes.filter(({ op }) => op !== "writeBranchType");
  return nodes.map((node) => {
    const { op, immediates: [whenGuarded, otherwise] } = node;
    if (op !== "writeBranchType") return node;
    return { ...node, immediates: [(guarded ? whenGuarded : otherwise) as number] };
  });
}

/** A word whose operands follow from its address. */
interface RelativeWord {
  readonly number: number;
  readonly operands: RelativeOperands;
}

/** A word's operations on a CPU, in a guarded page or not; undefined where it has none there. */
function lowerAt(cpu: Cpu, word: number, guarded: boolean): readonly IrNode[] | undefined {
  const found = decode(word);
  const lowered = found === undefined ? undefined : lowerOn(cpu.features.model, found);
  return lowered && branchTypesKnown(cpu, lowered, guarded).map((node) => withoutTarget(cpu, node));
}

/** Shapes met so far, and a module with the handlers of most of them. */
export class Handlers {
  readonly #numbers = new Map<string, number>();
  readonly #shapes: Shape[] = [];
  readonly #words = new Map<number, { number: number; operands: Operands | undefined }>();
  /** Words whose operands depend on the address, by whether their branch stays in the page, and those it is known of. */
  readonly #relative = [new Map<number, RelativeWord>(), new Map<number, RelativeWord>()] as const;
  #generated = 0;
  #modules = 0;
  #awaited = 0;
  #run: ThreadedRun;

  /** Starts with a module that has no handlers but the fixed ones. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly layout: CodeLayout,
    private readonly imports: ThreadedImports,
    private readonly regions: WebAssembly.Table | undefined,
  ) {
    this.#run = this.#generate();
  }

  /** Runs from a record; a `REASON`. */
  run(record: number, left: number, state: number, tlb: number): number {
    return this.#run(record, left, state, tlb);
  }

  #generate(): ThreadedRun {
    const { memory } = this.memory;
    const pages = memory.buffer.byteLength / 65536;
    const bytes = generateModule(this.#shapes, this.layout, pages);
    const { access, evaluate } = this.imports;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory, access, evaluate, ...(this.regions && { regions: this.regions }) },
    });
    this.#generated = this.#shapes.length;
    return instance.exports["run"] as ThreadedRun;
  }

  /** Counts a step of an instruction whose handler is not generated; true when all known handlers are now. */
  await(cpu: Cpu): boolean {
    if (++this.#awaited < (this.#modules === 0 ? FIRST_PATIENCE : PATIENCE)) return false;
    this.#awaited = 0;
    if (this.#modules++ === 0) {
      for (const address of COMMON_ADDRESSES) {
        for (const word of COMMON_WORDS) this.#decode(cpu, word, address, false);
      }
    }
    this.#run = this.#generate();
    return true;
  }

  /** Decodes a word at an address, in a guarded page or not. */
  decode(cpu: Cpu, word: number, pc: bigint, guarded: boolean): DecodedWord {
    const key = guarded ? word + 2 ** 32 : word;
    const { number, operands } = this.#words.get(key) ?? this.#relativeAt(key, pc) ??
      this.#decode(cpu, word, pc, guarded);
    if (number < 0) return EVALUATED;
    const isGenerated = number < HANDLER.first + this.#generated;
    return { handler: isGenerated ? number : HANDLER.awaited, operands };
  }

  /** The shape and operands of a word that has a handler, generated or not. */
  shapeAt(
    cpu: Cpu,
    word: number,
    pc: bigint,
    guarded: boolean,
  ): { shape: Shape; operands: Operands } | undefined {
    const key = guarded ? word + 2 ** 32 : word;
    const { number, operands } = this.#words.get(key) ?? this.#relativeAt(key, pc) ??
      this.#decode(cpu, word, pc, guarded);
    const shape = this.#shapes[number - HANDLER.first];
    return shape === undefined || operands === undefined ? undefined : { shape, operands };
  }

  /** Number −1 stands for evaluation. */
  #decode(
    cpu: Cpu,
    word: number,
    pc: bigint,
    guarded: boolean,
  ): { number: number; operands: Operands | undefined } {
    const key = guarded ? word + 2 ** 32 : word;
    const nodes = lowerAt(cpu, word, guarded);
    const shaped = nodes === undefined ? undefined : shapeOf(nodes, pc);
    const number = shaped !== undefined && canGenerate(shaped.shape, this.layout)
      ? this.#numberOf(shaped.shape)
      : -1;
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
  #relativeAt(key: number, pc: bigint): { number: number; operands: Operands } | undefined {
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
    const number = HANDLER.first + this.#shapes.push(shape) - 1;
    this.#numbers.set(shape.key, number);
    return number;
  }
}
