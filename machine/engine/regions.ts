/** The compiled regions of a machine: which pages are worth it, their modules, and the table that they are called by. */
import type { Cpu } from "../cpu/cpu.ts";
import type { PhysicalMemory } from "../memory/physical.ts";
import { type CodePage, type CodePages, HANDLER, PAGE_WORDS, RECORD, RECORD_SIZE } from "./code_pages.ts";
import { canCompile } from "./compiled_backend.ts";
import { type PageInstruction, planPage } from "./compiled_blocks.ts";
import { generateRegions } from "./compiled_module.ts";
import { entryWords, type RegionPage } from "./compiled_region.ts";
import type { Handlers } from "./handlers.ts";
import type { IrNode } from "../ir/operations.ts";
import type { Operands, Shape } from "./shape.ts";
import type { CodeLayout } from "./threaded_layout.ts";

/** Regions that the table has room for. */
const CAPACITY = 8192;
/** Branches into a page that make it hot again after it was compiled, for what had not been executed; doubles. */
const REHEAT = 4096;
/** Pages that are compiled together. */
const BATCH = 8;

/** Steps after which code comes back to be sampled: where it executes handlers, and the most where it is compiled. */
const SLICE = 20_000, LARGEST_SLICE = 1 << 20;
/** Branches into a page that a sample stands for. */
const SAMPLE = 320;

/** Offset of X30 in a CPU's state. */
const LINK_OFFSET = 30 * 8;

/** What an engine compiled: modules, regions of pages in them, instructions, bytes of WebAssembly. */
export interface CompileStatistics {
  modules: number;
  regions: number;
  instructions: number;
  bytes: number;
}

/** Compiles hot pages and forgets those that were written. */
export class Regions {
  /** Functions of regions by index; 0 is none. */
  readonly table: WebAssembly.Table = new WebAssembly.Table({ element: "anyfunc", initial: CAPACITY });
  readonly #free: number[] = Array.from({ length: CAPACITY - 1 }, (_, index) => CAPACITY - 1 - index);
  readonly #canCompile = new Map<Shape, boolean>();
  /** Times that a page was compiled. */
  #times = new Map<CodePage, number>();
  #queue = new Set<CodePage>();
  /** What was compiled so far. */
  readonly statistics: CompileStatistics = { modules: 0, regions: 0, instructions: 0, bytes: 0 };

  /** Pages of a machine's memory. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly pages: CodePages,
    private readonly layout: CodeLayout,
  ) {
    pages.regionDropped = (_, region) => this.#release(region);
  }

  #release(region: number): void {
    this.table.set(region, null);
    this.#free.push(region);
  }

  /** Steps after which code has to come back. */
  slice = SLICE;

  /** Code came back in a page: one that is compiled need not be looked at soon again. */
  sample(page: CodePage, cpu: Cpu, handlers: Handlers): void {
    if (this.pages.hasRegion(page)) this.slice = Math.min(this.slice * 2, LARGEST_SLICE);
    else {
      this.slice = SLICE;
      if (this.pages.takeHeat(page, SAMPLE) <= 0) this.#queue.add(page);
    }
    if (this.#queue.size > 0) this.compile(cpu, handlers);
  }

  /** A page is hot. */
  add(page: CodePage, cpu: Cpu, handlers: Handlers): void {
    this.#queue.add(page);
    if (this.#queue.size >= BATCH) this.compile(cpu, handlers);
  }

  /** Forgets all regions; the pages are gone. */
  drop(): void {
    for (let region = 1; region < CAPACITY; region++) this.table.set(region, null);
    this.#free.length = 0;
    for (let region = CAPACITY - 1; region > 0; region--) this.#free.push(region);
    this.#times.clear();
    this.#queue.clear();
  }

  /** Compiles the pages that wait for it. */
  compile(cpu: Cpu, handlers: Handlers): void {
    const batch: { page: CodePage; region: RegionPage }[] = [];
    for (const page of this.#queue) {
      const times = this.#times.get(page) ?? 0;
      this.#times.set(page, times + 1);
      this.pages.setHeat(page, REHEAT << Math.min(times, 16));
      const old = this.pages.takeRegion(page);
      if (old !== 0) this.#release(old);
      const instructions = this.#instructions(page, cpu, handlers);
      if (instructions.every((instruction) => instruction === undefined)) continue;
      batch.push({ page, region: { address: page.address, instructions, plan: planPage(instructions) } });
    }
    this.#queue.clear();
    if (batch.length === 0 || this.#free.length < batch.length) return;
    const { memory } = this.memory, size = memory.buffer.byteLength / 65536;
    const bytes = generateRegions(batch.map(({ region }) => region), this.layout, size);
    this.#count(batch, bytes.length);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    for (const [index, { page, region }] of batch.entries()) {
      const number = this.#free.pop() as number;
      this.table.set(number, instance.exports[String(index)] as CallableFunction);
      this.pages.setRegion(page, number, entryWords(region.plan));
    }
  }

  /** What has been executed of a page and can be compiled. */
  #instructions(page: CodePage, cpu: Cpu, handlers: Handlers): (PageInstruction | undefined)[] {
    const { view } = this.memory, { base, hostPage, address, guarded } = page;
    return Array.from({ length: PAGE_WORDS }, (_, word) => {
      const handler = view.getUint16(base + word * RECORD_SIZE + RECORD.handler, true);
      if (handler === HANDLER.undecoded || handler === HANDLER.evaluated) return undefined;
      const found = handlers.shapeAt(
        cpu,
        view.getUint32(hostPage + word * 4, true),
        address + BigInt(word * 4),
        guarded,
      );
      if (found === undefined || !this.#isCompilable(found.shape)) return undefined;
      return instructionOf(found.shape, found.operands);
    });
  }

  #count(batch: readonly { readonly region: RegionPage }[], bytes: number): void {
    const { statistics } = this;
    statistics.modules++;
    statistics.regions += batch.length;
    statistics.bytes += bytes;
    for (const { region } of batch) {
      statistics.instructions += region.plan.blocks.reduce((sum, { first, end }) => sum + end - first, 0);
    }
  }

  #isCompilable(shape: Shape): boolean {
    let known = this.#canCompile.get(shape);
    if (known === undefined) this.#canCompile.set(shape, known = canCompile(shape, this.layout));
    return known;
  }
}

function instructionOf(shape: Shape, operands: Operands): PageInstruction {
  const { nodes } = shape, branch = nodes.find(({ op }) => op === "branch" || op === "branchIf");
  const flow = branch === undefined ? "next" : branch.immediates[0] as "local" | "far" | "dynamic";
  return {
    shape,
    operands,
    flow,
    conditional: branch?.op === "branchIf",
    links: branch?.op === "branch" && nodes.some((node) => writesLink(node, operands)),
    target: flow === "local" ? Number((operands.target as bigint) & 0xfffn) >> 2 : -1,
  };
}

function writesLink({ op, immediates }: IrNode, { registers }: Operands): boolean {
  return op === "writeX" && registers[immediates[0] as number] === LINK_OFFSET;
}
