/** A node that is a machine: its lives from power-on to power-off, each a run with a journal of its own. */
import { JournalFormatError } from "../journal/errors.ts";
import { equalBytes, sha256 } from "../journal/hash.ts";
import type { RunEnd } from "../journal/payloads.ts";
import { InputRefusedError } from "../machine/errors.ts";
import type { Input } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { Machine } from "../machine/machine.ts";
import { type MachineCheckpoint, timeFrom } from "./checkpoint.ts";
import { type Durable, durableOf, durableRootOf } from "./durable.ts";
import type { WorldEvent, WorldEventOf, WorldInput } from "./events.ts";
import { LifeClock, timeOf } from "./life_clock.ts";
import { type Life, Lives } from "./lives.ts";
import { machineCheckpoint, type MachineMark } from "./machine_mark.ts";
import type { MachineMemberOptions, ResumedMachine } from "./machine_options.ts";
import { MachinePorts } from "./machine_ports.ts";
import type { Delivery, Member, MemberRoots, Report, Turn } from "./member.ts";

const ZEROS = new Uint8Array(32);

/** A machine as a node. */
export class MachineMember implements Member {
  readonly #options: MachineMemberOptions;
  readonly #lives: Lives;
  readonly #ports: MachinePorts;
  #life: Life | undefined;
  /** Lives it has had. */
  #count = 0;
  #durable: Durable | undefined;
  /** Roots of the last life's end. */
  #last: Pick<MemberRoots, "stateRoot" | "historyRoot"> = { stateRoot: ZEROS, historyRoot: ZEROS };
  readonly #clock = new LifeClock();
  #events: WorldEvent[] = [];
  #journal: { life: number; bytes: Uint8Array }[] = [];

  /** Nothing is built before the first turn, but a machine that has power is tried. Throws ConfigurationError. */
  constructor(options: MachineMemberOptions) {
    this.#options = options;
    this.#lives = new Lives(options);
    this.#ports = new MachinePorts(options);
    if (options.resumedAt !== undefined) this.#resume(options.resumedAt);
    else if (options.isOff) this.#clock.next = Infinity;
    else this.#powerOn(0, "start");
  }

  #powerOn(time: number, cause: WorldEventOf<"nodePoweredOn">["cause"]): void {
    this.#live(this.#lives.begin(time, this.#durable));
    const { node } = this.#options;
    this.#events.push({ kind: "nodePoweredOn", time, node, life: this.#count++, cause });
    this.#clock.next = time;
  }

  #live(life: Life): void {
    this.#life = life;
    this.#clock.acted();
    this.#ports.connect(life.recorder.machine, life.start);
  }

  advance({ until, deliveries, wantsRoots, wantsCheckpoint = false }: Turn): Report {
    for (const delivery of deliveries) {
      this.#runTo(delivery.time);
      this.#deliver(delivery);
    }
    this.#runTo(until);
    if (wantsRoots && this.#life !== undefined) this.#clock.wait(this.#life, until);
    this.#ports.gather(until);
    const report = this.#report(wantsRoots);
    return wantsCheckpoint ? { ...report, checkpoint: this.#checkpoint() } : report;
  }

  #checkpoint(): MachineCheckpoint {
    return machineCheckpoint(this.#count, this.#life, this.#clock.mark(), this.#ports.line?.mark());
  }

  /** Goes on from a checkpoint of a recorded world. Throws JournalError where a journal is not what the root says. */
  #resume({ checkpoint, roots, journalOf, block }: ResumedMachine): void {
    const { lives, now, next, isIdle, line, life } = checkpoint;
    this.#count = lives;
    this.#clock.returnTo({ now, next: timeFrom(next), isIdle });
    this.#last = roots;
    if (line !== null) this.#ports.line?.returnTo({ ...line, bytes: [...line.bytes] });
    if (life === null && lives > 0) {
      this.#durable = this.#lives.durableAfter(journalOf(lives - 1));
    }
    if (life !== null) {
      const resumed = this.#lives.resume(life, journalOf(lives - 1), journalOf(lives - 1, block));
      this.#live(resumed.life);
      if (resumed.hasWaited) this.#clock.waited(resumed.life);
    }
    const found = this.#roots(), { name } = this.#options;
    if (equalBytes(found.stateRoot, roots.stateRoot) && equalBytes(found.historyRoot, roots.historyRoot)) {
      return;
    }
    throw new JournalFormatError(
      `Cannot go on from the world's checkpoint: node "${name}" is not in the state that the root there names`,
    );
  }

  #runTo(time: number): void {
    if (this.#life === undefined) return;
    const exitCode = this.#clock.runTo(this.#life, time);
    if (exitCode !== undefined) this.#powerOff("guest", exitCode);
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
    this.#clock.isIdle = false;
    this.#clock.acted();
    const { recorder: { machine }, start } = this.#life;
    try {
      machine.submit(input, Math.max(machine.virtualTime, time - start));
      this.#life.inputs++;
      return undefined;
    } catch (error) {
      if (error instanceof InputRefusedError) return error.message.slice(0, 1000);
      throw error;
    }
  }

  /** The power is gone: keeps what survives it, and ends the life's journal. */
  #powerOff(
    cause: WorldEventOf<"nodePoweredOff">["cause"],
    exitCode: number,
    time = timeOf(this.#life as Life),
  ): void {
    const { recorder } = this.#life as Life, { machine } = recorder;
    this.#clock.look(this.#life as Life);
    this.#durable = durableOf(machine);
    const { stateRoot, historyRoot } = this.#end(cause === "guest" ? "poweredOff" : "powerCut", exitCode);
    this.#last = { stateRoot, historyRoot };
    const { node } = this.#options;
    this.#events.push({
      kind: "nodePoweredOff",
      ...{ time, node, life: this.#count - 1, cause, exitCode },
    });
    this.#life = undefined;
    this.#clock.next = Infinity;
  }

  /** Ends the journal of the present life. */
  #end(reason: RunEnd["reason"], exitCode = 0, waiting = false): RunEnd {
    const life = this.#life as Life;
    const end = life.recorder.finish(reason, exitCode, waiting);
    life.recorder.release();
    this.#takeJournal();
    return end;
  }

  #takeJournal(): void {
    const bytes = this.#life?.sink?.take();
    if (bytes !== undefined && bytes.length > 0) this.#journal.push({ life: this.#count - 1, bytes });
  }

  mark(): MachineMark {
    if (!this.#options.keepsMarks) throw new TypeError(`Node "${this.#options.name}" keeps no marks`);
    const life = this.#life, snapshot = life?.recorder.machine.snapshot();
    return {
      snapshot,
      life: life && snapshot && { start: life.start, snapshot, history: life.recorder.copyHistory() },
      lives: this.#count,
      durable: this.#durable,
      last: this.#last,
      ...this.#clock.mark(),
      line: this.#ports.line?.mark(),
      events: [...this.#events],
    };
  }

  returnTo(mark: MachineMark): void {
    this.#life?.recorder.release();
    this.#life = undefined;
    if (mark.life !== undefined) this.#live(this.#lives.returnTo(mark.life));
    this.#count = mark.lives;
    this.#durable = mark.durable;
    this.#last = mark.last;
    this.#clock.returnTo(mark);
    this.#events = [...mark.events];
    if (mark.line !== undefined) this.#ports.line?.returnTo(mark.line);
  }

  /** Of what a power cut would leave, or has left. */
  durableRoot(): Uint8Array {
    const durable = this.#life === undefined ? this.#durable : durableOf(this.#life.recorder.machine);
    return durable === undefined ? ZEROS : durableRootOf(durable);
  }

  /** The machine while it has power, to be looked at. */
  get machine(): Machine | undefined {
    return this.#life?.recorder.machine;
  }

  finish(): Report {
    if (this.#life !== undefined) {
      this.#end("instant", 0, this.#clock.isIdle || this.#clock.hasWaited(this.#life));
      this.#life = undefined;
    }
    return this.#report(false);
  }

  #roots(): MemberRoots {
    const isOn = this.#life !== undefined;
    const roots = this.#life?.recorder.peekRoots() ?? this.#last, line = this.#ports.line?.waiting ?? [];
    const base = { lives: this.#count, isOn, historyRoot: roots.historyRoot };
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
    if (this.#life !== undefined) this.#clock.look(this.#life);
    if (wantsRoots && this.#life !== undefined) this.#life.recorder.flush();
    this.#takeJournal();
    const report: Report = {
      events: this.#events,
      next: Math.min(this.#clock.next, this.#ports.line?.next ?? Infinity),
      now: this.#clock.now,
      roots: wantsRoots ? this.#roots() : undefined,
      journal: this.#journal,
      ...this.#ports.take(),
    };
    this.#events = [];
    this.#journal = [];
    return report;
  }
}
