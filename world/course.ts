/** The course of a world: cuts its time into rounds in which nodes cannot reach one another, and orders what comes of them. */
import { storedCourse, type WorldCheckpoint } from "./checkpoint.ts";
import { lookaheadOf, type WorldDescription } from "./description.ts";
import { WorldError } from "./errors.ts";
import { compareWorldEvents, type WorldEvent, type WorldInput } from "./events.ts";
import { type Arrival, Links, type LinksMark } from "./links.ts";
import type { Delivery, MemberRoots, Report, Turn } from "./member.ts";
import { WorldHistory, worldStateRoot } from "./roots.ts";

/** What the nodes are to do next, by number; undefined for one that has nothing to do. */
export type Round = readonly (Turn | undefined)[];

/** What came of a round, in the same order. */
export type Reports = readonly (Report | undefined)[];

/** A world's roots at a time. */
export interface WorldRoot {
  /** The world's time, in nanoseconds. */
  readonly time: number;
  /** Of all states and of the messages under way. */
  readonly stateRoot: Uint8Array;
  /** Of everything up to here. */
  readonly historyRoot: Uint8Array;
  /** Of each node. */
  readonly members: readonly MemberRoots[];
}

/** An input with its time and node. */
export interface TimedWorldInput {
  /** Nanoseconds of the world. */
  readonly time: number;
  /** Number of the node. */
  readonly node: number;
  /** What. */
  readonly input: WorldInput;
  /** Counts the world's inputs, where it is known: of a recorded world. */
  readonly number?: number;
}

/** Who is told as the world goes on. */
export interface CourseObserver {
  /** Events in their total order, as soon as nothing can come before them. */
  happened?(event: WorldEvent): void;
  /** Roots, in order. */
  rooted?(root: WorldRoot): void;
  /** A checkpoint, right after the root of its time. */
  checkpointed?(checkpoint: WorldCheckpoint): void;
  /** A piece of a life's journal. */
  recorded?(node: number, life: number, bytes: Uint8Array): void;
  /** A node wrote on its console. */
  wrote?(node: number, bytes: Uint8Array): void;
}

/** Why a course came back. */
export type CourseStop =
  /** The time asked for is reached. */
  | "limit"
  /** Whoever carries the rounds out wants no more. */
  | "stopped"
  /** Nothing is due at any node and nothing is under way: only an input can go on. */
  | "resting";

interface QueuedInput extends TimedWorldInput {
  readonly number: number;
}

/** All that a course keeps at a time between two rounds; plain but for the history. */
export interface CourseMark extends LinksMark {
  /** The course's `now`. */
  readonly now: number;
  /** Up to here. */
  readonly history: WorldHistory;
  /** When each node does anything next. */
  readonly next: readonly number[];
  /** To what time each has come. */
  readonly reached: readonly number[];
  /** Inputs to come. */
  readonly inputs: readonly Required<TimedWorldInput>[];
  /** Inputs that were given or are to come. */
  readonly inputCount: number;
  /** Events before which something may still come. */
  readonly held: readonly WorldEvent[];
  /** When the next root is taken, if it is known. */
  readonly rootDue: number | undefined;
  /** The last one. */
  readonly lastRoot: WorldRoot | undefined;
}

/** A world's time, and what is under way in it. It advances no node itself: whoever asks for rounds does. */
export class Course {
  /** Everything before this time has happened; nothing can be given before it. */
  now = 0;
  readonly #lookahead: number;
  readonly #links: Links;
  #history = new WorldHistory();
  #next: number[];
  #reached: number[];
  #inputs: QueuedInput[] = [];
  #inputCount = 0;
  #held: WorldEvent[] = [];
  #rootDue: number | undefined;
  /** When the last checkpoint was. */
  #checkpointed = 0;
  /** The last root. */
  lastRoot: WorldRoot | undefined;

  /**
   * `slice` (nanoseconds), if it is less than the lookahead, makes rounds shorter; `spacing` asks for checkpoints at roots
   * that are so far apart. They change nothing else.
   */
  constructor(
    readonly description: WorldDescription,
    private readonly observer: CourseObserver = {},
    slice: number = Infinity,
    private readonly spacing: number = Infinity,
  ) {
    const { nodes } = description;
    this.#lookahead = Math.max(1, Math.min(lookaheadOf(description), slice));
    this.#links = new Links(description);
    this.#next = nodes.map(() => 0);
    this.#reached = nodes.map(() => 0);
  }

  /** Number of a node by name; throws WorldError. */
  nodeNamed(name: string): number {
    const { nodes } = this.description, found = nodes.findIndex((node) => node.name === name);
    if (found >= 0) return found;
    throw new WorldError(
      `There is no node "${name}": there are ${nodes.map((node) => node.name).join(", ")}`,
    );
  }

  /** Gives an input, which comes at its time behind those given for that time before. Throws WorldError for the past. */
  give({ time, node, input, number = this.#inputCount }: TimedWorldInput): void {
    if (time < this.now) {
      throw new WorldError(`Cannot give an input at ${time} ns: the world has come to ${this.now} ns`);
    }
    if (this.description.nodes[node] === undefined) throw new RangeError(`There is no node ${node}`);
    this.#inputs.push({ time, node, input, number });
    this.#inputCount = Math.max(this.#inputCount, number + 1);
    this.#inputs.sort((a, b) => a.time - b.time || a.number - b.number);
  }

  /** Remembers where it is; call it between rounds. */
  mark(): CourseMark {
    return {
      now: this.now,
      ...this.#links.mark(),
      history: this.#history.copy(),
      next: [...this.#next],
      reached: [...this.#reached],
      inputs: [...this.#inputs],
      inputCount: this.#inputCount,
      held: [...this.#held],
      rootDue: this.#rootDue,
      lastRoot: this.lastRoot,
    };
  }

  /** Goes to where a course of the same world was; its nodes are whoever carries rounds out takes there. */
  returnTo(mark: CourseMark): void {
    this.now = mark.now;
    this.#links.returnTo(mark);
    this.#history = mark.history.copy();
    this.#next = [...mark.next];
    this.#reached = [...mark.reached];
    this.#inputs = [...mark.inputs];
    this.#inputCount = mark.inputCount;
    this.#held = [...mark.held];
    this.#rootDue = mark.rootDue;
    this.#checkpointed = mark.now;
    this.lastRoot = mark.lastRoot;
  }

  /** Leaves out the inputs to come of which this holds. */
  dropInputs(isDropped: (input: TimedWorldInput) => boolean): void {
    this.#inputs = this.#inputs.filter((input) => !isDropped(input));
  }

  /** The earliest time at which anything happens; Infinity for never. */
  get nextTime(): number {
    return Math.min(...this.#next, this.#links.next, this.#inputs[0]?.time ?? Infinity);
  }

  /**
   * The rounds up to a time: yields each, is given what came of it, and returns why there are no more. The roots that
   * are due on the way are taken. `isEnough` is asked before each round.
   */
  *rounds(limit: number, isEnough: () => boolean = () => false): Generator<Round, CourseStop, Reports> {
    for (;;) {
      if (isEnough()) return "stopped";
      const first = this.nextTime, root = this.#rootDue;
      if (first === Infinity) return "resting";
      if (root !== undefined && root <= Math.min(first, limit) && root >= this.now) {
        const wantsCheckpoint = root - this.#checkpointed >= this.spacing;
        const reports = yield this.#rootRound(root, wantsCheckpoint);
        this.#root(root, reports);
        if (wantsCheckpoint) this.#checkpoint(root, reports);
        continue;
      }
      if (first >= limit) {
        this.now = Math.max(this.now, limit);
        return "limit";
      }
      this.#rootDue ??= this.#rootAfter(first);
      const until = Math.min(Math.max(first, this.now) + this.#lookahead, limit, this.#rootDue);
      this.#take(until, yield this.#round(until));
    }
  }

  /** The round of ending where the course has come to, or where everything came to rest: takes the last root. */
  *end(): Generator<Round, WorldRoot, Reports> {
    const isResting = this.nextTime === Infinity;
    const at = isResting ? Math.max(...this.#reached, this.lastRoot?.time ?? 0) : this.now;
    const reports = yield this.#rootRound(at);
    this.#take(at, reports);
    this.#emit(Infinity);
    return this.#root(at, reports, true);
  }

  #rootAfter(time: number): number {
    const { rootInterval } = this.description;
    return (Math.floor(time / rootInterval) + 1) * rootInterval;
  }

  #rootRound(until: number, wantsCheckpoint = false): Round {
    return this.description.nodes.map(() => ({ until, deliveries: [], wantsRoots: true, wantsCheckpoint }));
  }

  #checkpoint(time: number, reports: Reports): void {
    this.#checkpointed = time;
    const members = reports.flatMap((report) => report?.checkpoint ?? []);
    this.observer.checkpointed?.(storedCourse(this.mark(), members));
  }

  #round(until: number): Round {
    const deliveries: Delivery[][] = this.description.nodes.map(() => []);
    while (this.#inputs[0] !== undefined && this.#inputs[0].time < until) {
      const { time, node, number, input } = this.#inputs.shift()!;
      deliveries[node]!.push({ kind: "input", time, number, input });
      this.#reached[node] = Math.max(this.#reached[node]!, time);
    }
    for (const arrival of this.#links.take(until)) this.#arrive(arrival, deliveries);
    return deliveries.map((list, node): Turn | undefined => {
      if (list.length === 0 && this.#next[node]! >= until) return undefined;
      // Inputs come before messages at one time; each kind is in order already.
      return { until, deliveries: list.sort((a, b) => a.time - b.time), wantsRoots: false };
    });
  }

  #arrive({ node, isLost, delivery }: Arrival, deliveries: Delivery[][]): void {
    const { time, link, end, sequence } = delivery;
    this.#reached[node] = Math.max(this.#reached[node]!, time);
    if (isLost) this.#held.push({ kind: "messageLost", time, node, link, end, sequence, reason: "loss" });
    else deliveries[node]!.push(delivery);
  }

  /** Takes what came of a round. */
  #take(until: number, reports: Reports): void {
    for (const [node, report] of reports.entries()) {
      if (report === undefined) continue;
      this.#next[node] = report.next;
      this.#reached[node] = Math.max(this.#reached[node]!, report.now);
      this.#held.push(...report.events);
      for (const sent of report.sent) {
        const event = this.#links.send(node, sent);
        if (event !== undefined) this.#held.push(event);
      }
      for (const { life, bytes } of report.journal) this.observer.recorded?.(node, life, bytes);
      if (report.console.length > 0) this.observer.wrote?.(node, report.console);
    }
    this.now = until;
    this.#emit(until);
  }

  /** Tells the events before a time in their total order. */
  #emit(time: number): void {
    const ready = this.#held.filter((event) => event.time < time).sort(compareWorldEvents);
    if (ready.length === 0) return;
    this.#held = this.#held.filter((event) => event.time >= time);
    for (const event of ready) {
      this.#history.add(event);
      this.observer.happened?.(event);
    }
  }

  #root(time: number, reports: Reports, isTaken = false): WorldRoot {
    if (!isTaken) this.#take(time, reports);
    this.#rootDue = undefined;
    const members = reports.map((report) => report!.roots!);
    const stateRoot = worldStateRoot(time, members, this.#links.mark());
    const root = { time, stateRoot, historyRoot: this.#history.close(stateRoot, members), members };
    this.lastRoot = root;
    if (!isTaken) this.observer.rooted?.(root);
    return root;
  }
}
