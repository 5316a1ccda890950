/** The contract of a device: a register map, a state section, and the services it is given. */
import type { Clock } from "../clock.ts";
import type { EventHub } from "../events.ts";
import type { MappedDevice } from "../memory/physical.ts";
import type { Section } from "../snapshot.ts";

/** A level-sensitive wire to an interrupt controller. */
export interface InterruptLine {
  /** Drives the wire; setting the same level again changes nothing. */
  set(level: boolean): void;
}

/** What a device gets; it has no other way to see the world. */
export interface DeviceServices {
  /** Virtual time and alarms. */
  readonly clock: Clock;
  /** Where the device's own events go. */
  readonly events: EventHub;
}

/** A device on the bus. */
export interface Device extends MappedDevice {
  /** Back to the power-on state, lines included. */
  reset(): void;
  /** The device's state as a named, versioned section. */
  save(): Section;
  /** Restores what `save` gave and drives the lines accordingly; touches no other device. */
  restore(section: Section): void;
}
