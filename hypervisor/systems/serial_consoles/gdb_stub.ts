/** A GDB remote stub on the line: the guest's registers and memory, breakpoints, steps (GDB manual, appendix E). */
import {
  encodePacket,
  hexByte,
  latin1Bytes,
  PACKET_SIZE,
  PacketReader,
} from "../../../machine/debugger_packets.ts";
import { bytes, flag, listOf, record, u8 } from "../../../machine/layout.ts";
import type { FieldKind, ValueOf } from "../../../machine/layout.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Exit } from "../../exit.ts";
import type { Vcpu } from "../../vcpu.ts";
import { GuestHold, holdFields, type HoldReason } from "./gdb_hold.ts";
import { GdbMemory } from "./gdb_memory.ts";
import { type Answer, carryOut, ERROR, hexNumber, OK } from "./gdb_packets.ts";

const fields = {
  hold: holdFields,
  /** What came of a packet that is not whole. */
  partial: bytes(2 * PACKET_SIZE),
  last: bytes(2 * PACKET_SIZE),
  acknowledges: flag,
  saysBreakpoint: flag,
  /** CPUs by number: of registers and memory, of steps; `runs` while the client waits for a stop. */
  selected: u8,
  stepped: listOf(u8, 1),
  runs: flag,
};

/** The stub's state. */
export type GdbStubState = ValueOf<typeof fields>;

/** The layout of the state in a section. */
export const gdbStubFields: FieldKind<GdbStubState> = record(fields);

const SIGINT = 2, SIGTRAP = 5;

/** The stub of one guest. */
export class GdbStub {
  readonly #monitor: El2Monitor;
  readonly #hold: GuestHold;
  /** The guest's memory. */
  readonly memory: GdbMemory;
  #reader = new PacketReader();
  #partial: number[] = [];
  #last: Uint8Array = new Uint8Array(0);
  /** Packets are acknowledged. */
  acknowledges = true;
  #saysBreakpoint = false;
  /** The CPU of registers and memory. */
  selected = 0;
  #stepped: number | undefined;
  #runs = false;

  /** `send` takes bytes for the line. */
  constructor(monitor: El2Monitor, private readonly send: (bytes: Uint8Array) => void) {
    this.#monitor = monitor;
    this.#hold = new GuestHold(monitor, (vcpu, reason) => this.#stopped(vcpu, reason));
    this.memory = new GdbMemory(monitor.site, this.#hold);
  }

  /** How many CPUs there are. */
  get cpus(): number {
    return this.#monitor.site.cpus.length;
  }

  /** The guest stands still. */
  get isHeld(): boolean {
    return this.#hold.isHeld;
  }

  /** The line is the stub's: the guest stops. */
  enter(vcpu: Vcpu): void {
    this.#begin();
    this.#hold.hold(vcpu);
  }

  #begin(): void {
    this.#reader = new PacketReader();
    this.#partial = [];
    this.#last = new Uint8Array(0);
    this.acknowledges = true;
    this.#saysBreakpoint = this.#runs = false;
    this.selected = 0;
    this.#stepped = undefined;
  }

  /** The guest goes on, without breakpoints. */
  leave(vcpu: Vcpu): void {
    this.#hold.removeAll(vcpu);
    this.#hold.release(vcpu);
    this.#runs = false;
  }

  /** Takes a byte of the line. */
  receive(vcpu: Vcpu, byte: number): void {
    if (this.#partial.length < 2 * PACKET_SIZE) this.#partial.push(byte);
    for (const incoming of this.#reader.push(Uint8Array.of(byte))) {
      this.#partial = [];
      if (incoming.kind === "interrupt") this.#interrupted(vcpu);
      else if (incoming.kind === "refused") this.send(this.#last);
      else if (incoming.kind === "damaged" && this.acknowledges) this.send(latin1Bytes("-"));
      else if (incoming.kind === "packet") this.#packet(vcpu, incoming.payload);
    }
  }

  #interrupted(vcpu: Vcpu): void {
    if (this.#hold.isHeld) return;
    this.#hold.hold(vcpu);
    this.selected = vcpu.index;
    this.#reply(this.stopReply(SIGINT));
  }

  #packet(vcpu: Vcpu, payload: string): void {
    if (this.acknowledges) this.send(latin1Bytes("+"));
    // A client that speaks although it waits for nothing is a new one, after one that left.
    if (!this.#hold.isHeld && !this.#runs) this.#hold.hold(vcpu);
    const answer = carryOut(this, vcpu, payload);
    if (answer !== undefined) this.#reply(answer);
  }

  #reply(payload: string): void {
    this.#last = encodePacket(payload);
    this.send(this.#last);
  }

  #stopped(vcpu: Vcpu, reason: HoldReason): void {
    this.#hold.hold(vcpu);
    this.selected = vcpu.index;
    if (!this.#runs) return;
    this.#reply(this.stopReply(SIGTRAP, reason === "breakpoint" && this.#saysBreakpoint ? "swbreak:;" : ""));
  }

  /** Why the guest stands still. */
  stopReply(signal = SIGTRAP, reason = ""): string {
    this.#runs = false;
    return `T${hexByte(signal)}${reason}thread:${(this.selected + 1).toString(16)};`;
  }

  /** What both can do. */
  supported(features: string): string {
    this.#saysBreakpoint = features.split(";").includes("swbreak+");
    return `PacketSize=${
      PACKET_SIZE.toString(16)
    };qXfer:features:read+;QStartNoAckMode+;swbreak+;vContSupported+`;
  }

  /** The selected CPU; `vcpu` is in the handler. */
  cpu(vcpu: Vcpu) {
    return this.#hold.cpu(vcpu, this.selected);
  }

  /** The CPU of a thread's number; undefined for one that there is not. */
  threadOf(text: string): number | undefined {
    const number = hexNumber(text);
    return number !== undefined && number >= 1n && number <= BigInt(this.cpus)
      ? Number(number) - 1
      : undefined;
  }

  /** The CPU that `s` steps. */
  get stepThread(): number {
    return this.#stepped ?? this.selected;
  }

  /** `Hg` and `Hc`. */
  select(rest: string): string {
    const isAny = /^.(-1|0)$/.test(rest), thread = this.threadOf(rest.slice(1));
    if (thread === undefined && !isAny) return ERROR;
    if (rest[0] === "c") this.#stepped = thread;
    else if (thread !== undefined) this.selected = thread;
    return OK;
  }

  #goFrom(vcpu: Vcpu, index: number, address: string): void {
    const pc = hexNumber(address), cpu = this.#hold.cpu(vcpu, index);
    if (pc !== undefined) cpu.place = { ...cpu.place, pc };
  }

  /** All CPUs go on. */
  proceed(vcpu: Vcpu, address = ""): undefined {
    this.#goFrom(vcpu, this.selected, address);
    this.#runs = true;
    this.#hold.release(vcpu);
  }

  /** One CPU takes a step; the others wait. */
  step(vcpu: Vcpu, index: number, address = ""): undefined {
    this.#goFrom(vcpu, index, address);
    this.#runs = true;
    this.#hold.step(vcpu, index);
  }

  /** `vCont`: a step for the first CPU that is to take one, else all go on. */
  continueEach(vcpu: Vcpu, rest: string): Answer {
    for (const action of rest.split(";")) {
      const [, letter, thread] = /^([csCS])[0-9a-f]{0,2}(?::(-?[0-9a-f]+))?$/i.exec(action) ?? [];
      if (letter === undefined) return ERROR;
      if (letter.toLowerCase() === "s") {
        return this.step(
          vcpu,
          thread === undefined ? this.stepThread : this.threadOf(thread) ?? this.selected,
        );
      }
    }
    return this.proceed(vcpu);
  }

  /** Inserts or removes a breakpoint; only those in memory are known. */
  point(vcpu: Vcpu, rest: string, inserts: boolean): string {
    const [, type, digits] = /^([0-4]),([0-9a-f]{1,16}),/i.exec(rest) ?? [], address = hexNumber(digits);
    if (type !== "0" || address === undefined) return "";
    if (!inserts) this.#hold.remove(vcpu, address);
    return !inserts || this.#hold.insert(vcpu, this.selected, address) ? OK : ERROR;
  }

  /** Before an exit is handled; true when it was the debugger's. */
  exit(vcpu: Vcpu, exit: Exit): boolean {
    return this.#hold.exit(vcpu, exit);
  }

  /** Before the guest goes on. */
  returning(vcpu: Vcpu): void {
    this.#hold.returning(vcpu);
  }

  /** Power-on state. */
  reset(): void {
    this.#begin();
    this.#hold.reset();
  }

  /** The state. */
  save(): GdbStubState {
    return {
      hold: this.#hold.save(),
      partial: Uint8Array.from(this.#partial),
      last: this.#last,
      acknowledges: this.acknowledges,
      saysBreakpoint: this.#saysBreakpoint,
      selected: this.selected,
      stepped: this.#stepped === undefined ? [] : [this.#stepped],
      runs: this.#runs,
    };
  }

  /** Restores what `save` gave. */
  restore(state: GdbStubState): void {
    this.#hold.restore(state.hold);
    this.#reader = new PacketReader();
    this.#reader.push(state.partial);
    this.#partial = [...state.partial];
    this.#last = state.last;
    this.acknowledges = state.acknowledges;
    this.#saysBreakpoint = state.saysBreakpoint;
    this.selected = state.selected;
    this.#stepped = state.stepped[0];
    this.#runs = state.runs;
  }
}
