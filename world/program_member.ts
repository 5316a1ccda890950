/** A node that is a program in TypeScript. */
import { encodeValue } from "../journal/codec.ts";
import { sha256 } from "../journal/hash.ts";
import { ByteWriter } from "../machine/layout.ts";
import { WorldError } from "./errors.ts";
import type { WorldEvent, WorldEventOf, WorldInput } from "./events.ts";
import type { Delivery, Member, MemberRoots, Report, Sent, Turn } from "./member.ts";
import type { NodeProcess, NodeProgram, NodeSite } from "./node_program.ts";

/** What a node is made from. */
export interface ProgramMemberOptions {
  /** Its number in the description. */
  readonly node: number;
  /** Its name. */
  readonly name: string;
  /** What runs. */
  readonly program: NodeProgram;
  /** Its options, not checked yet. */
  readonly options: unknown;
  /** Its ports with links. */
  readonly ports: ReadonlySet<string>;
  /** The world's seed. */
  readonly seed: number;
  /** It begins without power. */
  readonly isOff: boolean;
}

const MOST_BYTES = 65536, MOST_STORED = 64 << 20;
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
  readonly store: Map<string, Uint8Array> = new Map();
  #process: NodeProcess | undefined;
  #lives = 0;
  #told = 0;
  #now = 0;
  #next = Infinity;
  #sent: Sent[] = [];
  #events: WorldEvent[] = [];

  /** Throws WorldError for options that the program does not take. */
  constructor(made: ProgramMemberOptions) {
    this.#made = made;
    const parsed = made.program.options.safeParse(made.options);
    if (!parsed.success) {
      const issues = parsed.error.issues.map(({ path, message }) =>
        `${path.join(".") || "options"}: ${message}`
      );
      throw new WorldError(`Cannot set node "${made.name}" up: ${issues.join("; ")}`);
    }
    this.#options = parsed.data;
    if (!made.isOff) this.#switch(true, "start");
  }

  get name(): string {
    return this.#made.name;
  }

  get seed(): number {
    return this.#made.seed;
  }

  get now(): number {
    return this.#now;
  }

  send(port: string, bytes: Uint8Array): void {
    if (bytes.length > MOST_BYTES) {
      throw new RangeError(`Cannot send ${bytes.length} bytes: a message has at most ${MOST_BYTES}`);
    }
    if (this.#made.ports.has(port)) this.#sent.push({ port, time: this.#now, bytes: bytes.slice() });
  }

  wakeAt(time: number): void {
    this.#next = time === Infinity ? Infinity : Math.max(this.#now, Math.floor(time));
  }

  tell(what: string, detail = ""): void {
    const { node } = this.#made;
    this.#events.push({
      kind: "nodeTold",
      ...{ time: this.#now, node, number: this.#told++, what: cut(what, 64), detail: cut(detail, 4096) },
    });
  }

  advance({ until, deliveries, wantsRoots }: Turn): Report {
    for (const delivery of deliveries) {
      // As in a machine: what is due comes before what arrives at the same time.
      this.#wake(delivery.time, true);
      this.#now = delivery.time;
      this.#deliver(delivery);
    }
    this.#wake(until, false);
    return this.#report(wantsRoots);
  }

  #wake(time: number, isIncluded: boolean): void {
    while (this.#process !== undefined && (isIncluded ? this.#next <= time : this.#next < time)) {
      this.#now = Math.max(this.#now, this.#next);
      this.#next = Infinity;
      this.#process.woken?.();
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
    this.#process.received?.(port, bytes.slice());
  }

  #give(input: WorldInput): string | undefined {
    if (input.kind === "machine") return "a program takes no input of machines; give it a command";
    if (input.kind === "power") return this.#switch(input.isOn, "input");
    if (this.#process === undefined) return "it has no power";
    if (this.#process.commanded === undefined) return "it takes no commands";
    try {
      this.#process.commanded(input.command);
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
      this.#process = program.start(this.#options, this);
    } else {
      this.#process = undefined;
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

  #roots(): MemberRoots {
    const writer = new ByteWriter();
    const stored = [...this.store].sort(([a], [b]) => a < b ? -1 : 1);
    const size = stored.reduce((sum, [, { length }]) => sum + length, 0);
    if (size > MOST_STORED) {
      throw new RangeError(`Node "${this.name}" stores ${size} bytes, more than ${MOST_STORED}`);
    }
    for (const [key, bytes] of stored) {
      const name = encoder.encode(key);
      writer.u32(name.length);
      writer.raw(name);
      writer.raw(sha256(bytes));
    }
    writer.u53(Math.min(this.#next, Number.MAX_SAFE_INTEGER));
    writer.u32(this.#told);
    const state = this.#process === undefined ? NO_BYTES : encodeValue(this.#process.state());
    return {
      lives: this.#lives,
      isOn: this.#process !== undefined,
      stateRoot: sha256(writer.view(), state),
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
