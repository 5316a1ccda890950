/**
 * Root ports without ECAM, shown as segments with ECAM: ecam-segments (US20240028547A1).
 *
 * As firmware, at power-on: finds what is behind the root ports by true configuration cycles (index register, data window),
 * gives bridges numbers and windows and endpoints their addresses, gives each bus with endpoints a segment of its own where
 * it is bus 0, and writes the segments into the device tree, or ACPI tables of it (MCFG, PNP0A08, IORT) into memory.
 *
 * As a shim, later: nothing answers at the segments' ECAM regions. The access is a synchronous External abort, which
 * SCR_EL3.EA = 1 brings to EL3 (Arm ARM D1.13.4), or, below a monitor at EL2, a stage 2 translation fault (D5.10). It becomes
 * the true cycle of the function that has this place, or reads as all ones: where firmware found no function (behind a link,
 * its one device would answer at every device number), and while the link is down. Elsewhere it is the guest's abort.
 */
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import type { BoardRow } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { Section } from "../../../machine/snapshot.ts";
import { enumerate, enumerateAgain, type Enumeration, SECONDARY_BUS, SUBORDINATE_BUS } from "./enumerate.ts";
import {
  numberSegments,
  type Omission,
  placeOf,
  type RootPortPlace,
  type Segment,
  SEGMENT_SIZE,
  type SegmentPlace,
} from "./segments.ts";
import { allOnes } from "../../../machine/devices/pci/bridge.ts";
import type { Exit } from "../../exit.ts";
import { decodeMmio, isTranslationFault, performMmio, type RegisterBus } from "../../mmio.ts";
import type { TrapMonitor } from "../../monitor.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { answerPciCall } from "./conduit.ts";
import { describe } from "./describe.ts";
import { SEGMENT_OPTIONS, type SegmentOptions } from "./options.ts";
import { changedMap, type SegmentMap, tellMap } from "./map.ts";
import { restoreSegments, saveSegments } from "./section.ts";
import { TruePort } from "./true_port.ts";

/** SCR_EL3.EA: External aborts go to EL3. */
const SCR_EA = 1n << 3n;
/** ISS of a data abort: FnV; DFSC of a synchronous External abort that is not on a table walk. */
const FNV = 1 << 10, STATUS = 0x3f, EXTERNAL_ABORT = 0x10;
/** Where the board's own ECAM would be, and its size: with `highmem=off`, and without. */
const LOW_ECAM = { base: 0x3f00_0000, size: 16 * SEGMENT_SIZE };
const HIGH_ECAM = { base: 0x40_1000_0000, size: 256 * SEGMENT_SIZE };

/** Firmware and shim. */
export class EcamSegments implements MonitorSystem {
  readonly slug = "ecam-segments";
  readonly #called = answerPciCall({
    segments: () => this.#map.segments,
    cycle: (vcpu, address, size, value) => this.#osCycle(vcpu, address, size, value),
  });
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    dataAbortLower: (vcpu, exit) => this.#accessed(vcpu, exit),
    secureMonitorCall: this.#called,
    hypervisorCall: this.#called,
  };
  readonly #monitor: TrapMonitor;
  readonly #options: SegmentOptions;
  readonly #ports: readonly TruePort[];
  readonly #region: { readonly base: number; readonly size: number };
  readonly #bus: RegisterBus = {
    read: (cpu, address, size) => this.#pieces(cpu, address, size),
    write: (cpu, address, size, value) => {
      this.#pieces(cpu, address, size, value);
      return true;
    },
  };
  #map: SegmentMap = { segments: [], omissions: [] };
  /** The guest has not started; the journal has not heard of the map; a tree was given its segments before. */
  #isFresh = true;
  #isTold = false;
  #isDescribed = false;

  /** Nothing is done before power-on; throws ConfigurationError when the board has no root ports. */
  constructor(options: SegmentOptions, monitor: TrapMonitor) {
    const { board } = monitor.site, { highmem } = board.configuration;
    this.#monitor = monitor;
    this.#options = options;
    const ports = board.rows.filter(({ kind, spi }) => kind === "rootPort" && spi !== undefined);
    if (ports.length === 0) {
      throw new ConfigurationError(
        "Cannot enable ecam-segments: the board has no root ports without ECAM; add rootports=2 to -M virt",
      );
    }
    this.#ports = ports.map((port) =>
      new TruePort(placeOfPort(port, board.rows), monitor.site, {
        seen: (cycle) => monitor.site.events.emit("configurationCycleDone", 0, { port: port.name, ...cycle }),
      })
    );
    const usual = highmem ? HIGH_ECAM : LOW_ECAM;
    this.#region = options.ecam === undefined ? usual : { base: options.ecam, size: usual.size };
    this.#refuseTaken(board.rows);
  }

  #refuseTaken(rows: readonly BoardRow[]): void {
    const { base, size } = this.#region;
    const other = rows.find((row) => base < row.base + row.size && row.base < base + size);
    if (other !== undefined) {
      throw new ConfigurationError(
        `Cannot have segments at ecam=${base}: ${other.name} of the board is there`,
      );
    }
  }

  /** The map, in order. */
  get segments(): readonly Segment[] {
    return this.#map.segments;
  }

  /** What is not shown. */
  get omissions(): readonly Omission[] {
    return this.#map.omissions;
  }

  reset(): void {
    this.#isFresh = true;
    this.#isTold = false;
  }

  started(vcpu: Vcpu): void {
    if (this.#monitor.level === 3) vcpu.change("SCR_EL3", SCR_EA);
    if (!this.#isFresh) return;
    this.#isFresh = false;
    this.#powerOn();
  }

  /** What firmware does. */
  #powerOn(): void {
    const { bridges, window, first, shape } = this.#options;
    const found: Enumeration = enumerate(this.#ports, { bridges, windowSize: window });
    const { segments, omissions } = numberSegments(found.buses, { shape, first, ...this.#region });
    this.#map = { segments, omissions: [...found.omissions, ...omissions] };
    const places = this.#ports.map(({ place }) => place);
    describe({
      site: this.#monitor.site,
      places,
      segments,
      options: this.#options,
      checks: !this.#isDescribed,
    });
    this.#isDescribed = true;
  }

  /** Tells the journal of the map, which was made before its first instant. */
  #tell(): void {
    tellMap(this.#monitor.site.events, this.#map, (port) => (this.#ports[port] as TruePort).place.name);
    this.#isTold = true;
  }

  /** An abort that could be an access to a segment. */
  #isOurs({ iss }: Exit): boolean {
    if (this.#monitor.level === 3) return (iss & (FNV | STATUS)) === EXTERNAL_ABORT;
    return isTranslationFault(BigInt(iss)) === true;
  }

  #accessed(vcpu: Vcpu, exit: Exit): boolean {
    const { level } = this.#monitor;
    if (!this.#isOurs(exit)) return false;
    const access = decodeMmio(vcpu.cpu, level);
    if (access === undefined) return false;
    const first = placeOf(this.#map.segments, access.address);
    const last = placeOf(this.#map.segments, access.address + access.size - 1);
    if (first === undefined || first.segment !== last?.segment) return false;
    if (!this.#isTold) this.#tell();
    if (!performMmio(vcpu.cpu, this.#bus, access, level)) return false;
    vcpu.skip();
    return true;
  }

  /** An access of up to 8 bytes as cycles: of at most 4 bytes, and of single ones where it is not aligned. */
  #pieces(cpu: Cpu, address: number, size: number, value?: bigint): bigint {
    const piece = address % size === 0 ? Math.min(size, 4) : 1, vcpu = this.#monitor.vcpu(cpu);
    let read = 0n;
    for (let done = 0; done < size; done += piece) {
      const shift = BigInt(done * 8);
      const written = value === undefined ? undefined : Number(BigInt.asUintN(piece * 8, value >> shift));
      read |= BigInt(this.#osCycle(vcpu, address + done, piece, written)) << shift;
    }
    return read;
  }

  /** A cycle that is told. */
  #osCycle(vcpu: Vcpu, address: number, size: number, written?: number): number {
    const value = this.cycle(address, size, written),
      at = placeOf(this.#map.segments, address) as SegmentPlace;
    this.#monitor.site.events.emit(
      written === undefined ? "configurationRead" : "configurationWritten",
      vcpu.index,
      {
        segment: at.segment.segment,
        bdf: at.segment.shown << 8 | at.device << 3 | at.function,
        offset: at.offset,
        size,
        value: written ?? value,
        programCounter: vcpu.returnAddress,
      },
    );
    return value;
  }

  /** Does an operating system's cycle at an address of a segment: 1, 2 or 4 bytes; what it read. */
  cycle(address: number, size: number, value?: number): number {
    const place = placeOf(this.#map.segments, address);
    if (place === undefined || !place.isThere) return allOnes(size);
    const { segment: { port: index, bus }, device, function: number, offset } = place;
    const port = this.#ports[index] as TruePort;
    if (!port.isLinkUp) return allOnes(size);
    if (value === undefined) return port.read(bus, device, number, offset, size);
    port.write(bus, device, number, offset, size, value);
    return 0;
  }

  prepareCommand(_vcpu: Vcpu, [verb, ...rest]: readonly string[]): () => void {
    if (verb === "map" && rest.length === 0) return () => this.#tell();
    const port = this.#ports.find(({ place }) => place.name.toLowerCase() === rest[0]);
    if ((verb !== "down" && verb !== "up") || port === undefined || rest.length !== 1) {
      const names = this.#ports.map(({ place }) => place.name.toLowerCase()).join(", ");
      throw new InputRefusedError(`ecam-segments takes "map", "down PORT" and "up PORT", of ${names}`);
    }
    const index = this.#ports.indexOf(port);
    if (port.readPort(SECONDARY_BUS, 1) === 0) {
      throw new InputRefusedError(
        `ecam-segments cannot take ${rest[0]} ${verb}: nothing was plugged in at power-on`,
      );
    }
    return () => verb === "down" ? this.#unplug(index) : this.#replug(index);
  }

  /** What is plugged in goes: its segments stay, with nothing in them. */
  #unplug(port: number): void {
    (this.#ports[port] as TruePort).setReset(true);
    this.#change(port, {
      buses: [],
      omissions: [{ port, bus: 0, device: 0, reason: "it is held in reset" }],
    });
  }

  /** What is plugged in comes back: it is given numbers and addresses again. */
  #replug(port: number): void {
    const { bridges, window } = this.#options, cycles = this.#ports[port] as TruePort;
    const first = cycles.readPort(SECONDARY_BUS, 1), last = cycles.readPort(SUBORDINATE_BUS, 1);
    this.#change(port, enumerateAgain(cycles, port, { bridges, windowSize: window }, { first, last }));
  }

  #change(port: number, found: Enumeration): void {
    this.#map = changedMap(this.#map, port, found);
    this.#tell();
  }

  save(): Section {
    return saveSegments(this.#monitor.sectionName(this.slug), {
      ...this.#map,
      isTold: this.#isTold,
      isDescribed: this.#isDescribed,
    });
  }

  restore(section: Section): void {
    const { segments, omissions, isTold, isDescribed } = restoreSegments(section);
    this.#map = { segments, omissions };
    this.#isTold = isTold;
    this.#isDescribed = isDescribed;
    this.#isFresh = false;
  }
}

/** A root port's place, of its two rows. */
function placeOfPort({ name, base, spi }: BoardRow, rows: readonly BoardRow[]): RootPortPlace {
  const window = rows.find((row) => row.name === `${name}Mmio`) as BoardRow;
  return {
    name,
    registers: base,
    window: { base: window.base, size: window.size },
    firstSpi: spi as number,
  };
}

/** The row. */
export const ECAM_SEGMENTS: SystemRow = systemRow<SegmentOptions>({
  slug: "ecam-segments",
  levels: [2, 3],
  options: SEGMENT_OPTIONS,
  build: (options, monitor) => new EcamSegments(options, monitor),
});
