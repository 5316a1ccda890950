/** A node that is a program in TypeScript. */
import { decodeValue, encodeValue } from "../journal/codec.ts";
import { equalBytes, sha256 } from "../journal/hash.ts";
import { ByteWriter } from "../machine/layout.ts";
import { type ProgramCheckpoint, type StoredEntries, storedTime, timeFrom } from "./checkpoint.ts";
import { WorldError } from "./errors.ts";
import type { WorldEvent, WorldEventOf, WorldInput } from "./events.ts";
import type { Delivery, Member, MemberMark, MemberRoots, Report, Sent, Turn } from "./member.ts";
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
  /** It can be returned to earlier states, or tells what a checkpoint keeps. */
  readonly keepsMarks: boolean;
  /** Where it goes on from instead of from power-on. */
  readonly resumed?: ProgramCheckpoint | undefined;
}

/** What a process was told, with the time. */
type Told =
  | { readonly kind: "woken"; readonly time: number }
  | { readonly kind: "received"; readonly time: number; readonly port: string; readonly bytes: Uint8Array }
  | { readonly kind: "commanded"; readonly time: number; readonly command: string };

/** A chain of what was told, the last first: marks share what came before. */
interface Chain {
  readonly told: Told;
  readonly before: Chain | undefined;
}

type Store = ReadonlyMap<string, Uint8Array>;

/** How a life began. */
interface Beginning {
  readonly time: number;
  readonly store: Store;
}

/** A point of a node that is a program. */
interface ProgramMark extends MemberMark {
  readonly beginning: Beginning | undefined;
  readonly chain: Chain | undefined;
  readonly lives: number;
  readonly told: number;
  readonly now: number;
  readonly next: number;
  readonly store: Store;
  readonly state: Uint8Array;
  /** What the first report will tell. */
  readonly events: readonly WorldEvent[];
  readonly sent: readonly Sent[];
}

/** A copy of what is stored, of which values that are in `known` are shared with that. */
function copyOf(store: Store, known: Store): Store {
  return new Map([...store].map(([key, bytes]) => {
    const other = known.get(key);
    return [key, other !== undefined && equalBytes(other, bytes) ? other : bytes.slice()];
  }));
}

const MOST_BYTES = 65536, MOST_STORED = 64 << 20;
const ZEROS = new Uint8Array(32), NO_BYTES = new Uint8Array(0);
const encoder = new TextEncoder();

/** A text cut to a number of bytes of UTF-8. */
function cut(text: string, most: number): string {
  return encoder.encode(text).length <= most ? text : `${text.slice(0, Math.floor(most / 4))}…`;
}

const entriesOf = (store: Store): StoredEntries => [...store];

/** A mark as a checkpoint has it. */
function checkpointOf(
  { beginning, chain, lives, told, now, next, store, state }: ProgramMark,
): ProgramCheckpoint {
  const all: Told[] = [];
  for (let link = chain; link !== undefined; link = link.before) all.push(link.told);
  return {
    ...{ kind: "program", lives, told, now, next: storedTime(next), store: entriesOf(store), state },
    life: beginning === undefined
      ? null
      : { time: beginning.time, store: entriesOf(beginning.store), told: all.reverse() },
  };
}

function markOf({ life, lives, told, now, next, store, state }: ProgramCheckpoint): ProgramMark {
  return {
    ...{ lives, told, now, next: timeFrom(next), store: new Map(store), state, events: [], sent: [] },
    beginning: life === null ? undefined : { time: life.time, store: new Map(life.store) },
    chain: life?.told.reduce<Chain | undefined>((before, told) => ({ told, before }), undefined),
  };
}

function isSameStore(one: Store, other: Store): boolean {
  return one.size === other.size &&
    [...one].every(([key, bytes]) => equalBytes(bytes, other.get(key) ?? NO_BYTES) && other.has(key));
}

/** A program as a node. */
export class ProgramMember implements Member, NodeSite {
  readonly #made: ProgramMemberOptions;
  readonly #options: unknown;
  readonly store: Map<string, Uint8Array> = new Map();
  #process: NodeProcess | undefined;
  #beginning: Beginning | undefined;
  #chain: Chain | undefined;
  /** What the store was when anybody looked last. */
  #known: Store = new Map();
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
    const parsed = made.program.options.safeParse(made.options);
    if (!parsed.success) {
      const issues = parsed.error.issues.map(({ path, message }) =>
        `${path.join(".") || "options"}: ${message}`
      );
      throw new WorldError(`Cannot set node "${made.name}" up: ${issues.join("; ")}`);
    }
    this.#options = parsed.data;
    if (made.resumed !== undefined) this.returnTo(markOf(made.resumed));
    else if (!made.isOff) this.#switch(true, "start");
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
    return wantsCheckpoint ? { ...report, checkpoint: checkpointOf(this.mark()) } : report;
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
  #tell(told: Told): void {
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
      if (this.#made.keepsMarks) this.#beginning = { time, store: this.#storeNow() };
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

  #storeNow(): Store {
    return this.#known = copyOf(this.store, this.#known);
  }

  #state(): Uint8Array {
    return this.#process === undefined ? NO_BYTES : encodeValue(this.#process.state()).slice();
  }

  mark(): ProgramMark {
    if (!this.#made.keepsMarks) throw new TypeError(`Node "${this.name}" keeps no marks`);
    return {
      ...{ beginning: this.#beginning, chain: this.#chain, lives: this.#lives, told: this.#told },
      ...{ now: this.#now, next: this.#next, store: this.#storeNow(), state: this.#state() },
      ...{ events: [...this.#events], sent: [...this.#sent] },
    };
  }

  returnTo(mark: ProgramMark): void {
    const { beginning, chain } = mark;
    this.#process = undefined;
    this.#next = Infinity;
    // The process may hold what is stored, which therefore is not replaced behind it.
    if (beginning === undefined) this.#put(mark.store);
    else if (this.#made.program.resume !== undefined) this.#resume(mark);
    else this.#startAgain(beginning, chain);
    const isSame = equalBytes(this.#state(), mark.state) && this.#next === mark.next &&
      isSameStore(this.store, mark.store);
    if (!isSame) {
      throw new WorldError(
        `Node "${this.name}": told the same again, program "${this.#made.program.name}" did something else; ` +
          `it may look at nothing but its site, and \`state\` is all that it keeps`,
      );
    }
    this.#known = mark.store;
    this.#events = [...mark.events];
    this.#sent = [...mark.sent];
    this.#beginning = beginning;
    this.#chain = chain;
    this.#lives = mark.lives;
    this.#told = mark.told;
    this.#now = mark.now;
    this.#next = mark.next;
  }

  #put(store: Store): void {
    this.store.clear();
    for (const [key, bytes] of store) this.store.set(key, bytes.slice());
    this.#known = store;
  }

  #resume({ state, store, now, next }: ProgramMark): void {
    this.#put(store);
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
    const all: Told[] = [];
    for (let link = chain; link !== undefined; link = link.before) all.push(link.told);
    this.#put(store);
    this.#now = time;
    this.#next = Infinity;
    this.#isAgain = true;
    try {
      this.#process = this.#made.program.start(this.#options, this);
      for (const told of all.reverse()) this.#againTold(told);
    } finally {
      this.#isAgain = false;
    }
  }

  #againTold(told: Told): void {
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
    this.#writeStore(writer);
    return sha256(writer.view());
  }

  #writeStore(writer: ByteWriter): void {
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
  }

  #roots(): MemberRoots {
    const writer = new ByteWriter();
    this.#writeStore(writer);
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
