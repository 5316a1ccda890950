/**
 * An enclave: a program in Secure memory, its state while no CPU has it, and the turn of the CPU that has it. Which CPU
 * that is, what its normal world left, and what the program's counter is, are its own; who asks for turns is not.
 */
import { ByteReader, bytes, ByteWriter, flag, record, u64, u8 } from "../../../../machine/layout.ts";
import type { TrapMonitor } from "../../../monitor.ts";
import { performSystem } from "../../../own_memory.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { LEFT } from "./calls.ts";
import type { Planted } from "./planted.ts";
import type { ProgramHeader } from "./program_image.ts";
import {
  applyProgram,
  captureProgram,
  decodeProgram,
  encodeProgram,
  type ProgramState,
} from "./program_state.ts";
import type { SecureSpace } from "./secure_space.ts";
import { bringWorldBack, enterSecureWorld, putWorldAway, worldLayout } from "./world_switch.ts";

/** PSTATE of an enclave: EL0, all interrupts masked, which those to EL3 do not ask. */
const EL0_STATE = 0x3c0n;
/** Nobody runs it. */
const NOBODY = 255;

const layout = record({
  /** Of a program that is here. */
  state: bytes(1 << 14),
  /** The CPU that runs it. */
  runner: u8,
  /** What the runner's normal world left. */
  world: worldLayout,
  /** CNTPCT_EL0 less the program's counter. */
  offset: u64,
  /** Its tables are new to the CPUs' translation lookaside buffers. */
  isFresh: flag,
});

/** Where a program stopped. */
export interface Stopped {
  /** Its program counter. */
  readonly pc: bigint;
  /** Its PSTATE, as an exception saves it. */
  readonly state: bigint;
}

/** The enclave of a host, which may be without a program. */
export class Enclave {
  #state: ProgramState | undefined;
  #header: ProgramHeader | undefined;
  #runner = NOBODY;
  #world: bigint[] = [];
  #offset = 0n;
  #isFresh = false;

  /** `space` is its memory. */
  constructor(
    private readonly monitor: TrapMonitor,
    readonly space: SecureSpace,
    private readonly planted: Planted | undefined,
  ) {}

  /** The program's state where no CPU has it; undefined for no program. */
  get state(): ProgramState | undefined {
    return this.#state;
  }

  /** The program's header; undefined for no program. */
  get header(): ProgramHeader | undefined {
    return this.#header;
  }

  /** The CPU that has it; nobody's number is no CPU's. */
  get runner(): number {
    return this.#runner;
  }

  /** A CPU has it. */
  get isRunning(): boolean {
    return this.#runner !== NOBODY;
  }

  /** Power-on. */
  reset(): void {
    this.#runner = NOBODY;
    this.#world = [];
    this.forget();
  }

  /** There is no program here. */
  forget(): void {
    this.#state = this.#header = undefined;
    this.#offset = 0n;
    this.#isFresh = false;
  }

  /** Tells what became of it. */
  tell(change: "created" | "entered" | "left" | "destroyed", detail = "", cpu = 0): void {
    this.monitor.site.events.emit("enclaveChanged", cpu, { change, detail });
  }

  /** The program is here; its counter goes on from what it was. */
  have(state: ProgramState, header: ProgramHeader): void {
    this.#state = state;
    this.#header = header;
    this.continueCounter();
    this.#isFresh = true;
  }

  // Its counter.

  get #count(): bigint {
    return this.monitor.site.cpus[0]!.timer.count();
  }

  /** The program's counter. */
  get counter(): bigint {
    return BigInt.asUintN(64, this.#count - this.#offset);
  }

  /** The machine's counter when the program's is at a value. */
  countAt(counter: bigint): bigint {
    return BigInt.asUintN(64, counter + this.#offset);
  }

  /** The program's counter goes on from where its state has it. */
  continueCounter(): void {
    if (this.#state !== undefined) this.#offset = BigInt.asUintN(64, this.#count - this.#state.counter);
  }

  // A turn.

  /** Gives it a CPU of the normal world. */
  enter(vcpu: Vcpu): void {
    const state = this.#state as ProgramState;
    this.#world = putWorldAway(vcpu);
    this.#runner = vcpu.index;
    enterSecureWorld(vcpu, this.space.registers);
    if (this.#isFresh) performSystem(vcpu.cpu, "tlbi alle1is");
    this.#isFresh = false;
    applyProgram(vcpu, state);
    this.goTo(vcpu, { pc: state.pc, state: state.flags });
    this.tell("entered", "", vcpu.index);
  }

  /** It goes on at EL0. */
  goTo(vcpu: Vcpu, { pc, state }: Stopped): void {
    vcpu.returnAddress = pc;
    vcpu.savedState = state | EL0_STATE;
  }

  /** Gives the CPU back, with results in X0 on. */
  leave(vcpu: Vcpu, { pc, state }: Stopped, results: readonly bigint[]): void {
    const { header, measurement } = this.#state as ProgramState, { counter } = this;
    this.#state = captureProgram(vcpu, { header, measurement }, { pc, state, counter });
    const left = vcpu.x(9);
    bringWorldBack(vcpu, this.#world);
    if (this.planted === "left-register") vcpu.cpu.registers.setX(9, left);
    // It was for the enclave, and something else was first.
    vcpu.cpu.serrorPending = false;
    this.#world = [];
    this.#runner = NOBODY;
    for (const [n, value] of results.entries()) vcpu.setX(n, value);
    const reason = Object.keys(LEFT)[Number(results[0])] ?? "";
    this.tell("left", reason, vcpu.index);
  }

  /** What a section has. */
  save(): Uint8Array {
    const writer = new ByteWriter(), state = this.#state;
    layout.write(writer, {
      state: state === undefined ? new Uint8Array(0) : encodeProgram(state),
      ...{ runner: this.#runner, world: [...this.#world], offset: this.#offset, isFresh: this.#isFresh },
    });
    return writer.view().slice();
  }

  /** Restores it. */
  restore(saved: Uint8Array): void {
    const { state, runner, world, offset, isFresh } = layout.read(new ByteReader(saved));
    const found = state.length === 0 ? undefined : decodeProgram(state);
    this.#state = found?.state;
    this.#header = found?.header;
    this.#runner = runner;
    this.#world = world;
    this.#offset = offset;
    this.#isFresh = isFresh;
  }
}
