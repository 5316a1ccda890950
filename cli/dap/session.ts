/** One client's session: messages in, messages out, and the run between them. Knows no process and no socket. */
import type { z } from "zod";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import type { Timeline } from "../../journal/timeline.ts";
import { UsageError } from "../errors.ts";
import { failureOf } from "../failure.ts";
import type { SymbolTable } from "../symbols.ts";
import type { Subject } from "./evaluate.ts";
import { encodeMessage, MessageReader } from "./framing.ts";
import { Listings } from "./listing.ts";
import { type Halt, Motion } from "./motion.ts";
import { Points } from "./points.ts";
import { ARGUMENTS, type Arguments, type Command, type Request, requestSchema } from "./protocol.ts";
import { REQUESTS } from "./requests.ts";

/** A run that was opened for a client. */
export interface OpenedTimeline {
  /** Its machine, at the beginning. */
  readonly timeline: Timeline;
  /** Names. */
  readonly symbols: SymbolTable;
  /** What the client's console is to say of it. */
  readonly greeting: string;
}

/** What a session stands on. */
export interface SessionOptions {
  /** Opens a run as a `launch` asks for. Throws errors with messages for people. */
  readonly open: (wanted: Arguments<"launch">) => OpenedTimeline;
  /** Sends bytes to the client. */
  readonly send: (bytes: Uint8Array) => void;
  /** Tells the person who runs the adapter. */
  readonly note: (text: string) => void;
  /** Milliseconds of host time. */
  readonly now: () => number;
}

/** A run under a client. */
export interface Debuggee extends OpenedTimeline {
  /** What stops it. */
  readonly points: Points;
  /** How it moves. */
  readonly motion: Motion;
  /** Its code. */
  readonly listings: Listings;
}

/** Where a client may go: an instant, or the next or last time that an instruction is executed. */
export type Target =
  | { readonly kind: "instant"; readonly instant: number }
  | { readonly kind: "address"; readonly address: bigint; readonly way: "forward" | "back" };

/** Something that takes a while, and ends with a stop. */
interface Task {
  readonly work: Generator<void, Halt>;
  readonly title: string;
  readonly started: number;
  /** Where it leads, if that is known, to tell how far it is. */
  readonly from: number;
  readonly to: number | undefined;
}

/** Milliseconds before a client is told that something takes long, and between two words on it. */
const PATIENCE = 400, EVERY = 250;
/** Targets that are remembered. */
const MOST_TARGETS = 1024;
/** Malformed messages in a row after which a client is given up. */
const MOST_MALFORMED = 100;

/** A client's session. */
export class DapSession {
  /** The client counts lines from 1. */
  linesStartAt = 1;
  /** The client shows progress. */
  showsProgress = false;
  /** Where the client wants to begin: an instant, or a name or address. */
  stopAt: number | string | undefined;
  /** The CPU that was looked at last: memory is seen through its translation. */
  selected = 0;
  readonly #reader = new MessageReader();
  #seq = 1;
  #debuggee: Debuggee | undefined;
  #task: Task | undefined;
  #isClosed = false;
  #malformed = 0;
  #progress: { readonly id: string; toldAt: number } | undefined;
  #progressId = 0;
  #lastTarget = 0;
  /** Lays checkpoints while there is nothing else to do. */
  #checkpoints: Generator<number> | undefined;
  readonly #targets = new Map<number, Target>();
  /** What follows the answer to the present request. */
  #afterwards: (() => void)[] = [];

  /** A session that has heard nothing yet. */
  constructor(private readonly options: SessionOptions) {}

  /** The client has gone, or wants to. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Something is being worked on: call `advance`. */
  get isBusy(): boolean {
    return this.#task !== undefined;
  }

  /** The run. Throws UsageError before there is one. */
  get debuggee(): Debuggee {
    if (this.#debuggee !== undefined) return this.#debuggee;
    throw new UsageError("There is no run yet: `launch` with the path of a journal as `run`");
  }

  /** The CPU that was looked at last. */
  get cpu(): Cpu {
    return this.cpuOf(this.selected + 1);
  }

  /** The CPU of a thread, which is looked at from now on. Throws UsageError for a thread that there is not. */
  cpuOf(threadId: number): Cpu {
    const { cpus } = this.debuggee.timeline.machine.board, cpu = cpus[threadId - 1];
    if (cpu === undefined) {
      throw new UsageError(`There is no thread ${threadId}: there are 1 to ${cpus.length}, one for each CPU`);
    }
    this.selected = cpu.index;
    return cpu;
  }

  /** What expressions are about. */
  get subject(): Subject {
    const { timeline: { machine }, symbols } = this.debuggee;
    return { machine, cpu: this.cpu, symbols };
  }

  /** Takes bytes from the client. */
  receive(bytes: Uint8Array): void {
    for (const incoming of this.#reader.push(bytes)) {
      if (this.#isClosed) return;
      if (incoming.kind === "message") this.#take(incoming.value);
      else this.#refuse(incoming.reason);
    }
  }

  /** Bytes that are no request: they are told of, and too many end the session. */
  #refuse(reason: string): void {
    this.options.note(reason);
    if (++this.#malformed > MOST_MALFORMED) this.close();
  }

  #take(value: unknown): void {
    const { success, data } = requestSchema.safeParse(value);
    if (!success) return this.#refuse("A message is no request");
    this.#malformed = 0;
    this.#answer(data);
  }

  #answer(request: Request): void {
    const { seq, command } = request;
    const respond = (success: boolean, rest: object): void =>
      this.#send({ type: "response", request_seq: seq, command, success, ...rest });
    try {
      const body = this.#handle(request);
      respond(true, body === undefined ? {} : { body });
    } catch (error) {
      const { message } = failureOf(error);
      respond(false, {
        message,
        body: { error: { id: 1, format: message.replaceAll("{", "{{"), showUser: true } },
      });
    }
    const afterwards = this.#afterwards;
    this.#afterwards = [];
    for (const act of afterwards) act();
  }

  #handle({ command, arguments: given }: Request): object | undefined {
    if (!Object.hasOwn(ARGUMENTS, command)) throw new UsageError(`There is no request "${command}" here`);
    const name = command as Command, schema: z.ZodType = ARGUMENTS[name];
    const parsed = schema.safeParse(given ?? {});
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new UsageError(`${command}: ${issue?.path.join(".") || "arguments"}: ${issue?.message}`);
    }
    return REQUESTS[name](this, parsed.data as never);
  }

  /** Opens the run; another one is left. */
  open(wanted: Arguments<"launch">): void {
    const opened = this.options.open(wanted), points = new Points();
    const motion = new Motion(opened.timeline, points, this.options.now);
    this.#checkpoints = undefined;
    this.#debuggee = { ...opened, points, motion, listings: new Listings(opened.symbols) };
    this.selected = opened.timeline.machine.currentCpu.index;
  }

  /** Does something once the present request is answered. */
  afterwards(act: () => void): void {
    this.#afterwards.push(act);
  }

  /** Throws UsageError while the machine moves. */
  checkStopped(): void {
    if (this.#task !== undefined) throw new UsageError("The machine is running: pause it first");
  }

  /** Lets the machine move once the present request is answered; `to` is the instant that it goes to, if that is known. */
  begin(title: string, work: Generator<void, Halt>, to?: number): void {
    this.checkStopped();
    const from = this.debuggee.timeline.instant;
    this.#task = { work, title, started: this.options.now(), from, to };
  }

  /** Works on for a slice. */
  advance(): void {
    const task = this.#task;
    if (task === undefined) return;
    try {
      const { done, value } = task.work.next();
      if (done === true) this.#halt(value);
      else this.#tellProgress(task);
    } catch (error) {
      const { message } = failureOf(error);
      this.print(`${message}\n`, "stderr");
      this.#halt({ reason: "exception", cpu: this.selected, description: "It cannot go on", text: message });
    }
  }

  /** Lays checkpoints for the way back, some at a time; false when all of a run are there. */
  idle(): boolean {
    if (this.#debuggee === undefined || this.#task !== undefined) return true;
    this.#checkpoints ??= this.#debuggee.timeline.precompute();
    try {
      return this.#checkpoints.next().done !== true;
    } catch (error) {
      this.print(`${failureOf(error).message}\n`, "stderr");
      return false;
    }
  }

  /** Stops what is being worked on; false when nothing is. */
  interrupt(): boolean {
    const task = this.#task;
    if (task === undefined) return false;
    task.work.return(undefined as never);
    const { machine } = this.debuggee.timeline;
    this.afterwards(() =>
      this.#halt({ reason: "pause", cpu: machine.currentCpu.index, description: "Paused" })
    );
    return true;
  }

  /** Says that it stands still already. */
  tellPaused(): void {
    if (this.#task !== undefined) return;
    this.#halt({ reason: "pause", cpu: this.selected, description: "Paused" });
  }

  /** Remembers a target; its number. */
  addTarget(target: Target): number {
    if (this.#targets.size >= MOST_TARGETS) this.#targets.clear();
    this.#targets.set(++this.#lastTarget, target);
    return this.#lastTarget;
  }

  /** The target of a number. */
  targetOf(id: number): Target | undefined {
    return this.#targets.get(id);
  }

  #halt({ reason, cpu, description, text, points }: Halt): void {
    this.#task = undefined;
    this.#endProgress();
    this.selected = cpu;
    this.event("stopped", {
      reason,
      description,
      ...(text === undefined ? {} : { text }),
      threadId: cpu + 1,
      allThreadsStopped: true,
      ...(points === undefined ? {} : { hitBreakpointIds: points.map(({ id }) => id) }),
    });
  }

  #tellProgress({ title, started, from, to }: Task): void {
    const now = this.options.now();
    if (!this.showsProgress || now - started < PATIENCE) return;
    const { instant } = this.debuggee.timeline;
    const end = to ??
      (instant < from ? this.debuggee.timeline.firstInstant : this.debuggee.timeline.lastInstant);
    const percentage = end === from ? 100 : Math.floor((instant - from) / (end - from) * 100);
    const message = `at instant ${instant}`;
    if (this.#progress === undefined) {
      const id = `progress ${++this.#progressId}`;
      this.#progress = { id, toldAt: now };
      this.event("progressStart", { progressId: id, title, message, percentage, cancellable: true });
    } else if (now - this.#progress.toldAt >= EVERY) {
      this.#progress.toldAt = now;
      this.event("progressUpdate", { progressId: this.#progress.id, message, percentage });
    }
  }

  #endProgress(): void {
    if (this.#progress !== undefined) this.event("progressEnd", { progressId: this.#progress.id });
    this.#progress = undefined;
  }

  /** Writes on the client's console. */
  print(output: string, category: "console" | "stderr" = "console"): void {
    this.event("output", { category, output });
  }

  /** Sends an event. */
  event(event: string, body?: object): void {
    this.#send({ type: "event", event, ...(body === undefined ? {} : { body }) });
  }

  #send(message: object): void {
    if (!this.#isClosed) this.options.send(encodeMessage({ seq: this.#seq++, ...message }));
  }

  /** Ends the session. */
  close(): void {
    this.#isClosed = true;
    this.#task?.work.return(undefined as never);
    this.#task = undefined;
  }
}
