/** A node that is a machine: its lives from power-on to power-off, each a run with a journal of its own. */
import { type BlockWriter, closeRoot, Recorder, type ResumedRun } from "../journal/recorder.ts";
import { checkpointPayloads, checkpointSpan } from "../journal/checkpoint.ts";
import { JournalWriter } from "../journal/file.ts";
import { sha256 } from "../journal/hash.ts";
import { History } from "../journal/history.ts";
import { type Depth, type Manifest, type RunEnd, storedManifest } from "../journal/payloads.ts";
import type { Sink } from "../journal/storage.ts";
import type { MachineImages } from "../machine/compose.ts";
import type { MachineConfiguration } from "../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../machine/errors.ts";
import type { Input } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import { Machine, type MachineOptions, type Snapshot } from "../machine/machine.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import type { DiskContents } from "../machine/storage/disk.ts";
import type { LinkKind } from "./description.ts";
import type { WorldEvent, WorldEventOf, WorldInput } from "./events.ts";
import type { Delivery, Member, MemberRoots, Report, Sent, Turn } from "./member.ts";
import { SerialLine } from "./serial_line.ts";

/** A port of a machine with a link. */
export interface MachinePort {
  /** Its name. */
  readonly port: string;
  /** What the link carries. */
  readonly carries: LinkKind;
  /** Nanoseconds in which bytes of a serial line go together. */
  readonly span: number;
}

/** What a node is made from. */
export interface MachineMemberOptions extends MachineOptions {
  /** Its number in the description. */
  readonly node: number;
  /** Its name, for messages. */
  readonly name: string;
  /** What machine it is. */
  readonly configuration: MachineConfiguration;
  /** Its images. */
  readonly images: MachineImages;
  /** Its ports with links. */
  readonly ports: readonly MachinePort[];
  /** It begins without power. */
  readonly isOff: boolean;
  /** How much its journals store; undefined for none. */
  readonly depth: Depth | undefined;
  /** Who records. */
  readonly recordedBy: string;
}

/** Keeps what is written until it is taken. */
class PieceSink implements Sink {
  #pieces: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
  }

  close(): void {}

  take(): Uint8Array {
    const size = this.#pieces.reduce((sum, { length }) => sum + length, 0), all = new Uint8Array(size);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    return all;
  }
}

/** From power-on to power-off. */
interface Life {
  readonly recorder: Recorder;
  readonly sink: PieceSink | undefined;
  /** The world's time at power-on. */
  readonly start: number;
}

/** What survives a loss of power: disks by id, pages of the flash banks. */
interface Durable {
  readonly disks: ReadonlyMap<string, DiskContents>;
  readonly flash: ReadonlyMap<number, Uint8Array | undefined>;
}

/** Memory that survives a loss of power. */
const FLASH = /^flash/;
const NO_BYTES = new Uint8Array(0);
const ZEROS = new Uint8Array(32);

/** Numbers of the pages of flash banks that are files of the configuration; with `-bios` nothing survives. */
function flashPages({ configuration, board }: Machine, { pages }: Pick<Snapshot, "pages">): number[] {
  if (configuration.boot.pflash.length === 0) return [];
  const banks = board.memory.regions.filter(({ name }) => FLASH.test(name));
  return [...pages.keys()].filter((page) =>
    banks.some(({ hostOffset, size }) =>
      page * PAGE_SIZE >= hostOffset && page * PAGE_SIZE < hostOffset + size
    )
  );
}

/** What a machine keeps without power, if it can keep anything. */
function durableOf(machine: Machine): Durable | undefined {
  const { board: { disks }, configuration: { boot } } = machine;
  if (disks.size === 0 && boot.pflash.length === 0) return undefined;
  const snapshot = machine.snapshot();
  return {
    disks: new Map(
      [...snapshot.disks].map(([id, { durable }]) => [id, { durable, volatile: new Map() }]),
    ),
    flash: new Map(flashPages(machine, snapshot).map((page) => [page, snapshot.pages.get(page)])),
  };
}

/** Puts a machine that was powered on in the state in which its disks and flash banks are as they were left. */
function restoreDurable(machine: Machine, { disks, flash }: Durable): void {
  const fresh = machine.snapshot();
  const erased = flashPages(machine, fresh).filter((page) => !flash.has(page));
  const changes = new Map([...flash, ...erased.map((page) => [page, undefined] as const)]);
  machine.restore({ ...fresh, disks, pages: fresh.pages.with(changes) });
}

/** A machine as a node. */
export class MachineMember implements Member {
  readonly #options: MachineMemberOptions;
  readonly #line: SerialLine | undefined;
  #life: Life | undefined;
  #lives = 0;
  #durable: Durable | undefined;
  /** Roots of the last life's end. */
  #last: Pick<MemberRoots, "stateRoot" | "historyRoot"> = { stateRoot: ZEROS, historyRoot: ZEROS };
  #now = 0;
  #next = 0;
  /** No CPU could run when it came back. */
  #isIdle = false;
  #events: WorldEvent[] = [];
  #sent: Sent[] = [];
  #console: number[] = [];
  #journal: { life: number; bytes: Uint8Array }[] = [];

  /** Nothing is built before the first turn, but a machine that has power is tried. Throws ConfigurationError. */
  constructor(options: MachineMemberOptions) {
    this.#options = options;
    const serial = options.ports.find(({ carries }) => carries === "serial");
    this.#line = serial && new SerialLine(serial.span);
    if (options.isOff) this.#next = Infinity;
    else this.#powerOn(0, "start");
  }

  get #time(): number {
    const { recorder, start } = this.#life as Life;
    return start + recorder.machine.virtualTime;
  }

  #powerOn(time: number, cause: WorldEventOf<"nodePoweredOn">["cause"]): void {
    const { node, depth, recordedBy, images } = this.#options;
    const seconds = (this.#options.configuration.rtcBase + Math.floor(time / 1e9)) % 2 ** 32;
    const configuration = { ...this.#options.configuration, rtcBase: seconds };
    const manifest: Manifest = { configuration, depth: depth ?? "inputs", recordedBy };
    const sink = depth === undefined ? undefined : new PieceSink();
    const writer = sink === undefined ? { append: () => {}, finish: () => {} } : new JournalWriter(sink);
    const resumed = this.#durable && this.#restarted(manifest, this.#durable, writer);
    const recorder = new Recorder(manifest, images, writer, {
      ...this.#options,
      ...resumed === undefined ? {} : { resumed },
    });
    this.#life = { recorder, sink, start: time };
    this.#connect(recorder.machine, time);
    this.#events.push({ kind: "nodePoweredOn", time, node, life: this.#lives++, cause });
    this.#next = time;
  }

  /** A machine at power-on with what its disks and flash banks kept; its journal begins with that as a checkpoint. */
  #restarted(manifest: Manifest, durable: Durable, writer: BlockWriter): ResumedRun {
    const machine = new Machine(manifest.configuration, this.#options.images, this.#options);
    restoreDurable(machine, durable);
    const history = new History(), root = closeRoot(machine, history);
    writer.append("configuration", storedManifest(manifest));
    for (const payload of checkpointPayloads(machine, machine.snapshot(), root)) {
      writer.append("checkpoint", payload, checkpointSpan(root));
    }
    return { machine, history, parts: root.parts };
  }

  /** Plugs the links in. Throws ConfigurationError for a port that the machine has not. */
  #connect({ board }: Machine, start: number): void {
    const { name, ports } = this.#options;
    const send = (port: string, bytes: Uint8Array): void =>
      void this.#sent.push({ port, time: start + board.clock.now, bytes: bytes.slice() });
    board.transmitted = (byte) => {
      this.#console.push(byte);
      this.#line?.add(byte, start + board.clock.now);
    };
    const named = new Set(ports.filter(({ carries }) => carries === "message").map(({ port }) => port));
    board.messaged = (port, bytes) => {
      if (named.has(port)) send(port, bytes);
    };
    for (const { port } of ports.filter(({ carries }) => carries === "network")) {
      const cable = board.bridges.get(port);
      if (cable === undefined) {
        const there = [...board.bridges.keys()].join(", ") || "none";
        throw new ConfigurationError(
          `Node "${name}" has no network "${port}" that leads out of it: there are ${there} (-netdev link,id=${port})`,
        );
      }
      cable.carried = (frame) => send(port, frame);
    }
  }

  advance({ until, deliveries, wantsRoots }: Turn): Report {
    for (const delivery of deliveries) {
      this.#runTo(delivery.time);
      this.#deliver(delivery);
    }
    this.#runTo(until);
    if (wantsRoots) this.#wait(until);
    for (const { time, bytes } of this.#line?.take(until) ?? []) {
      this.#sent.push({ port: "console", time, bytes });
    }
    return this.#report(wantsRoots);
  }

  /** Runs to the first step boundary not before a time; where no CPU can run before, time stays where it is. */
  #runTo(time: number): void {
    while (this.#life !== undefined) {
      const { recorder, start } = this.#life, { machine } = recorder, until = time - start;
      if (machine.virtualTime >= until) {
        // Where it is idle, what it waits for is known from the turn before.
        if (!this.#isIdle || this.#next <= this.#time) this.#next = this.#time;
        return;
      }
      this.#isIdle = false;
      const stop = recorder.run(Infinity, true, until);
      if (stop.reason === "poweredOff") return this.#powerOff("guest", stop.exitCode);
      if (stop.reason === "resting" || (stop.reason === "waiting" && stop.deadline >= until)) {
        this.#next = stop.reason === "resting" ? Infinity : start + stop.deadline;
        this.#isIdle = true;
        return;
      }
      if (stop.reason === "waiting") machine.wait(until);
    }
  }

  /** Passes idle time; comes only where nothing is due before. */
  #wait(time: number): void {
    if (this.#life === undefined) return;
    const { recorder: { machine }, start } = this.#life;
    if (machine.virtualTime < time - start) machine.wait(time - start);
  }

  #deliver(delivery: Delivery): void {
    const { node } = this.#options, { time } = delivery;
    if (delivery.kind === "input") {
      const { number, input } = delivery;
      this.#events.push({ kind: "inputGiven", time, node, number, input });
      const reason = this.#give(input, time);
      if (reason !== undefined) this.#events.push({ kind: "inputRefused", time, node, number, reason });
      return;
    }
    const { link, end, sequence } = delivery, address = { time, node, link, end, sequence };
    if (delivery.carries !== "power" && this.#life === undefined) {
      this.#events.push({ kind: "messageLost", ...address, reason: "off" });
      return;
    }
    const reason = this.#receive(delivery);
    if (reason === undefined) this.#events.push({ kind: "messageDelivered", ...address });
    else this.#events.push({ kind: "messageLost", ...address, reason: "refused" });
  }

  /** Gives an input from outside; why it was refused, if it was. */
  #give(input: WorldInput, time: number): string | undefined {
    if (input.kind === "machine") return this.#submit(input.input, time);
    if (input.kind === "power") return this.#switch(input.isOn, time, "input");
    return "a machine takes no commands; give it an input of machines";
  }

  #receive({ carries, port, bytes, time }: Delivery & { readonly kind: "message" }): string | undefined {
    switch (carries) {
      case "network":
        return this.#submit({ kind: "networkFrameReceived", network: port, bytes }, time);
      case "serial":
        return this.#submit({ kind: "consoleReceived", bytes }, time);
      case "message":
        return this.#submit({ kind: "messageReceived", port, bytes }, time);
      case "power": {
        const word = new TextDecoder().decode(bytes);
        if (!["on", "off", "cycle"].includes(word)) return "power is on, off or cycle";
        if (word !== "on") this.#switch(false, time, "link");
        return word === "off" ? undefined : this.#switch(true, time, "link");
      }
    }
  }

  #switch(isOn: boolean, time: number, cause: "input" | "link"): string | undefined {
    if (isOn === (this.#life !== undefined)) return `the power is ${isOn ? "on" : "off"} already`;
    if (isOn) this.#powerOn(time, cause);
    else {
      this.#submit({ kind: "powerCut" }, time);
      this.#powerOff(cause, 0, time);
    }
    return undefined;
  }

  #submit(input: Input, time: number): string | undefined {
    if (this.#life === undefined) return "it has no power";
    this.#isIdle = false;
    const { recorder: { machine }, start } = this.#life;
    try {
      machine.submit(input, Math.max(machine.virtualTime, time - start));
      return undefined;
    } catch (error) {
      if (error instanceof InputRefusedError) return error.message.slice(0, 1000);
      throw error;
    }
  }

  /** The power is gone: keeps what survives it, and ends the life's journal. */
  #powerOff(cause: WorldEventOf<"nodePoweredOff">["cause"], exitCode: number, time = this.#time): void {
    const { recorder } = this.#life as Life, { machine } = recorder;
    this.#now = Math.max(this.#now, this.#time);
    this.#durable = durableOf(machine);
    const { stateRoot, historyRoot } = this.#end(cause === "guest" ? "poweredOff" : "powerCut", exitCode);
    this.#last = { stateRoot, historyRoot };
    const { node } = this.#options;
    this.#events.push({
      kind: "nodePoweredOff",
      ...{ time, node, life: this.#lives - 1, cause, exitCode },
    });
    this.#life = undefined;
    this.#next = Infinity;
  }

  /** Ends the journal of the present life. */
  #end(reason: RunEnd["reason"], exitCode = 0, waiting = false): RunEnd {
    const life = this.#life as Life;
    const end = life.recorder.finish(reason, exitCode, waiting);
    this.#takeJournal();
    return end;
  }

  #takeJournal(): void {
    const bytes = this.#life?.sink?.take();
    if (bytes !== undefined && bytes.length > 0) this.#journal.push({ life: this.#lives - 1, bytes });
  }

  finish(): Report {
    if (this.#life !== undefined) {
      this.#end("instant", 0, this.#isIdle);
      this.#life = undefined;
    }
    return this.#report(false);
  }

  #roots(): MemberRoots {
    const isOn = this.#life !== undefined;
    const roots = this.#life?.recorder.peekRoots() ?? this.#last, line = this.#line?.waiting ?? [];
    const base = { lives: this.#lives, isOn, historyRoot: roots.historyRoot };
    if (line.length === 0) return { ...base, stateRoot: roots.stateRoot };
    const writer = new ByteWriter();
    for (const { time, bytes } of line) {
      writer.u53(time);
      writer.u32(bytes.length);
      writer.raw(bytes);
    }
    return { ...base, stateRoot: sha256(roots.stateRoot, writer.view()) };
  }

  #report(wantsRoots: boolean): Report {
    if (this.#life !== undefined) this.#now = Math.max(this.#now, this.#time);
    if (wantsRoots && this.#life !== undefined) this.#life.recorder.flush();
    this.#takeJournal();
    const report: Report = {
      events: this.#events,
      sent: this.#sent,
      next: Math.min(this.#next, this.#line?.next ?? Infinity),
      now: this.#now,
      roots: wantsRoots ? this.#roots() : undefined,
      journal: this.#journal,
      console: this.#console.length === 0 ? NO_BYTES : Uint8Array.from(this.#console),
    };
    this.#events = [];
    this.#sent = [];
    this.#journal = [];
    this.#console = [];
    return report;
  }
}
