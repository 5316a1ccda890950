/** A node that is a program in TypeScript. */
import { decodeValue, encodeValue } from "../journal/codec.ts";
import { equalBytes, sha256 } from "../journal/hash.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { ToldCheckpoint } from "./checkpoint.ts";
import { WorldError } from "./errors.ts";
import type { WorldEvent, WorldEventOf, WorldInput } from "./events.ts";
import type { Delivery, Member, MemberRoots, Report, Sent, Turn } from "./member.ts";
import type { NodeProcess, NodeSite } from "./node_program.ts";
import {
  type Beginning,
  type Chain,
  programCheckpoint,
  type ProgramMark,
  programMark,
  toldIn,
} from "./program_mark.ts";
import { type ProgramMemberOptions, programOptions } from "./program_options.ts";
import { ProgramStore } from "./program_store.ts";

const MOST_BYTES = 65536;
const ZEROS = new Uint8Array(32), NO_BYTES = new Uint8Array(0);
const encoder = new TextEncoder();

/** A text cut to a number of bytes of UTF-8. */
function cut(text: string, most: number): string {
  return encoder.encode(text).length <= most ? text : `${text.slice(0, Math.floor(most / 4))}…`;
}

/** A program as a node. */
export class ProgramMember implements Member, NodeSite {
  readonly #made: ProgramMemberOptions;
  readonly #options: unknown;
  readonly #store = new ProgramStore();
  #process: NodeProcess | undefined;
  #beginning: Beginning | undefined;
  #chain: Chain | undefined;
  /** The process is told again what it was told: what it does then has been done. */
  #isAgain = false;
  #lives = 0;
  #told = 0;
  #now = 0;
  #next = Infinity;
  #sent: Sent[] = [];
  #events: WorldEvent[] = [];

  /** Throws WorldError for options that the program does not take. */
  constructor(made: ProgramMemberOptions) {
    this.#made = made;
    this.#options = programOptions(made);
    if (made.resumed !== undefined) this.returnTo(programMark(made.resumed));
    else if (!made.isOff) this.#switch(true, "start");
  }

  get name(): string {
    return this.#made.name;
  }

  get seed(): number {
    return this.#made.seed;
  }

  get store(): Map<string, Uint8Array> {
    return this.#store.entries;
  }

  get now(): number {
    return this.#now;
  }

  send(port: string, bytes: Uint8Array): void {
    if (bytes.length > MOST_BYTES) {
      throw new RangeError(`Cannot send ${bytes.length} bytes: a message has at most ${MOST_BYTES}`);
    }
    if (this.#isAgain) return;
    if (this.#made.ports.has(port)) this.#sent.push({ port, time: this.#now, bytes: bytes.slice() });
  }

  wakeAt(time: number): void {
    this.#next = time === Infinity ? Infinity : Math.max(this.#now, Math.floor(time));
  }

  tell(what: string, detail = ""): void {
    const { node } = this.#made;
    if (this.#isAgain) return;
    this.#events.push({
      kind: "nodeTold",
      ...{ time: this.#now, node, number: this.#told++, what: cut(what, 64), detail: cut(detail, 4096) },
    });
  }

  advance({ until, deliveries, wantsRoots, wantsCheckpoint = false }: Turn): Report {
    for (const delivery of deliveries) {
      // As in a machine: what is due comes before what arrives at the same time.
      this.#wake(delivery.time, true);
      this.#now = delivery.time;
      this.#deliver(delivery);
    }
    this.#wake(until, false);
    const report = this.#report(wantsRoots);
    return wantsCheckpoint ? { ...report, checkpoint: programCheckpoint(this.mark()) } : report;
  }

  #wake(time: number, isIncluded: boolean): void {
    while (this.#process !== undefined && (isIncluded ? this.#next <= time : this.#next < time)) {
      this.#now = Math.max(this.#now, this.#next);
      this.#next = Infinity;
      this.#tell({ kind: "woken", time: this.#now });
    }
  }

  #deliver(delivery: Delivery): void {
    const { node } = this.#made, { time } = delivery;
    if (delivery.kind === "input") {
      const { number, input } = delivery;
      this.#events.push({ kind: "inputGiven", time, node, number, input });
      const reason = this.#give(input);
      if (reason === undefined) return;
      this.#events.push({ kind: "inputRefused", time, node, number, reason: cut(reason, 1024) });
      return;
    }
    const { link, end, sequence, port, bytes } = delivery, address = { time, node, link, end, sequence };
    if (this.#process === undefined) {
      this.#events.push({ kind: "messageLost", ...address, reason: "off" });
      return;
    }
    this.#events.push({ kind: "messageDelivered", ...address });
    this.#tell({ kind: "received", time, port, bytes });
  }

  /** Tells the process something, and remembers it where somebody may want to return here. */
  #tell(told: ToldCheckpoint): void {
    const isKept = this.#made.keepsMarks && this.#made.program.resume === undefined;
    if (isKept && !this.#isAgain) this.#chain = { told, before: this.#chain };
    const process = this.#process as NodeProcess;
    if (told.kind === "woken") process.woken?.();
    else if (told.kind === "received") process.received?.(told.port, told.bytes.slice());
    else process.commanded?.(told.command);
  }

  #give(input: WorldInput): string | undefined {
    if (input.kind === "machine") return "a program takes no input of machines; give it a command";
    if (input.kind === "power") return this.#switch(input.isOn, "input");
    if (this.#process === undefined) return "it has no power";
    if (this.#process.commanded === undefined) return "it takes no commands";
    try {
      this.#tell({ kind: "commanded", time: this.#now, command: input.command });
      return undefined;
    } catch (error) {
      if (error instanceof WorldError) return error.message;
      throw error;
    }
  }

  #switch(isOn: boolean, cause: WorldEventOf<"nodePoweredOn">["cause"]): string | undefined {
    if (isOn === (this.#process !== undefined)) return `the power is ${isOn ? "on" : "off"} already`;
    const { node, program } = this.#made, time = this.#now;
    if (isOn) {
      this.#events.push({ kind: "nodePoweredOn", time, node, life: this.#lives++, cause });
      if (this.#made.keepsMarks) this.#beginning = { time, store: this.#store.copy() };
      this.#process = program.start(this.#options, this);
    } else {
      this.#process = undefined;
      this.#beginning = this.#chain = undefined;
      this.#next = Infinity;
      this.#events.push({
        kind: "nodePoweredOff",
        time,
        node,
        life: this.#lives - 1,
        cause: "input",
        exitCode: 0,
      });
    }
    return undefined;
  }

  finish(): Report {
    return this.#report(false);
  }

  #state(): Uint8Array {
    return this.#process === undefined ? NO_BYTES : encodeValue(this.#process.state()).slice();
  }

  mark(): ProgramMark {
    if (!this.#made.keepsMarks) throw new TypeError(`Node "${this.name}" keeps no marks`);
    return {
      ...{ beginning: this.#beginning, chain: this.#chain, lives: this.#lives, told: this.#told },
      ...{ now: this.#now, next: this.#next, store: this.#store.copy(), state: this.#state() },
      ...{ events: [...this.#events], sent: [...this.#sent] },
    };
  }

  returnTo(mark: ProgramMark): void {
    const { beginning, chain } = mark;
    this.#process = undefined;
    this.#next = Infinity;
    // The process may hold what is stored, which therefore is not replaced behind it.
    if (beginning === undefined) this.#store.put(mark.store);
    else if (this.#made.program.resume !== undefined) this.#resume(mark);
    else this.#startAgain(beginning, chain);
    const isSame = equalBytes(this.#state(), mark.state) && this.#next === mark.next &&
      this.#store.is(mark.store);
    if (!isSame) {
      throw new WorldError(
        `Node "${this.name}": told the same again, program "${this.#made.program.name}" did something else; ` +
          `it may look at nothing but its site, and \`state\` is all that it keeps`,
      );
    }
    this.#events = [...mark.events];
    this.#sent = [...mark.sent];
    this.#beginning = beginning;
    this.#chain = chain;
    this.#lives = mark.lives;
    this.#told = mark.told;
    this.#now = mark.now;
    this.#next = mark.next;
  }

  #resume({ state, store, now, next }: ProgramMark): void {
    this.#store.put(store);
    this.#now = now;
    this.#isAgain = true;
    try {
      this.#process = this.#made.program.resume?.(decodeValue(state), this.#options, this);
    } finally {
      this.#isAgain = false;
    }
    this.#next = next;
  }

  /** Starts the program as at a life's beginning, and tells it what it was told; nothing of what it does comes out. */
  #startAgain({ time, store }: Beginning, chain: Chain | undefined): void {
    this.#store.put(store);
    this.#now = time;
    this.#next = Infinity;
    this.#isAgain = true;
    try {
      this.#process = this.#made.program.start(this.#options, this);
      for (const told of toldIn(chain)) this.#againTold(told);
    } finally {
      this.#isAgain = false;
    }
  }

  #againTold(told: ToldCheckpoint): void {
    this.#now = told.time;
    if (told.kind === "woken") this.#next = Infinity;
    try {
      this.#tell(told);
    } catch (error) {
      // A command that it did not take.
      if (!(error instanceof WorldError)) throw error;
    }
  }

  durableRoot(): Uint8Array {
    const writer = new ByteWriter();
    this.#store.write(writer, this.name);
    return sha256(writer.view());
  }

  #roots(): MemberRoots {
    const writer = new ByteWriter();
    this.#store.write(writer, this.name);
    writer.u53(Math.min(this.#next, Number.MAX_SAFE_INTEGER));
    writer.u32(this.#told);
    return {
      lives: this.#lives,
      isOn: this.#process !== undefined,
      stateRoot: sha256(writer.view(), this.#state()),
      historyRoot: ZEROS,
    };
  }

  #report(wantsRoots: boolean): Report {
    const report: Report = {
      events: this.#events,
      sent: this.#sent,
      next: this.#next,
      now: this.#now,
      roots: wantsRoots ? this.#roots() : undefined,
      journal: [],
      console: NO_BYTES,
    };
    this.#events = [];
    this.#sent = [];
    return report;
  }
}
