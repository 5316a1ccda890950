/** One client's session: packets in, packets out, and the run between them. Knows no socket. */
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { failureOf } from "../failure.ts";
import type { SymbolTable } from "../symbols.ts";
import { Breakpoints } from "./breakpoints.ts";
import { handlerOf } from "./handlers.ts";
import {
  encodePacket,
  type Incoming,
  latin1Bytes,
  PacketReader,
  toHex,
  utf8Payload,
} from "../../machine/debugger_packets.ts";
import type { RegisterFile } from "./registers.ts";
import { stopReply } from "./stop_reply.ts";
import type { GdbTarget, Stopped, Wish } from "./target.ts";

/** What a packet is answered with. */
export type Answer = string | Task | undefined;

/** An answer that takes a while: it is what the generator returns in the end. */
export interface Task {
  /** Works on, a slice for each `next()`. */
  readonly work: Generator<void, string>;
  /** What to answer when the client interrupts. */
  readonly interrupted: () => string;
}

/** Handles what follows a packet's name. */
export type Handler = (session: GdbSession, rest: string) => Answer;

/** What a client said that it can do. */
export interface ClientFeatures {
  /** Stop replies may say `swbreak`. */
  swbreak: boolean;
  /** Stop replies may say `hwbreak`. */
  hwbreak: boolean;
  /** Errors may have a text. */
  texts: boolean;
  /** They are shown, whatever was asked for. */
  showsTexts: boolean;
}

/** What a session stands on. */
export interface SessionOptions {
  /** The machine. */
  readonly target: GdbTarget;
  /** Its registers. */
  readonly registers: RegisterFile;
  /** Names for addresses. */
  readonly symbols: SymbolTable;
  /** Sends bytes to the client. */
  readonly send: (bytes: Uint8Array) => void;
  /** Tells the person who runs the server. */
  readonly note: (text: string) => void;
}

/** What is put aside for a client that sends while the machine runs. */
const MOST_QUEUED = 1024;

/** A client's session. */
export class GdbSession {
  /** What is inserted. */
  readonly breakpoints = new Breakpoints();
  /** What the client can do. */
  readonly client: ClientFeatures = { swbreak: false, hwbreak: false, texts: false, showsTexts: false };
  /** The machine. */
  readonly target: GdbTarget;
  /** Its registers. */
  readonly registers: RegisterFile;
  /** Names. */
  readonly symbols: SymbolTable;
  /** Packets are acknowledged, until the client wants it no more. */
  acknowledges = true;
  /** Memory is read at physical addresses. */
  isPhysical = false;
  /** The CPU that registers and memory are of. */
  selected: number;
  /** The CPU that `s` and `bs` step; undefined for the one that is meant. */
  stepped: number | undefined;
  /**
   * The CPU that was last selected, or stopped. gdb may step another off its breakpoint before it steps the one that its
   * user selected, and names the first alone.
   */
  meant: number;
  /** The last stop. */
  stopped: Stopped;
  readonly #reader = new PacketReader();
  #queue: Incoming[] = [];
  #task: Task | undefined;
  #last: Uint8Array = new Uint8Array();
  #isClosed = false;
  /** The packet whose answer was not acknowledged yet. */
  #unacknowledged: string | undefined;
  /** The last refusal, for the client's console, until it listens. */
  #unseen = "";

  /** A session at which the machine stands still. */
  constructor(private readonly options: SessionOptions) {
    this.target = options.target;
    this.registers = options.registers;
    this.symbols = options.symbols;
    this.selected = this.meant = this.target.machine.currentCpu.index;
    this.stopped = { kind: "stepped", cpu: this.selected };
  }

  /** The client has gone, or wants to. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Something is being worked on: call `advance`. */
  get isBusy(): boolean {
    return this.#task !== undefined;
  }

  /** The CPU that registers and memory are of. */
  get cpu(): Cpu {
    return this.target.machine.board.cpus[this.selected]!;
  }

  /** Takes bytes from the client. */
  receive(bytes: Uint8Array): void {
    for (const incoming of this.#reader.push(bytes)) this.#take(incoming);
  }

  #take(incoming: Incoming): void {
    if (this.#isClosed) return;
    switch (incoming.kind) {
      case "interrupt":
        return this.interrupt();
      case "refused":
        return this.options.send(this.#last);
      case "acknowledged":
        this.#unacknowledged = undefined;
        return;
      case "damaged":
        if (this.acknowledges) this.options.send(latin1Bytes("-"));
        return;
      case "packet":
        return this.#takePacket(incoming);
    }
  }

  #takePacket(incoming: Incoming & { readonly kind: "packet" }): void {
    const { payload } = incoming;
    if (this.acknowledges) {
      this.options.send(latin1Bytes("+"));
      // Sent again because the answer took long, as that to the first packet may: it is on its way.
      if (this.#unacknowledged === payload) return;
      this.#unacknowledged = payload;
    }
    if (this.#task === undefined) this.#handle(payload);
    else if (this.#queue.length < MOST_QUEUED) this.#queue.push(incoming);
  }

  #handle(payload: string): void {
    let answer: Answer;
    try {
      answer = handlerOf(payload)(this);
    } catch (error) {
      answer = this.failure(error);
    }
    if (typeof answer === "object") this.#begin(answer);
    else if (answer !== undefined) this.reply(answer);
  }

  #begin(task: Task): void {
    this.#task = task;
    this.print(this.#unseen);
    this.#unseen = "";
  }

  /** Stops what is being worked on, as Ctrl-C does. */
  interrupt(): void {
    const task = this.#task;
    if (task === undefined) return;
    task.work.return("");
    this.#finish(task.interrupted());
  }

  /** Works on for a slice. */
  advance(): void {
    const task = this.#task;
    if (task === undefined) return;
    try {
      const { done, value } = task.work.next();
      if (done === true) this.#finish(value);
    } catch (error) {
      this.print(`${failureOf(error).message}\n`);
      this.#finish(task.interrupted());
    }
  }

  #finish(answer: string): void {
    this.#task = undefined;
    if (this.#isClosed) return;
    this.reply(answer);
    const queue = this.#queue;
    this.#queue = [];
    for (const incoming of queue) if (incoming.kind === "packet") this.#handleOrQueue(incoming);
  }

  #handleOrQueue(incoming: Incoming & { readonly kind: "packet" }): void {
    if (this.#task === undefined && !this.#isClosed) this.#handle(incoming.payload);
    else this.#queue.push(incoming);
  }

  /** Lets the machine move, and answers where it stopped. */
  resume(wish: Wish): Task {
    const { target } = this;
    const work = function* (this: GdbSession): Generator<void, string> {
      return this.#stop(yield* target.resume(wish, this.breakpoints.points()));
    };
    const interrupted = (): string =>
      this.#stop({ kind: "interrupted", cpu: target.machine.currentCpu.index });
    return { work: work.call(this), interrupted };
  }

  #stop(stopped: Stopped): string {
    this.stopped = stopped;
    if (stopped.kind !== "exited") {
      this.selected = stopped.cpu;
      if (stopped.kind !== "stepped" || this.stepped === undefined) this.meant = stopped.cpu;
    }
    this.stepped = undefined;
    const reply = stopReply(this);
    return stopped.kind === "exited" ? this.close(reply) ?? "" : reply;
  }

  /** Ends the session, after an answer if there is one. */
  close(answer?: string): undefined {
    if (answer !== undefined) this.reply(answer);
    this.#isClosed = true;
    this.#task?.work.return("");
    this.#task = undefined;
    return undefined;
  }

  /** Sends a packet. */
  reply(payload: string): void {
    this.#last = encodePacket(payload);
    this.options.send(this.#last);
  }

  /** Writes on the client's console: only while a command of its is waiting for its answer. */
  print(text: string): void {
    if (text !== "") this.reply(`O${toHex(utf8Payload(text))}`);
  }

  /** An error: with its text for clients that take one, else a number. */
  error(text: string): string {
    return this.client.texts ? `E.${utf8Payload(text)}` : "E01";
  }

  /** An error of a packet to whose answers old clients allow no text. */
  shortError(text: string): string {
    return this.client.showsTexts ? this.error(text) : "E01";
  }

  /** A refusal that has to be seen: clients of before `error-message` keep most texts for themselves. */
  refuse(text: string): string {
    this.options.note(text);
    if (!this.client.showsTexts) this.#unseen = `${text}\n`;
    return this.error(text);
  }

  /** What was thrown, as an answer. */
  failure(error: unknown): string {
    return this.error(failureOf(error).message);
  }
}
