/** What device tests share: accesses, wires that can be looked at, round trips of state, and traces that QEMU recorded. */
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

/** A frame of registers in a trace's address space. */
export interface Frame {
  /** First address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** What answers. */
  readonly device: MappedDevice;
}

/** What a trace is replayed on. */
export interface TraceTarget {
  /** Register frames. */
  readonly frames: readonly Frame[];
  /** Drives an input of the interrupt controller. */
  setInterrupt?(interrupt: number, level: boolean): void;
  /** Sends a byte to the console. */
  send?(byte: number): void;
  /** Levels of CPU 0's IRQ, FIQ, virtual IRQ and virtual FIQ as four digits. */
  levels?(): string;
}

/** Replays a trace that QEMU recorded; each read and each output level must be what QEMU gave. */
export async function assertTrace(name: string, target: TraceTarget): Promise<void> {
  const text = await Deno.readTextFile(new URL(`../../fixtures/devices/${name}.txt`, import.meta.url));
  let levels = "0000";
  for (const [index, line] of text.trimEnd().split("\n").entries()) {
    if (line.startsWith("#")) continue;
    const words = line.split(" ");
    const where = `${name}.txt:${index + 1}: ${line}`;
    if (words[0] === "i") {
      target.setInterrupt?.(parseInt(words[1]!, 16), words[2] === "1");
      levels = words[3] ?? levels;
    } else if (words[0] === "s") target.send?.(parseInt(words[1]!, 16));
    else {
      const [size, address, value] = words.slice(1, 4).map((word) => parseInt(word, 16)) as [
        number,
        number,
        number,
      ];
      const { base, device } = target.frames.find((frame) =>
        address >= frame.base && address < frame.base + frame.size
      )!;
      if (words[0] === "w") device.write(address - base, size, value, by(0));
      else assertEquals(device.read(address - base, size, by(0)), value, where);
      levels = words[4] ?? levels;
    }
    if (target.levels) assertEquals(target.levels(), levels, where);
  }
}
