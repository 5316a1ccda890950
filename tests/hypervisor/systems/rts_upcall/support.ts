/** The exerciser under a monitor with rts-upcall, for tests. */
import {
  exerciser,
  type ExerciserCall,
  type ExerciserOptions,
  immediateOf,
} from "../../../../firmware/rts_upcall/exerciser.ts";
import "../../../../hypervisor/install.ts";
import { EFI_STATUS } from "../../../../hypervisor/efi_status.ts";
import { guidBytes } from "../../../../machine/guid.ts";
import type { Input, MachineEvent } from "../../../../machine/events.ts";
import { peekSystemRegister } from "../../../../machine/cpu/system_registers.ts";
import { Machine } from "../../../../machine/machine.ts";
import { hashOfImage, MemoryImage } from "../../../../machine/storage/image.ts";
import { programGuest } from "../../../journal/guest.ts";

/** A vendor. */
export const VENDOR = "12345678-9abc-def0-1122-334455667788";

/** What ran. */
export interface Exercised {
  /** X0 of each call by the name of the status, else in hexadecimal; with the bytes that were printed. */
  readonly results: readonly string[];
  /** Events of the services. */
  readonly events: readonly MachineEvent[];
  /** The disk of the variables as a loss of power leaves it. */
  readonly disk: Uint8Array<ArrayBuffer>;
  /** What ended it, when, and with which state. */
  readonly end: { readonly reason: string; readonly instant: number };
  /** The state root. */
  readonly root: () => string;
  /** PAR_EL1 at the end. */
  readonly par: bigint;
}

/** How it is run. */
export interface ExerciseOptions extends Partial<ExerciserOptions> {
  /** The monitor's level (default 2). */
  readonly monitor?: 2 | 3;
  /** The disk (default empty, 64 KiB). */
  readonly disk?: Uint8Array<ArrayBuffer>;
  /** The engine (default compiled). */
  readonly engine?: string;
  /** Inputs before the first step. */
  readonly inputs?: readonly Input[];
}

const NAMES = new Map<bigint, string>(Object.entries(EFI_STATUS).map(([name, value]) => [value, name]));

/** Runs calls. */
export function exercise(calls: readonly ExerciserCall[], options: ExerciseOptions = {}): Exercised {
  const {
    monitor = 2,
    level = 1,
    conduit = monitor === 2 ? "hvc" : "smc",
    engine = "compiled",
    isHost = false,
  } = options;
  const program = exerciser({ level, conduit, calls, isHost, contents: options.contents ?? [] });
  const guest = programGuest(program), bytes = options.disk ?? new Uint8Array(0x1_0000);
  const image = new MemoryImage(bytes), sha256 = hashOfImage(image);
  const configuration = guest.configuration({
    memoryMiB: 16,
    virtualization: level === 2,
    cpuModel: isHost ? "max" : "cortex-a57",
    drives: [{ id: "nvram", image: { sha256, size: image.size, name: "nvram" }, readOnly: false }],
    monitors: [{ level: monitor, systems: [{ name: "rts-upcall", options: { drive: "nvram" } }] }],
  });
  const machine = new Machine(configuration, new Map([...guest.images, [sha256, image]]), { engine });
  const events: MachineEvent[] = [];
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  machine.board.events.add({
    classes: ["trap"],
    observe: (event) => {
      if (event.kind.startsWith("firmwareService") || event.kind === "variableWritten") events.push(event);
    },
  });
  for (const input of options.inputs ?? []) machine.submit(input);
  const { reason } = machine.run(1_000_000);
  const results = console.split("\n").filter((line) => line !== "").map((line) => {
    const [status = "", dump] = line.split(" ");
    const name = NAMES.get(BigInt(status)) ?? status;
    return dump === undefined ? name : `${name} ${dump}`;
  });
  const disk = machine.board.disks.get("nvram")!;
  return {
    results,
    events,
    disk: disk.peek(0, disk.size, true),
    end: { reason, instant: machine.instant },
    root: () => machine.stateRoot().root.toHex(),
    par: peekSystemRegister(machine.board.cpus[0]!, "PAR_EL1"),
  };
}

/** A call of a service. */
export function call(
  name: string,
  given: readonly (bigint | number)[],
  dump?: ExerciserCall["dump"],
): ExerciserCall {
  const base = { immediate: immediateOf(name), arguments: given.map(BigInt) };
  return dump === undefined ? base : { ...base, dump };
}

/** A text of UEFI's. */
export function wide(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length + 1) * 2);
  for (let at = 0; at < text.length; at++) {
    new DataView(bytes.buffer).setUint16(at * 2, text.charCodeAt(at), true);
  }
  return bytes;
}

/** Numbers of 8 bytes, little-endian. */
export function quads(...values: (bigint | number)[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  for (const [at, value] of values.entries()) view.setBigUint64(at * 8, BigInt(value), true);
  return new Uint8Array(view.buffer);
}

/** The vendor's bytes. */
export const VENDOR_BYTES: Uint8Array = guidBytes(VENDOR);
