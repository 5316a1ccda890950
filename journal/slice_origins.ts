/** Where values of a slice begin that no step made: images, inputs, disks, resets. */
import { hex } from "../machine/address.ts";
import type { EventOf, InputEvent, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { RecordedRun } from "./run.ts";
import type { StepColumns } from "./step_columns.ts";

/** A range of memory as it was when the run began, or at a reset. */
export interface MemoryOrigin {
  /** Bytes from the address asked for that have this origin. */
  readonly size: number;
  /** What is there: an image with the offset in it; undefined for zeros. */
  readonly text: string | undefined;
}

/** What is at a physical address after power-on, and how far that goes. */
export function memoryOrigin(
  { board: { bootWrites } }: Machine,
  address: number,
  size: number,
): MemoryOrigin {
  let limit = size;
  for (const write of bootWrites.toReversed()) {
    const offset = address - write.address, length = write.bytes.length + write.zeros;
    if (offset >= 0 && offset < length) {
      const text = offset < write.bytes.length
        ? `${write.what}, offset ${hex(offset)}`
        : `${write.what}, zeros behind it`;
      const end = offset < write.bytes.length ? write.bytes.length : length;
      return { size: Math.min(limit, end - offset), text };
    }
    if (offset < 0) limit = Math.min(limit, -offset);
  }
  return { size: limit, text: undefined };
}

/** The input from which a device that reads from outside has a value, as far as its bytes say. */
export function inputOf(
  run: RecordedRun,
  instant: number,
  isMeant: (input: InputEvent) => boolean,
): InputEvent | undefined {
  return run.inputs.findLast((input) => input.instant <= instant && isMeant(input));
}

/** The console's input that has a byte. */
export function consoleInput(run: RecordedRun, instant: number, byte: number): InputEvent | undefined {
  return inputOf(run, instant, (input) => input.kind === "consoleReceived" && input.bytes.includes(byte));
}

/** What is known of memory that a device wrote: from where on a disk, or which frame. */
export function dmaText(columns: StepColumns, row: number, address: number): string {
  const event = columns.events[columns.event.at(row)] as EventOf<"memoryWrittenByDevice">;
  const offset = address - event.address;
  for (let at = row - 1; at >= 0 && columns.instant.at(at) === event.instant; at--) {
    const before = columns.event.at(at) < 0
      ? undefined
      : columns.events[columns.event.at(at)] as MachineEvent;
    if (before?.kind === "memoryWrittenByDevice") break;
    if (before?.kind === "diskRead" && offset < before.size) {
      return `disk ${before.disk}, offset ${hex(before.offset + offset)}`;
    }
    if (before?.kind === "networkFrameDelivered" || before?.kind === "networkFrameReceived") {
      return `a frame of ${before.bytes.length} bytes of network ${before.network}`;
    }
  }
  return `${hex(event.size)} bytes at ${hex(event.address)}`;
}
