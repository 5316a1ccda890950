/** How a run goes on, or back, for a client: in slices, to what stops it. */
import { hex } from "../../machine/address.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import type { EventObserver, MachineEvent } from "../../machine/events.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";
import type { Reached, Timeline } from "../../journal/timeline.ts";
import { exceptionClass } from "../event_text.ts";
import { Slices } from "../gdb/slices.ts";
import { peekMemory } from "../../machine/debugger_memory.ts";
import type { ExceptionTaken, Point, Points } from "./points.ts";

/** Why it stands still. */
export interface Halt {
  /** As the protocol calls it, or in words where it has no name for it. */
  readonly reason: string;
  /** The CPU that it concerns. */
  readonly cpu: number;
  /** For people. */
  readonly description: string;
  /** More of it. */
  readonly text?: string;
  /** Breakpoints that were hit. */
  readonly points?: readonly Point[];
}

/** Where it came to, before anybody asked whether that counts. */
type Met =
  | { readonly kind: "hits"; readonly hits: readonly WatchHit[] }
  | { readonly kind: "exception"; readonly event: ExceptionTaken }
  | { readonly kind: "limit" | "beginning" | "end" };

/** Least steps of a slice on the way back, each of which begins at a checkpoint before it. */
const BACK_SLICE = 1 << 22;
/** Most steps of a slice that looks for exceptions on the way back, all of whose events are kept. */
const EVENTS_SLICE = 1 << 20;

/** BL, BLR and its forms with authentication, SVC, HVC, SMC: what comes back to the instruction behind it. */
function isCall(word: number): boolean {
  const isRegister = (word & 0xfe000000) >>> 0 === 0xd6000000 && (word >>> 21 & 7) === 1;
  return word >>> 26 === 0b100101 || isRegister || (word & 0xffe0001c) >>> 0 === 0xd4000000;
}

/** Any branch, ERET among them. */
function isBranch(word: number): boolean {
  return (word & 0x7c000000) === 0x14000000 || (word & 0x7c000000) === 0x34000000 ||
    (word & 0xff000000) >>> 0 === 0x54000000 || (word & 0xfe000000) >>> 0 === 0xd6000000;
}

function wordAt(cpu: Cpu, address: bigint): number | undefined {
  const bytes = peekMemory(cpu, address, 4);
  return bytes.length < 4 ? undefined : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Keeps the exceptions that a client wants to see. */
class ExceptionWatch implements EventObserver {
  readonly classes = ["trap"] as const;
  readonly found: ExceptionTaken[] = [];
  constructor(private readonly points: Points) {}
  observe(event: MachineEvent): void {
    if (event.kind === "exceptionTaken" && this.points.filterOf(event) !== undefined) this.found.push(event);
  }
}

/** Moves along a run. */
export class Motion {
  readonly #slices: Slices;

  /** `now` gives milliseconds of host time, by which slices are measured. */
  constructor(readonly timeline: Timeline, private readonly points: Points, now: () => number) {
    this.#slices = new Slices(now);
  }

  #cpu(index: number): Cpu {
    return this.timeline.machine.board.cpus[index]!;
  }

  get #current(): number {
    return this.timeline.machine.currentCpu.index;
  }

  /** Nowhere: it stands still, and says so. */
  // deno-lint-ignore require-yield
  *stand(reason: string): Generator<void, Halt> {
    return { reason, cpu: this.#current, description: "At the beginning of the recorded run" };
  }

  /** On, until something stops it. */
  *forward(): Generator<void, Halt> {
    for (;;) {
      const met = yield* this.#ahead(this.timeline.lastInstant);
      const halt = this.#haltOf(met);
      if (halt !== undefined) return halt;
      yield;
    }
  }

  /** Back, until something stops it. */
  *back(): Generator<void, Halt> {
    for (;;) {
      const met = yield* this.#behind();
      const halt = this.#haltOf(met);
      if (halt !== undefined) return halt;
      yield;
    }
  }

  /** To an instant. */
  *seek(instant: number): Generator<void, Halt> {
    const { timeline } = this;
    timeline.seek(timeline.startOf(instant));
    while (timeline.instant < instant) {
      const next = Math.min(instant, timeline.instant + this.#slices.steps);
      this.#slices.measure(() => timeline.seek(next));
      yield;
    }
    return { reason: "goto", cpu: this.#current, description: `At instant ${instant}` };
  }

  /** On or back to where a CPU is about to execute the instruction at an address. */
  *toAddress(address: bigint, way: "forward" | "back"): Generator<void, Halt> {
    const watch: WatchPoint = { kind: "execute", address };
    for (;;) {
      const met = way === "forward"
        ? yield* this.#ahead(this.timeline.lastInstant, [watch])
        : yield* this.#behind([watch]);
      const hit = met.kind === "hits" ? met.hits.find(({ point }) => point === watch) : undefined;
      if (hit !== undefined) return { reason: "goto", cpu: hit.cpu, description: `At ${hex(address)}` };
      const halt = this.#haltOf(met);
      if (halt !== undefined) return halt;
      yield;
    }
  }

  /** One step of a CPU. */
  *stepIn(index: number): Generator<void, Halt> {
    const after = this.#stepEnd(index);
    for (;;) {
      const met = yield* this.#ahead(after ?? this.timeline.lastInstant);
      if (after !== undefined && (met.kind === "limit" || met.kind === "end")) return this.#stepped(index);
      const halt = this.#haltOf(met);
      if (halt !== undefined) return halt;
      yield;
    }
  }

  /** One step of a CPU back. */
  *stepBack(index: number): Generator<void, Halt> {
    yield;
    if (this.timeline.stepBackOf(index)) return this.#stepped(index);
    return this.#end("beginning", index);
  }

  /** One step, over what a call or an exception leads to. */
  *next(index: number): Generator<void, Halt> {
    const cpu = this.#cpu(index), { pc, registers: { sp } } = cpu;
    const word = wordAt(cpu, pc), following = BigInt.asUintN(64, pc + 4n);
    if (word !== undefined && isCall(word)) return yield* this.#until(index, [following], sp);
    const halt = yield* this.stepIn(index);
    const isElsewhere = word !== undefined && !isBranch(word) && cpu.pc !== following && cpu.pc !== pc;
    if (halt.reason !== "step" || !isElsewhere) return halt;
    return yield* this.#until(index, [pc, following], sp);
  }

  /** Until a CPU has come back to an address, its stack not below where it is now. */
  *stepOut(index: number, returnAddress: bigint): Generator<void, Halt> {
    return yield* this.#until(index, [returnAddress], this.#cpu(index).registers.sp);
  }

  *#until(cpu: number, addresses: readonly bigint[], sp: bigint): Generator<void, Halt> {
    const watches = addresses.map((address): WatchPoint => ({ kind: "execute", address, cpu }));
    for (;;) {
      const met = yield* this.#ahead(this.timeline.lastInstant, watches);
      const isThere = met.kind === "hits" && met.hits.some(({ point }) => watches.includes(point));
      if (isThere && this.#cpu(cpu).registers.sp >= sp) return this.#stepped(cpu);
      const halt = this.#haltOf(met);
      if (halt !== undefined) return halt;
      yield;
    }
  }

  #stepped(cpu: number): Halt {
    return { reason: "step", cpu, description: "Stepped" };
  }

  #end(kind: "beginning" | "end", cpu = this.#current): Halt {
    const way = kind === "end" ? "only back from here" : "only on from here";
    return { reason: `${kind} of the run`, cpu, description: `The ${kind} of the recorded run: ${way}` };
  }

  /** Where a CPU has taken its next step; undefined when it takes none any more. */
  #stepEnd(index: number): number | undefined {
    const { timeline } = this, { instant } = timeline;
    if (timeline.machine.board.cpus.length === 1) {
      return instant < timeline.lastInstant ? instant + 1 : undefined;
    }
    if (!timeline.stepForwardOf(index)) return undefined;
    const after = timeline.instant;
    timeline.seek(instant);
    return after;
  }

  /** What is to be told of it; undefined when it does not count, and the run goes on. */
  #haltOf(met: Met): Halt | undefined {
    switch (met.kind) {
      case "limit":
        return this.#stepped(this.#current);
      case "beginning":
      case "end":
        return this.#end(met.kind);
      case "exception":
        return this.#exception(met.event);
      case "hits":
        return this.#breakpoint(met.hits);
    }
  }

  #exception(event: ExceptionTaken): Halt {
    const filter = this.points.filterOf(event), { exception, syndrome, returnAddress, from, to } = event;
    const name = exception === "synchronous" ? exceptionClass(syndrome) : exception.toUpperCase();
    return {
      reason: "exception",
      cpu: event.cpu,
      description: filter?.label ?? "Exception",
      text: `${name} from EL${from} to EL${to}, ESR ${hex(syndrome)}, at ${hex(returnAddress)}` +
        (event.faultAddress === 0n ? "" : `, FAR ${hex(event.faultAddress)}`),
    };
  }

  #breakpoint(hits: readonly WatchHit[]): Halt | undefined {
    const points = this.points.counting(hits);
    if (points.length === 0) return undefined;
    const { watch, label } = points[0]!, hit = hits.find(({ point }) => point === watch)!;
    const isData = watch.kind !== "execute";
    const by = hit.cpu < 0 ? " by a device" : "";
    return {
      reason: isData ? "data breakpoint" : label.startsWith("0x") ? "instruction breakpoint" : "breakpoint",
      cpu: Math.max(0, hit.cpu),
      description: isData
        ? `${watch.kind} of ${label}${by} in the step of instant ${hit.instant}`
        : `Breakpoint at ${label}`,
      points,
    };
  }

  /** On to what is met first, a breakpoint or one of `more`, or an exception; or to `limit`. */
  *#ahead(limit: number, more: readonly WatchPoint[] = []): Generator<void, Met> {
    const { timeline, points } = this, { events } = timeline.machine.board;
    for (;;) {
      const from = timeline.instant, to = Math.min(limit, from + this.#slices.steps);
      const watches = [...points.watches, ...more], seen = new ExceptionWatch(points);
      if (points.hasFilters) events.add(seen);
      let reached: Reached;
      try {
        reached = this.#slices.measure(() => timeline.runForwardTo({ watches }, to));
      } finally {
        if (points.hasFilters) events.remove(seen);
      }
      const end = reached.kind === "hit" ? reached.instant : reached.instant + 1;
      const event = seen.found.find(({ instant }) => instant >= from && instant + 1 < end);
      if (event !== undefined) {
        timeline.seek(event.instant + 1);
        return { kind: "exception", event };
      }
      if (reached.kind === "hit") return { kind: "hits", hits: reached.hits };
      if (reached.kind === "end") return { kind: "end" };
      const due = to < limit ? this.#dueHere(watches) : undefined;
      if (due !== undefined) return { kind: "hits", hits: due };
      if (to >= limit) return { kind: "limit" };
      yield;
    }
  }

  /** Hits of the step that comes next, where a slice ended: the one after it would pass over them. */
  #dueHere(all: readonly WatchPoint[]): readonly WatchHit[] | undefined {
    const { timeline } = this, { instant, machine: { board: { cpus } } } = timeline;
    const watches = all.filter(({ kind, address }) =>
      kind === "execute" && cpus.some(({ pc }) => pc === address)
    );
    if (watches.length === 0 || !timeline.stepForward()) return undefined;
    const reached = timeline.runBackTo({ watches }, instant);
    return reached.kind === "hit" ? reached.hits : undefined;
  }

  /** Back to what was last: before the step of an access or an exception. */
  *#behind(more: readonly WatchPoint[] = []): Generator<void, Met> {
    const { timeline, points } = this;
    for (;;) {
      const from = timeline.instant, steps = Math.max(BACK_SLICE, this.#slices.steps);
      const to = Math.max(
        timeline.firstInstant,
        from - (points.hasFilters ? Math.min(steps, EVENTS_SLICE) : steps),
      );
      const event = points.hasFilters ? this.#lastException(to, from) : undefined;
      const watches = [...points.watches, ...more];
      const reached = this.#slices.measure(() => timeline.runBackTo({ watches }, event?.instant ?? to));
      if (reached.kind === "hit") return { kind: "hits", hits: reached.hits };
      if (event !== undefined) return { kind: "exception", event };
      if (reached.kind === "beginning") return { kind: "beginning" };
      yield;
    }
  }

  #lastException(from: number, to: number): ExceptionTaken | undefined {
    const events = this.timeline.events(from, to, ["trap"]);
    return events.findLast((event): event is ExceptionTaken =>
      event.kind === "exceptionTaken" && this.points.filterOf(event) !== undefined
    );
  }
}
