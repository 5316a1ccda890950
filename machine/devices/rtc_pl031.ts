/** PL031 real-time clock (Arm DDI 0224C): a base from the configuration plus virtual time, never the host's clock. */
import type { Alarm, Clock } from "../clock.ts";
import { u32 } from "../layout.ts";
import type { AccessContext } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device, InterruptLine } from "./device.ts";
import { constants, registerMap } from "./register_map.ts";

/** What a PL031 is connected to. */
export interface RtcPl031Options {
  /** Name of the device and of its section. */
  readonly name: string;
  /** Virtual time. */
  readonly clock: Clock;
  /** The interrupt, RTCINTR. */
  readonly line: InterruptLine;
  /** Time at power-on, in seconds since 1970-01-01T00:00:00 UTC; its low 32 bits are used. */
  readonly base: number;
}

const NANOSECONDS = 1_000_000_000;
const U32 = 2 ** 32;

/** The clock; it always runs, so that RTCCR reads 1. */
export class RtcPl031 implements Device {
  // deno-fmt-ignore
  static readonly #map = registerMap<RtcPl031>()([
    // offset name         access bits reset  behaviour
    [0x000, "RTCDR",       "RO",  32, 0x000, { read: (rtc) => rtc.#count() }],
    [0x004, "RTCMR",       "RW",  32, 0x000, { written: (rtc) => rtc.#compare() }],
    [0x008, "RTCLR",       "RW",  32, 0x000, { written: (rtc) => rtc.#load() }],
    [0x00c, "RTCCR",       "RW",   1, 0x001, { read: () => 1, write: () => {} }],
    [0x010, "RTCIMSC",     "RW",   1, 0x000, { written: (rtc) => rtc.#drive() }],
    [0x014, "RTCRIS",      "RO",   1, 0x000],
    [0x018, "RTCMIS",      "RO",   1, 0x000, { read: (rtc) => rtc.#masked() }],
    [0x01c, "RTCICR",      "WO",   1, 0x000, { write: (rtc, value) => rtc.#setRaw(0, value) }],
    [0xfe0, "RTCPeriphID", "RO",   8, 0x031, constants([0x31, 0x10, 0x14, 0x00]), 4],
    [0xff0, "RTCPCellID",  "RO",   8, 0x00d, constants([0x0d, 0xf0, 0x05, 0xb1]), 4],
  ]);
  static readonly #layout = sectionLayout("pl031", 1, { ...RtcPl031.#map.fields, offset: u32 });

  /** Name of the device. */
  readonly name: string;
  readonly #clock: Clock;
  readonly #line: InterruptLine;
  readonly #match: Alarm;
  #held = RtcPl031.#map.reset();
  /** RTCDR less the whole seconds of virtual time, modulo 2^32. */
  #offset: number;

  /** Connects the clock; RTCDR starts at the base plus virtual time. */
  constructor({ name, clock, line, base }: RtcPl031Options) {
    this.name = name;
    this.#clock = clock;
    this.#line = line;
    this.#offset = base >>> 0;
    this.#match = clock.alarm(name, () => this.#compare());
  }

  /** Reads a register. */
  read(offset: number, size: number, context: AccessContext): number {
    return RtcPl031.#map.read(this, this.#held, offset, size, context);
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    RtcPl031.#map.write(this, this.#held, offset, size, value, context);
  }

  #seconds(): number {
    return Math.floor(this.#clock.now / NANOSECONDS);
  }

  #count(): number {
    return (this.#offset + this.#seconds()) % U32;
  }

  #load(): void {
    this.#offset = (((this.#held.RTCLR - this.#seconds()) % U32) + U32) % U32;
    this.#compare();
  }

  /** Raises the interrupt when the count is the match value, and asks to be called when it will be. */
  #compare(): void {
    const wait = (this.#held.RTCMR - this.#count() + U32) % U32;
    if (wait === 0) this.#setRaw(1, 0);
    this.#match.set((this.#seconds() + (wait === 0 ? U32 : wait)) * NANOSECONDS);
  }

  #setRaw(set: number, clear: number): void {
    this.#held.RTCRIS = (this.#held.RTCRIS & ~clear) | set;
    this.#drive();
  }

  #masked(): number {
    return this.#held.RTCRIS & this.#held.RTCIMSC;
  }

  #drive(): void {
    this.#line.set(this.#masked() !== 0);
  }

  /** Goes on from where another one is: its registers, its time, and what it waits for. */
  takeOver(other: RtcPl031): void {
    this.restore(other.save());
    this.#match.set(other.#match.deadline);
  }

  /** Registers as at power-on; the time goes on, as if a battery kept it. */
  reset(): void {
    this.#held = RtcPl031.#map.reset();
    this.#match.clear();
    this.#drive();
  }

  /** Registers and the offset to virtual time. */
  save(): Section {
    return RtcPl031.#layout.encode(this.name, { ...this.#held, offset: this.#offset });
  }

  /** Restores what `save` gave and drives the line; the clock's own section has the alarm. */
  restore(section: Section): void {
    const state = RtcPl031.#layout.decode(section);
    this.#held = RtcPl031.#map.heldOf(state);
    this.#offset = state.offset;
    this.#drive();
  }
}
