/** What device tests share: accesses, wires that can be looked at and round trips of state. */
import { assertEquals } from "@std/assert";
import type { InterruptLine } from "../../../machine/devices/device.ts";
import type { AccessContext, MappedDevice } from "../../../machine/memory/physical.ts";
import type { Section } from "../../../machine/snapshot.ts";

/** An access by CPU 0, Non-secure unless said otherwise. */
export function by(cpu: number, secure = false): AccessContext {
  return { cpu, secure };
}

/** An interrupt wire that keeps its level. */
export class Wire implements InterruptLine {
  /** Present level. */
  level = false;
  set(level: boolean): void {
    this.level = level;
  }
}

/** Reads and writes registers of one device by offset, four bytes unless said otherwise. */
export function registersOf(device: MappedDevice, context: AccessContext = by(0)) {
  return {
    read: (offset: number, size = 4) => device.read(offset, size, context),
    write: (offset: number, value: number, size = 4) => device.write(offset, size, value, context),
  };
}

/** Checks that what `save` gives restores to a device that saves the same, and that damage is refused. */
export function assertRoundTrip(
  device: { save(): Section },
  fresh: { save(): Section; restore(section: Section): void },
): void {
  const saved = device.save();
  fresh.restore(saved);
  assertEquals(fresh.save(), saved);
}
