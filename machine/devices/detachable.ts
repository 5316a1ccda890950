/** A device behind a gate: while it is shut its addresses meet nothing, and a stand-in may drive its interrupt. */
import { bytes, flag } from "../layout.ts";
import type { AccessContext, DeviceRange, PhysicalMemory } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device, InterruptLine } from "./device.ts";

/** A device that can go on from where another of its kind is. */
export interface Movable extends Device {
  /** Takes over registers, what it waits for and what it had to do; drives its line accordingly. */
  takeOver(other: this): void;
  /** Takes bytes from outside, where it is a serial port. */
  receive?(bytes: Uint8Array): void;
}

/** What a gate stands between. */
export interface DetachableOptions {
  /** Memory whose bus the device is on. */
  readonly memory: PhysicalMemory;
  /** The device's interrupt. */
  readonly line: InterruptLine;
  /** Builds the device, and later others of its kind, each with a line of its own. */
  readonly build: (line: InterruptLine, name: string) => Movable;
  /** Name of the device. */
  readonly name: string;
}

const STATE_MAX = 2 ** 30 + 2 ** 12;

/**
 * A device of the board that is taken off its bus and put back at any step, as by the bus filter of a system on chip. The
 * gate is shut at power-on. The section is the gate's and, inside, the device's own.
 */
export class DetachableDevice implements Device {
  static readonly #layout = sectionLayout("detachable", 1, { isAttached: flag, state: bytes(STATE_MAX) });

  /** Name of the device. */
  readonly name: string;
  /** What is on the bus while the gate is open. */
  readonly hardware: Movable;
  readonly #options: DetachableOptions;
  #range: DeviceRange | undefined;
  #isAttached = false;
  #standIn: Movable | undefined;

  /** Builds the device; `placed` says where it is. */
  constructor(options: DetachableOptions) {
    this.#options = options;
    this.name = options.name;
    const { line } = options;
    // A gate that is shut lets no interrupt through either.
    const set = (level: boolean): void => this.#isAttached ? line.set(level) : undefined;
    this.hardware = options.build({ set }, options.name);
  }

  /** Tells the range that it answers at. */
  placed(range: DeviceRange): void {
    this.#range = range;
    this.#options.memory.setAttached(range, this.#isAttached);
  }

  /** First physical address. */
  get base(): number {
    return this.#range?.base ?? 0;
  }

  /** Bytes. */
  get size(): number {
    return this.#range?.size ?? 0;
  }

  /** The gate is open. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Another device of the same kind, once: it drives the interrupt, and has the input, while the gate is shut. */
  standIn(): Movable {
    const { line, build, name } = this.#options;
    const set = (level: boolean): void => this.#isAttached ? undefined : line.set(level);
    return this.#standIn ??= build({ set }, name);
  }

  /** Moves the device's work to the stand-in, and shuts the gate; nothing happens when it is shut. */
  detach(): void {
    if (!this.#isAttached) return;
    this.#move(false, this.hardware, this.standIn());
  }

  /** Moves the work back, and opens the gate; nothing happens when it is open. */
  attach(): void {
    if (this.#isAttached) return;
    this.#move(true, this.standIn(), this.hardware);
  }

  #move(isAttached: boolean, from: Movable, to: Movable): void {
    this.#setGate(isAttached);
    to.takeOver(from);
    from.reset();
  }

  /** Whichever does the work: the device, or its stand-in, if there is one. */
  get active(): Movable {
    return this.#isAttached ? this.hardware : this.#standIn ?? this.hardware;
  }

  /** Reads a register of what is on the bus. */
  read(offset: number, size: number, context: AccessContext): number {
    return this.hardware.read(offset, size, context);
  }

  /** Writes a register of what is on the bus. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    this.hardware.write(offset, size, value, context);
  }

  /** The gate is shut, as at power-on; what goes on over a reset goes to the stand-in. */
  reset(): void {
    if (this.#standIn !== undefined) this.detach();
    this.#setGate(false);
    this.hardware.reset();
  }

  #setGate(isAttached: boolean): void {
    this.#isAttached = isAttached;
    if (this.#range !== undefined) this.#options.memory.setAttached(this.#range, isAttached);
  }

  /** The gate, and the section of the device. */
  save(): Section {
    const { isAttached } = this;
    return DetachableDevice.#layout.encode(this.name, { isAttached, state: this.hardware.save().bytes });
  }

  /** Restores what `save` gave; a stand-in's state is in its owner's section. */
  restore(section: Section): void {
    const { isAttached, state } = DetachableDevice.#layout.decode(section);
    this.#setGate(isAttached);
    this.hardware.restore({ ...this.hardware.save(), bytes: state });
  }
}
