/** Runs flat programs put into RAM by `-device loader`, for tests of loaders. */
import { createHash } from "node:crypto";
import { physicalAddress } from "../../../machine/address.ts";
import type { Program } from "../../../machine/a64/program.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import {
  type ConfigurationInput,
  type MachineConfiguration,
  parseConfiguration,
} from "../../../machine/configuration.ts";
import type { EventClass, EventObserver, MachineEvent } from "../../../machine/events.ts";
import { Machine, type Stop } from "../../../machine/machine.ts";

/** A program and where it is loaded. */
export interface Placed {
  /** What. */
  readonly program: Program;
  /** First physical address. */
  readonly at: number;
}

/** A board with programs in RAM; the first one is started at the highest level there is. */
export function placedBoard(
  placed: readonly Placed[],
  more: ConfigurationInput = {},
): { readonly configuration: MachineConfiguration; readonly images: MachineImages } {
  const images = new Map<string, Uint8Array>();
  const loaders = placed.map(({ program: { bytes }, at }, index) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    images.set(sha256, bytes);
    return {
      kind: "image" as const,
      image: { sha256, size: bytes.length, name: "loader" },
      address: at,
      forceRaw: true,
      cpu: index === 0 ? 0 : undefined,
    };
  });
  return { images, configuration: parseConfiguration({ ...more, boot: { loaders } }) };
}

/** How a run went. */
export interface LoaderRun {
  /** The machine at its end. */
  readonly machine: Machine;
  /** Why it ended. */
  readonly stop: Stop;
  /** What it printed. */
  readonly console: string;
  /** Traps and details in order. */
  readonly events: readonly MachineEvent[];
}

/** Runs until the guest parks, or `limit` steps. */
export function runPlaced(
  placed: readonly Placed[],
  options: {
    readonly machine?: ConfigurationInput;
    readonly engine?: string;
    readonly limit?: number;
    readonly classes?: readonly EventClass[];
    readonly prepare?: (machine: Machine) => void;
  } = {},
): LoaderRun {
  const { configuration, images } = placedBoard(placed, options.machine);
  const machine = new Machine(configuration, images, { engine: options.engine ?? "reference" });
  const events: MachineEvent[] = [];
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  const observer: EventObserver = {
    classes: options.classes ?? ["trap", "detail"],
    observe: (event) => events.push(event),
  };
  machine.board.events.add(observer);
  options.prepare?.(machine);
  const stop = machine.run(options.limit ?? 300_000);
  return { machine, stop, console, events };
}

/** Puts bytes into physical memory, as an operator does. */
export function patch(machine: Machine, address: number | bigint, bytes: Uint8Array): void {
  machine.board.memory.patchBytes(physicalAddress(Number(address)), bytes);
}

/** Reads 8 bytes of physical memory. */
export function quadAt(machine: Machine, address: bigint): bigint {
  const bytes = machine.board.memory.viewBytes(physicalAddress(Number(address)), 8);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}
