/** PL061 general-purpose I/O (Arm DDI 0190B): eight lines, each an input that may interrupt or an output. */
import { u8 } from "../layout.ts";
import type { AccessContext } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device, InterruptLine } from "./device.ts";
import { constants, registerMap } from "./register_map.ts";

/** What a PL061 is connected to. */
export interface GpioPl061Options {
  /** Name of the device and of its section. */
  readonly name: string;
  /** The combined interrupt, GPIOINTR. */
  readonly line: InterruptLine;
  /** Takes the new level of an output; one that nothing drives is low. */
  readonly driven?: (line: number, level: boolean) => void;
}

/** Lines. */
const LINES = 8;
/** GPIODATA has an address for each set of lines: address bits 9–2 say which may be seen and changed. */
const DATA_ADDRESSES = 256;

/** The device; lines that are inputs and not driven from outside are low. */
export class GpioPl061 implements Device {
  // deno-fmt-ignore
  static readonly #map = registerMap<GpioPl061>()([
    // offset name          access bits reset behaviour
    [0x000, "GPIODATA",     "RW",  8, 0, { read: (gpio, { index }) => gpio.#data & index, write: (gpio, value, { index }) => gpio.#writeData(value, index) }, DATA_ADDRESSES],
    [0x400, "GPIODIR",      "RW",  8, 0, { written: (gpio) => gpio.#update() }],
    [0x404, "GPIOIS",       "RW",  8, 0, { written: (gpio) => gpio.#update() }],
    [0x408, "GPIOIBE",      "RW",  8, 0, { written: (gpio) => gpio.#update() }],
    [0x40c, "GPIOIEV",      "RW",  8, 0, { written: (gpio) => gpio.#update() }],
    [0x410, "GPIOIE",       "RW",  8, 0, { written: (gpio) => gpio.#update() }],
    [0x414, "GPIORIS",      "RO",  8, 0],
    [0x418, "GPIOMIS",      "RO",  8, 0, { read: (gpio) => gpio.#masked() }],
    [0x41c, "GPIOIC",       "WO",  8, 0, { write: (gpio, value) => gpio.#clear(value) }],
    [0x420, "GPIOAFSEL",    "RW",  8, 0],
    [0xfe0, "GPIOPeriphID", "RO",  8, 0, constants([0x61, 0x10, 0x04, 0x00]), 4],
    [0xff0, "GPIOPCellID",  "RO",  8, 0, constants([0x0d, 0xf0, 0x05, 0xb1]), 4],
  ]);
  static readonly #layout = sectionLayout("pl061", 1, {
    ...GpioPl061.#map.fields,
    data: u8,
    seenInputs: u8,
    outputs: u8,
  });

  /** Name of the device. */
  readonly name: string;
  readonly #line: InterruptLine;
  readonly #driven: (line: number, level: boolean) => void;
  #held = GpioPl061.#map.reset();
  /** Levels of inputs, and what was written for outputs. */
  #data = 0;
  /** Levels at the last look at inputs, of all lines. */
  #seenInputs = 0;
  #outputs = 0;

  /** Connects the device. */
  constructor({ name, line, driven = () => {} }: GpioPl061Options) {
    this.name = name;
    this.#line = line;
    this.#driven = driven;
  }

  /** Reads a register. */
  read(offset: number, size: number, context: AccessContext): number {
    return GpioPl061.#map.read(this, this.#held, offset, size, context);
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    GpioPl061.#map.write(this, this.#held, offset, size, value, context);
  }

  /** Drives a line (0–7) from outside; nothing happens while it is an output. */
  drive(line: number, level: boolean): void {
    const bit = 1 << line;
    if ((this.#held.GPIODIR & bit) !== 0) return;
    this.#data = level ? this.#data | bit : this.#data & ~bit;
    this.#update();
  }

  #writeData(value: number, index: number): void {
    const changed = this.#held.GPIODIR & index;
    this.#data = (this.#data & ~changed) | (value & changed);
    this.#update();
  }

  #clear(lines: number): void {
    this.#held.GPIORIS &= ~lines;
    this.#update();
  }

  #driveOutputs(): void {
    const outputs = this.#data & this.#held.GPIODIR;
    const changed = this.#outputs ^ outputs;
    this.#outputs = outputs;
    for (let line = 0; line < LINES; line++) {
      if ((changed >> line & 1) === 1) this.#driven(line, (outputs >> line & 1) === 1);
    }
  }

  /** Outputs, then edges of inputs, then levels: GPIOIS chooses levels, GPIOIBE both edges, GPIOIEV high or rising. */
  #update(): void {
    const { GPIODIR, GPIOIS, GPIOIBE, GPIOIEV } = this.#held;
    this.#driveOutputs();
    const asChosen = ~(this.#data ^ GPIOIEV) & 0xff;
    const edges = (this.#seenInputs ^ this.#data) & ~GPIODIR;
    // A line that was an output is looked at anew once an input changes.
    if (edges !== 0) this.#seenInputs = this.#data;
    this.#held.GPIORIS |= (edges & ~GPIOIS & (GPIOIBE | asChosen)) | (asChosen & GPIOIS);
    this.#line.set(this.#masked() !== 0);
  }

  #masked(): number {
    return this.#held.GPIORIS & this.#held.GPIOIE;
  }

  /** Power-on state: every line a low input. */
  reset(): void {
    this.#held = GpioPl061.#map.reset();
    this.#data = 0;
    this.#seenInputs = 0;
    this.#outputs = 0;
    this.#line.set(false);
  }

  /** Registers and lines. */
  save(): Section {
    const lines = { data: this.#data, seenInputs: this.#seenInputs, outputs: this.#outputs };
    return GpioPl061.#layout.encode(this.name, { ...this.#held, ...lines });
  }

  /** Restores what `save` gave and drives the interrupt. */
  restore(section: Section): void {
    const state = GpioPl061.#layout.decode(section);
    this.#held = GpioPl061.#map.heldOf(state);
    this.#data = state.data;
    this.#seenInputs = state.seenInputs;
    this.#outputs = state.outputs;
    this.#line.set(this.#masked() !== 0);
  }
}
