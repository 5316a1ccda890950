/** Configuration cycles as a root port without ECAM does them: its registers, its index and its window, by physical address. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { ROOT_PORT } from "../../../machine/devices/pci/root_port.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { PortCycles } from "./enumerate.ts";
import type { RootPortPlace } from "./segments.ts";

/** How often a link is looked at before there is nothing at its other end. */
const LINK_TRIES = 100;
const LINK_UP = ROOT_PORT.STATUS_DATA_LINK | ROOT_PORT.STATUS_PHYSICAL_LINK;

/** Told of each cycle to a function below the port. */
export interface CycleObserver {
  /** `value` is what was read, or written. */
  seen(
    cycle: {
      /** Bus, device and function, as in a requester ID. */
      readonly requester: number;
      readonly access: "read" | "write";
      readonly offset: number;
      readonly size: number;
      readonly value: number;
    },
  ): void;
}

const idOf = (bus: number, device: number, number: number): number => bus << 8 | device << 3 | number;

/** A root port's registers, as its monitor reaches them. */
export class TruePort implements PortCycles {
  /** Tells cycles to `observer`. */
  constructor(
    readonly place: RootPortPlace,
    private readonly site: MonitorSite,
    private readonly observer: CycleObserver,
  ) {}

  #access(offset: number, size: number, value?: number): number {
    const target = this.site.memory.target(this.place.registers + offset as PhysicalAddress, false);
    if (target?.kind !== "device") {
      throw new RangeError(`Nothing answers at the registers of ${this.place.name}`);
    }
    const context = { cpu: 0, secure: false };
    if (value === undefined) return target.device.read(target.offset, size, context) >>> 0;
    target.device.write(target.offset, size, value >>> 0, context);
    return 0;
  }

  /** The link is up. */
  get isLinkUp(): boolean {
    return (this.#access(ROOT_PORT.STATUS, 4) & LINK_UP) === LINK_UP;
  }

  /** Holds what is plugged in in reset, or lets it go. */
  setReset(inReset: boolean): void {
    this.#access(ROOT_PORT.RESET, 4, inReset ? ROOT_PORT.RESET_PERST : 0);
  }

  start(): boolean {
    this.setReset(false);
    for (let tries = 0; tries < LINK_TRIES; tries++) if (this.isLinkUp) return true;
    return false;
  }

  readPort(offset: number, size: number): number {
    return this.#access(ROOT_PORT.HEADER + offset, size);
  }

  writePort(offset: number, size: number, value: number): void {
    this.#access(ROOT_PORT.HEADER + offset, size, value);
  }

  #choose(bus: number, device: number, number: number): void {
    const { BUS_SHIFT, DEVICE_SHIFT, FUNCTION_SHIFT } = ROOT_PORT;
    this.#access(ROOT_PORT.INDEX, 4, bus << BUS_SHIFT | device << DEVICE_SHIFT | number << FUNCTION_SHIFT);
  }

  read(bus: number, device: number, number: number, offset: number, size: number): number {
    this.#choose(bus, device, number);
    const value = this.#access(ROOT_PORT.DATA + offset, size);
    this.observer.seen({ requester: idOf(bus, device, number), access: "read", offset, size, value });
    return value;
  }

  write(bus: number, device: number, number: number, offset: number, size: number, value: number): void {
    const written = Number(BigInt.asUintN(size * 8, BigInt(value)));
    this.observer.seen({
      requester: idOf(bus, device, number),
      access: "write",
      offset,
      size,
      value: written,
    });
    this.#choose(bus, device, number);
    this.#access(ROOT_PORT.DATA + offset, size, written);
  }
}
