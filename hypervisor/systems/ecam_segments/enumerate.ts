/**
 * What firmware does behind root ports without ECAM before an operating system starts: finds bridges and endpoints by true
 * configuration cycles, gives bridges bus numbers and windows and endpoints their base addresses (PCI-to-PCI Bridge
 * Architecture Specification 1.2, 3.2.5; PCI Firmware Specification 3.3, 4.1).
 */
import type { FoundBus, Omission, RootPortPlace, SegmentFunction } from "./segments.ts";

/** True configuration cycles through one root port. */
export interface PortCycles {
  /** What it is, and its windows. */
  readonly place: RootPortPlace;
  /** Lets the link come up; false when there is nothing at its other end. */
  start(): boolean;
  /** Reads 1, 2 or 4 bytes of the port's own header. */
  readPort(offset: number, size: number): number;
  /** Writes them. */
  writePort(offset: number, size: number, value: number): void;
  /** Reads 1, 2 or 4 bytes of a function below; all ones where there is none. */
  read(bus: number, device: number, number: number, offset: number, size: number): number;
  /** Writes them. */
  write(bus: number, device: number, number: number, offset: number, size: number, value: number): void;
}

/** How it is done. */
export interface EnumerationOptions {
  /** What becomes of an endpoint that is itself a bridge: its bus is a segment too, or it is left alone. */
  readonly bridges: "nest" | "refuse";
  /** Most bytes of a root port's window to give away. */
  readonly windowSize: number;
}

/** What was found. */
export interface Enumeration {
  /** Buses with endpoints, in the order of their numbers. */
  readonly buses: readonly FoundBus[];
  /** What was left out. */
  readonly omissions: readonly Omission[];
}

/** Offsets and bits of headers. */
const COMMAND = 0x04,
  HEADER_TYPE = 0x0e,
  BARS = 0x10,
  BUS_NUMBERS = 0x18,
  MEMORY_WINDOW = 0x20,
  PREFETCH_WINDOW = 0x24;
const COMMAND_MEMORY = 2, COMMAND_MASTER = 4, MULTIFUNCTION = 0x80;
const CAPABILITIES = 0x34, EXPRESS = 0x10, PORT_DOWNSTREAM = 6;
const BAR_IO = 1, BAR_64 = 4;
/** A window of memory that is closed: its base is behind its limit. */
const CLOSED = 0x0000_fff0, MIB = 2 ** 20;
/** Bus numbers of a type 1 header. */
export const SECONDARY_BUS = 0x19, SUBORDINATE_BUS = 0x1a;
const DEVICES = 32, FUNCTIONS = 8, BUSES = 256, NOBODY = 0xffff_ffff;

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** One function, by its true place. */
class Reached {
  constructor(
    private readonly cycles: PortCycles,
    readonly bus: number,
    readonly device: number,
    readonly number: number,
  ) {}

  read(offset: number, size = 4): number {
    return this.cycles.read(this.bus, this.device, this.number, offset, size) >>> 0;
  }

  write(offset: number, value: number, size = 4): void {
    this.cycles.write(this.bus, this.device, this.number, offset, size, value >>> 0);
  }
}

/** A base address register and what it wants. */
interface Bar {
  readonly at: number;
  readonly size: number;
  readonly isWide: boolean;
}

/** Sizes the memory BARs by writing ones; I/O BARs have no window here and stay 0. */
function memoryBars(reached: Reached): Bar[] {
  const bars: Bar[] = [];
  for (let index = 0; index < 6; index++) {
    const at = BARS + index * 4;
    reached.write(at, NOBODY);
    const low = reached.read(at);
    reached.write(at, 0);
    if (low === 0 || (low & BAR_IO) !== 0) continue;
    const isWide = (low & 6) === BAR_64;
    let high = NOBODY;
    if (isWide) {
      index++;
      reached.write(at + 4, NOBODY);
      high = reached.read(at + 4);
      reached.write(at + 4, 0);
    }
    const mask = BigInt(high) << 32n | BigInt((low & ~0xf) >>> 0);
    bars.push({ at, size: Number((1n << 64n) - mask), isWide });
  }
  return bars.sort((one, other) => other.size - one.size);
}

/** The Device/Port Type of the PCI Express capability; undefined without one. */
function portType(reached: Reached): number | undefined {
  for (let at = reached.read(CAPABILITIES, 1) & 0xfc, left = 48; at !== 0 && left > 0; left--) {
    const header = reached.read(at);
    if ((header & 0xff) === EXPRESS) return header >>> 20 & 0xf;
    at = header >>> 8 & 0xfc;
  }
  return undefined;
}

/**
 * The highest bus number that is given away: all root ports share one set, since a requester ID is all that what takes
 * messages knows of a sender.
 */
interface BusNumbers {
  last: number;
  readonly limit: number;
}

/** The walk behind one root port, depth first. */
class Walk {
  readonly buses: FoundBus[] = [];
  readonly omissions: Omission[] = [];
  /** Next free address of the window, and its end. */
  #free: number;
  readonly #end: number;

  constructor(
    private readonly cycles: PortCycles,
    private readonly port: number,
    private readonly options: EnumerationOptions,
    private readonly numbers: BusNumbers,
  ) {
    const { base, size } = cycles.place.window;
    this.#free = base;
    this.#end = base + Math.min(size, options.windowSize);
  }

  #omit(bus: number, device: number, reason: string): void {
    this.omissions.push({ port: this.port, bus, device, reason });
  }

  /** From the root port down; a port with nothing in it has no segment. */
  run(): void {
    const { cycles } = this;
    if (!cycles.start()) return this.#omit(0, 0, "nothing is plugged in");
    if (this.numbers.last === this.numbers.limit) {
      return this.#omit(0, 0, "no bus has a number left for this port");
    }
    const write = (offset: number, value: number): void => cycles.writePort(offset, 4, value);
    this.#bridge(write, 0, 1, []);
  }

  /** Numbers a bridge's buses, walks what is below, and opens its window; `width` device numbers are looked at. */
  #bridge(
    write: (offset: number, value: number) => void,
    above: number,
    width: number,
    path: readonly number[],
  ): void {
    const bus = ++this.numbers.last, start = roundUp(this.#free, MIB);
    const numbers = (last: number): number => above | bus << 8 | last << 16;
    write(BUS_NUMBERS, numbers(this.numbers.limit));
    this.#free = start;
    this.#bus(bus, width, path);
    write(BUS_NUMBERS, numbers(this.numbers.last));
    const end = this.#free = roundUp(this.#free, MIB);
    const isOpen = end > start;
    write(MEMORY_WINDOW, isOpen ? start / MIB << 4 | (end / MIB - 1) << 20 : CLOSED);
    write(PREFETCH_WINDOW, CLOSED);
    write(COMMAND, isOpen ? COMMAND_MEMORY | COMMAND_MASTER : 0);
  }

  #bus(bus: number, width: number, path: readonly number[]): void {
    const bridges: Reached[] = [], functions: SegmentFunction[] = [], base = this.#free;
    for (const reached of this.#present(bus, width)) {
      if ((reached.read(HEADER_TYPE, 1) & ~MULTIFUNCTION) !== 0) bridges.push(reached);
      else if (this.#endpoint(reached)) {
        functions.push({ device: reached.device, function: reached.number, identity: reached.read(0) });
      }
    }
    this.#free = roundUp(this.#free, MIB);
    if (functions.length > 0) {
      const window = { base, size: this.#free - base };
      this.buses.push({ port: this.port, bus, functions, window, path });
    }
    for (const bridge of bridges) this.#below(bridge, path);
  }

  /** Functions that answer. */
  *#present(bus: number, width: number): Generator<Reached> {
    for (let device = 0; device < width; device++) {
      for (let number = 0; number < FUNCTIONS; number++) {
        const reached = new Reached(this.cycles, bus, device, number);
        if (reached.read(0) === NOBODY) {
          if (number === 0) break;
          continue;
        }
        yield reached;
        if (number === 0 && (reached.read(HEADER_TYPE, 1) & MULTIFUNCTION) === 0) break;
      }
    }
  }

  /** An endpoint that is itself a bridge. */
  #below(bridge: Reached, path: readonly number[]): void {
    const { bus, device } = bridge;
    if (this.options.bridges === "refuse") return this.#omit(bus, device, "a bridge, which is refused");
    if (this.numbers.last === this.numbers.limit) {
      return this.#omit(bus, device, "no bus has a number left for this bridge");
    }
    const width = portType(bridge) === PORT_DOWNSTREAM ? 1 : DEVICES;
    this.#bridge((offset, value) => bridge.write(offset, value), bus, width, [device, ...path]);
  }

  /** Gives an endpoint its addresses; false, with all of them 0 and memory off, when the window has none left. */
  #endpoint(reached: Reached): boolean {
    reached.write(COMMAND, 0, 2);
    const bars = memoryBars(reached), before = this.#free;
    const places = bars.map(({ size }) => {
      const at = roundUp(this.#free, size);
      this.#free = at + size;
      return at;
    });
    if (this.#free > this.#end) {
      this.#free = before;
      const wanted = bars.reduce((sum, { size }) => sum + size, 0);
      this.#omit(
        reached.bus,
        reached.device,
        `${wanted} bytes of memory do not fit into the window any more`,
      );
      return false;
    }
    for (const [index, { at, isWide }] of bars.entries()) {
      reached.write(at, places[index] as number);
      if (isWide) reached.write(at + 4, 0);
    }
    reached.write(COMMAND, COMMAND_MEMORY, 2);
    return true;
  }
}

/** Numbers that a root port's buses may have: those it had before. */
export interface BusRange {
  /** The first. */
  readonly first: number;
  /** The last. */
  readonly last: number;
}

/** The same for one root port alone, within the numbers that it has: what is plugged in has come back, or something else. */
export function enumerateAgain(
  cycles: PortCycles,
  port: number,
  options: EnumerationOptions,
  { first, last }: BusRange,
): Enumeration {
  const walk = new Walk(cycles, port, options, { last: first - 1, limit: last });
  walk.run();
  return { buses: walk.buses, omissions: walk.omissions };
}

/** Programs all that is behind the root ports, and says which buses have endpoints. */
export function enumerate(ports: readonly PortCycles[], options: EnumerationOptions): Enumeration {
  const numbers: BusNumbers = { last: 0, limit: BUSES - 1 };
  const walks = ports.map((cycles, port) => {
    const walk = new Walk(cycles, port, options, numbers);
    walk.run();
    return walk;
  });
  return {
    buses: walks.flatMap(({ buses }) => buses),
    omissions: walks.flatMap(({ omissions }) => omissions),
  };
}
