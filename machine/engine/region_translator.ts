/** From the words of pages to the module of their regions: a pure function, with a memory for words it has met. */
import { PAGE_WORDS } from "./code_pages.ts";
import { canCompile, mayAskDevice } from "./compiled_instructions.ts";
import { type Flow, type PageInstruction, planPage } from "./compiled_blocks.ts";
import { RegionModules } from "./compiled_module.ts";
import type { RegionPage } from "./compiled_region.ts";
import { entryWords } from "./compiled_units.ts";
import {
  type CompiledPage,
  type CompilePage,
  type CompileRequest,
  type CompileResult,
  type CompileSetup,
  type RegionCompiler,
  WORD,
} from "./compile_request.ts";
import type { Operands, Shape, TargetKind } from "./shape.ts";
import type { CodeLayout } from "./threaded_layout.ts";
import { knowledgeOf } from "./threaded_module.ts";
import { WordShapes } from "./word_shapes.ts";

/** Offset of X30 in a CPU's state. */
const LINK_OFFSET = 30 * 8;

/** What became of pages: the bytes of their module, or none where no page has anything to compile. */
export interface TranslatedPages {
  /** As for `CompileResult.module`. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  /** By page. */
  readonly pages: readonly CompiledPage[];
}

/** Translates pages of one machine, or of several that have their setup in common. */
export class RegionTranslator {
  /** By numbers of shapes. */
  readonly #facts: (ShapeFacts | undefined)[] = [];
  readonly #modules: RegionModules;

  /** `words` may be shared with the engine, which knows them already. */
  constructor(
    private readonly setup: CompileSetup,
    private readonly words: WordShapes = new WordShapes(knowledgeOf(setup.model, setup.layout)),
  ) {
    this.#modules = new RegionModules(setup.layout, setup.memoryPages);
  }

  /** The module of some pages' regions. */
  translate(pages: readonly CompilePage[]): TranslatedPages {
    const regions = pages.map((page): RegionPage => {
      const instructions = this.#instructions(page);
      const { address, guarded } = page;
      return { address, guarded, instructions, plan: planPage(instructions) };
    });
    const isEmpty = regions.every(({ plan }) => plan.blocks.length === 0);
    return {
      bytes: isEmpty ? undefined : this.#modules.generate(regions),
      pages: regions.map(({ plan, instructions }) => {
        const words = new Uint8Array(PAGE_WORDS);
        let count = 0;
        for (let word = 0; word < PAGE_WORDS; word++) {
          if (instructions[word] !== undefined) count += words[word] = 1;
        }
        return { entries: entryWords(plan), words, instructions: count };
      }),
    };
  }

  /** What was executed and can be compiled, and what of the rest can be reached from there. */
  #instructions(page: CompilePage): (PageInstruction | undefined)[] {
    const found = new Array<PageInstruction | undefined>(PAGE_WORDS).fill(undefined);
    const open: number[] = [];
    for (let word = PAGE_WORDS - 1; word >= 0; word--) {
      if (page.known[word] === WORD.executed || page.known[word] === WORD.device) open.push(word);
    }
    const isOpen = page.known.slice(); // whatever is known of a word, nobody needs to reach it
    const reach = (word: number): void => {
      if (isOpen[word] !== 0) return; // or behind the page's end
      isOpen[word] = 1;
      open.push(word);
    };
    for (let word = open.pop(); word !== undefined; word = open.pop()) {
      const instruction = this.#instruction(page, word);
      found[word] = instruction;
      if (instruction === undefined) continue;
      if (instruction.flow === "local") reach(instruction.target);
      if (instruction.flow === "next" || instruction.conditional || instruction.links) reach(word + 1);
    }
    return found;
  }

  #instruction({ words, address, guarded, known }: CompilePage, word: number): PageInstruction | undefined {
    const { number, operands } = this.words.find(words[word] as number, address + BigInt(word * 4), guarded);
    if (number < 0 || operands === undefined) return undefined;
    const facts = this.#facts[number] ??= factsOf(this.words.shapes[number] as Shape, this.setup.layout);
    return facts.isCompiled ? instructionOf(facts, operands, known[word] === WORD.device) : undefined;
  }
}

/** What instructions of one shape have in common. */
interface ShapeFacts {
  readonly shape: Shape;
  readonly isCompiled: boolean;
  readonly flow: Flow;
  readonly conditional: boolean;
  /** X registers that are written by a branch, by their numbers in the record. */
  readonly links: readonly number[];
  readonly mayAskDevice: boolean;
}

function factsOf(shape: Shape, layout: CodeLayout): ShapeFacts {
  const { nodes } = shape, branch = nodes.find(({ op }) => op === "branch" || op === "branchIf");
  const writes = branch?.op === "branch" ? nodes.filter(({ op }) => op === "writeX") : [];
  return {
    shape,
    isCompiled: canCompile(shape, layout),
    flow: branch === undefined ? "next" : branch.immediates[0] as TargetKind,
    conditional: branch?.op === "branchIf",
    links: writes.map(({ immediates }) => immediates[0] as number),
    mayAskDevice: mayAskDevice(nodes),
  };
}

function instructionOf(facts: ShapeFacts, operands: Operands, isDevice: boolean): PageInstruction {
  const { shape, flow, conditional, links } = facts, { registers, target } = operands;
  return {
    shape,
    operands,
    flow,
    conditional,
    links: links.length > 0 && links.some((register) => registers[register] === LINK_OFFSET),
    target: flow === "local" ? Number((target as bigint) & 0xfffn) >> 2 : -1,
    asksDevice: isDevice && facts.mayAskDevice,
  };
}

/** Compiles each request at once, where it is made: regions then come by counts alone. */
export class ImmediateCompiler implements RegionCompiler {
  readonly #translator: RegionTranslator;
  #finished: CompileResult[] = [];

  /** As RegionTranslator. */
  constructor(setup: CompileSetup, words?: WordShapes) {
    this.#translator = new RegionTranslator(setup, words);
  }

  /** Compiles. */
  request({ number, pages }: CompileRequest): void {
    const { bytes, pages: compiled } = this.#translator.translate(pages);
    this.#finished.push({
      number,
      module: bytes && new WebAssembly.Module(bytes),
      bytes: bytes?.length ?? 0,
      pages: compiled,
      code: bytes,
    });
  }

  /** What was compiled since the last call. */
  take(): readonly CompileResult[] {
    const finished = this.#finished;
    if (finished.length > 0) this.#finished = [];
    return finished;
  }
}
