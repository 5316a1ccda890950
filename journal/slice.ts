/** The backward slice: from a value at an instant back through windows of steps to where it came from. */
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { WatchPoint } from "../machine/watch.ts";
import { InstructionFlows } from "./instruction_flow.ts";
import { SliceGraph, type SliceLimits, type SliceNode } from "./slice_graph.ts";
import { type Location, locationCount } from "./slice_location.ts";
import { Needs } from "./slice_needs.ts";
import type { SliceChoice } from "./slice_links.ts";
import { SliceRows } from "./slice_rows.ts";
import { StepColumns } from "./step_columns.ts";
import type { Progress, Timeline } from "./timeline.ts";

/** Steps of the first window, and of the largest. */
const WINDOW = 2 ** 12, LARGEST_WINDOW = 2 ** 18;

/** Steps of the first window in which events are looked for, at full speed. */
const EVENT_WINDOW = 2 ** 20;

/** What a slice begins with: places, or bytes of physical memory. */
export interface SliceTarget {
  /** Places (journal/slice_location.ts). */
  readonly locations: readonly Location[];
  /** Bytes of memory. */
  readonly memory?: { readonly address: number; readonly size: number };
  /** The value there. */
  readonly value: bigint | undefined;
  /** The CPU whose value it is; −1 for memory. */
  readonly cpu: number;
}

/** How to slice. */
export interface SliceOptions extends SliceLimits, SliceChoice {
  /** Steps in which a register is looked for without finding anything before it counts as older. */
  readonly patience: number;
  /** Called with the instant reached. */
  readonly progress?: Progress | undefined;
}

/** What a slice took. */
export interface SliceEffort {
  /** Steps looked at one by one. */
  readonly steps: number;
  /** Windows of steps. */
  readonly windows: number;
  /** Searches for a writer of memory at full speed. */
  readonly searches: number;
  /** The first instant that was looked at. */
  readonly from: number;
}

/** A slice. */
export interface Slice {
  /** What was asked for; its sources are the last writers. */
  readonly root: SliceNode;
  /** All nodes, the root first, then from the last to the first in time. */
  readonly nodes: readonly SliceNode[];
  /** What it took. */
  readonly effort: SliceEffort;
}

/** Slices a run. */
class Slicer {
  readonly #graph: SliceGraph;
  readonly #needs: Needs<SliceNode>;
  readonly #columns: StepColumns;
  readonly #rows: SliceRows;
  readonly #effort = { steps: 0, windows: 0, searches: 0, from: 0 };
  /** Everything from here on has been looked at. */
  #position: number;
  #window = WINDOW;
  /** Steps looked at since something was found. */
  #fruitless = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly options: SliceOptions,
    at: number,
  ) {
    const { machine, run } = timeline;
    this.#position = at;
    this.#graph = new SliceGraph(options);
    this.#needs = new Needs(locationCount(machine.board.cpus.length));
    this.#columns = new StepColumns(machine);
    const flows = new InstructionFlows((machine.board.cpus[0] as Cpu).features.model);
    this.#rows = new SliceRows(run, machine, this.#columns, flows, this.#needs, this.#graph, options);
  }

  slice({ locations, memory, value, cpu }: SliceTarget): Slice {
    const root = this.#graph.add("target", this.#position, cpu);
    root.depth = 0;
    const need = { consumer: root, role: "value", value } as const;
    for (const location of locations) this.#needs.add(location, need);
    if (memory !== undefined) this.#needs.addMemory(memory.address, memory.size, need);
    const { firstInstant } = this.timeline;
    while (!this.#needs.isEmpty && !this.#graph.isFull && this.#position > firstInstant) this.#goOn();
    if (!this.#graph.isFull) this.#finish();
    else this.#cut();
    this.#graph.arrange();
    return { root, nodes: this.#graph.nodes, effort: { ...this.#effort, from: this.#position } };
  }

  /** A window of steps; or, where only memory is looked for and it is not near, a search for its writers. */
  #goOn(): void {
    const isQuick = this.#needs.registerCount === this.#needs.toldCount;
    if (isQuick && this.#fruitless >= WINDOW) return this.#search();
    if (!isQuick && this.#fruitless >= this.options.patience) return this.#giveUp();
    this.#scan(Math.max(this.timeline.firstInstant, this.#position - this.#window));
    this.#window = Math.min(this.#fruitless === 0 ? WINDOW * 4 : this.#window * 4, LARGEST_WINDOW);
  }

  #scan(from: number): void {
    const columns = this.#columns, to = this.#position, before = this.#graph.nodes.length;
    this.timeline.seek(from, this.options.progress);
    columns.begin();
    this.timeline.observe(from, to, columns);
    for (let row = columns.count - 1; row >= 0; row--) {
      this.#rows.read(row);
      if (this.#needs.isEmpty || this.#graph.isFull) break;
    }
    this.#effort.windows++;
    this.#effort.steps += to - from;
    this.#position = from;
    this.#fruitless = this.#graph.nodes.length > before ? 0 : this.#fruitless + (to - from);
    this.options.progress?.(from);
  }

  /** Registers that nobody wrote for so long are left. */
  #giveUp(): void {
    const { machine } = this.timeline, instant = this.#position;
    this.timeline.seek(instant);
    for (const { index } of machine.board.cpus) {
      this.#rows.giveOlder(index, instant, `not written in the ${this.#fruitless} steps from here on`);
    }
    this.#fruitless = 0;
  }

  /** Goes back to the last writer of any of the memory and system registers looked for. */
  #search(): void {
    const watches = this.#watches();
    const { timeline } = this, limit = Math.max(this.#lastPatch(), this.#lastEvent());
    timeline.seek(this.#position);
    this.#effort.searches++;
    const reached = watches.length > 0
      ? timeline.runBackTo({ watches }, limit, this.options.progress)
      : { kind: "limit", instant: limit } as const;
    const before = this.#graph.nodes.length;
    this.#position = Math.min(this.#position, reached.instant + 1);
    this.#window = WINDOW;
    this.#scan(Math.max(timeline.firstInstant, this.#position - WINDOW));
    if (this.#graph.nodes.length > before || reached.kind !== "hit") return;
    for (const { point, instant, cpu } of reached.hits) {
      if (point.kind !== "execute") this.#rows.giveUntold(Number(point.address), point.size, instant, cpu);
    }
  }

  /** The last instant before here at which an event wrote a system register that is looked for, or where the run begins. */
  #lastEvent(): number {
    const { timeline } = this, { firstInstant } = timeline;
    if (this.#needs.toldCount === 0) return firstInstant;
    let last = firstInstant - 1;
    const observe = (event: MachineEvent): void => {
      if (this.#rows.writesRegister(event)) last = event.instant;
    };
    let to = this.#position;
    for (let window = EVENT_WINDOW; to > firstInstant && last < firstInstant; window *= 4) {
      const from = Math.max(firstInstant, to - window);
      timeline.observe(from, to, { classes: ["input", "trap", "detail"], observe });
      to = from;
      this.options.progress?.(to);
    }
    return Math.max(last, firstInstant);
  }

  #watches(): WatchPoint[] {
    return [...this.#needs.memory].map(({ address, size, open }) => {
      const first = open.indexOf(1), last = open.lastIndexOf(1);
      const range = { address: BigInt(address + first), size: first < 0 ? size : last - first + 1 };
      return { kind: "write", space: "physical", ...range } as const;
    });
  }

  /** The last instant before here at which an operator changed memory that is looked for, or where the run begins. */
  #lastPatch(): number {
    const { run, firstInstant } = this.timeline;
    const patch = run.inputs.findLast((input) =>
      input.kind === "memoryPatched" && input.instant < this.#position &&
      [...this.#needs.memory].some(({ address, size }) =>
        input.address < address + size && address < input.address + input.bytes.length
      )
    );
    return patch?.instant ?? firstInstant;
  }

  /** What is left is as old as the run. */
  #finish(): void {
    const { machine, firstInstant, run } = this.timeline;
    this.#rows.giveBeginning(firstInstant);
    const text = run.checkpoint === undefined ? "power-on" : "where the recording begins";
    for (const { index } of machine.board.cpus) this.#rows.giveReset(index, firstInstant, text);
  }

  /** What is left is not wanted any more. */
  #cut(): void {
    for (const { consumer } of this.#needs.memory) consumer.cut = "count";
    for (const location of this.#needs.locations()) {
      for (const { consumer } of this.#needs.take(location)) consumer.cut = "count";
    }
  }
}

/** Slices back from the state of a timeline's run before an instant. Throws what going along it throws. */
export function sliceBack(
  timeline: Timeline,
  at: number,
  target: (machine: Machine) => SliceTarget,
  options: SliceOptions,
): Slice {
  timeline.seek(at, options.progress);
  const found = target(timeline.machine);
  return new Slicer(timeline, options, at).slice(found);
}
