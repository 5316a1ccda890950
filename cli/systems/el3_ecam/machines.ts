/** Machines of el3-ecam's checks: controllers shown by a monitor, and by the board's own PCI; their configuration cycles. */
import { ECAM } from "../../../hypervisor/systems/el3_ecam/window.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { CheckContext, Recorded } from "../scenario.ts";
import type { Cycle } from "./specification.ts";

/** Where the controller of `-device nvme-mmio` is, and that of `-device nvme-ea`. */
export const SHIM_BASE = 0x0c00_0000, FIXED_BASE = 0x3e00_0000;

/** Who serves configuration space. */
export interface Server {
  /** What a file is called. */
  readonly name: string;
  /** Of `-M`. */
  readonly board: string;
  /** `-monitor`. */
  readonly monitor: readonly string[];
  /** `-device`. */
  readonly driver: "nvme-mmio" | "nvme-ea";
  /** How the guest calls PSCI. */
  readonly conduit: "hvc" | "smc";
  /** Address of the window. */
  readonly window: number;
  /** Where the controller's registers are. */
  readonly base: number;
}

const shim = { driver: "nvme-mmio", window: ECAM.base, base: SHIM_BASE } as const;
/** The board's own PCI, with its window below 4 GiB. */
export const REAL: Server = {
  ...{ name: "real", board: "virt,highmem=off", monitor: [], driver: "nvme-ea", conduit: "hvc" },
  ...{ window: 0x3f00_0000, base: FIXED_BASE },
};
/** Monitors, the first for a guest at EL1, the second for one at EL2. */
export const AT_EL3: Server = {
  ...shim,
  name: "el3",
  board: "virt",
  monitor: ["--monitor", "el3:el3-ecam"],
  conduit: "smc",
};
/** As above. */
export const BELOW_EL2: Server = { ...AT_EL3, name: "el3-el2", board: "virt,virtualization=on" };
/** The twin. */
export const AT_EL2: Server = {
  ...shim,
  name: "el2",
  board: "virt",
  monitor: ["--monitor", "el2:el3-ecam"],
  conduit: "hvc",
};

/** A raw disk of these bytes in a controller, as options. */
export function diskOptions(context: CheckContext, driver: string, bytes: Uint8Array, id = "disk"): string[] {
  const file = context.file(`${id}.img`);
  Deno.writeFileSync(file, bytes);
  return [
    ...["-drive", `file=${file},if=none,id=${id},format=raw`],
    ...["-device", `${driver},drive=${id},serial=${id}`],
  ];
}

/** A disk of 64 KiB, of which nothing is read. */
export const SMALL_DISK: Uint8Array<ArrayBuffer> = new Uint8Array(0x1_0000);

/** Records a flat guest that uses the window alone. */
export function recordGuest(
  context: CheckContext,
  { name, board, monitor, driver }: Server,
  guest: Uint8Array,
  more: readonly string[] = [],
): Promise<Recorded> {
  return context.record({
    name,
    options: [
      ...["-M", board, "-kernel", "guest", "-m", "64M", ...monitor, ...more],
      ...diskOptions(context, driver, SMALL_DISK),
    ],
    files: { guest },
  });
}

/** The configuration cycles of a run, in order, by whoever served them, as the journal has them. */
export function cyclesOf({ run }: Recorded, window: number): Cycle[] {
  const events = [...run.stored({ from: 0, to: Infinity, classes: ["device", "trap"] })];
  return events.flatMap((event) => cycleOf(event, window) ?? []);
}

/** An event as a cycle: a monitor's, or an access to the board's own window. */
function cycleOf(event: MachineEvent, window: number): Cycle | undefined {
  if (event.kind === "configurationRead" || event.kind === "configurationWritten") {
    const { bdf, offset, size, value } = event;
    return { bdf, offset, size, value, write: event.kind === "configurationWritten" };
  }
  if (event.kind !== "deviceRead" && event.kind !== "deviceWritten" || event.device !== "pcieEcam") return;
  const { address, size, value } = event, from = address - window;
  return {
    ...{ bdf: Math.floor(from / 0x1000), offset: from % 0x1000, size, value: Number(value) },
    write: event.kind === "deviceWritten",
  };
}

/** A cycle as a line; values that tell where the controller is are told alike. */
export function cycleText({ bdf, offset, size, value, write }: Cycle, base: number): string {
  const placed = (offset === 0x10 || offset === 0x48) && size === 4 && value - value % 16 === base;
  return `${bdf.toString(16)} ${offset.toString(16)}/${size} ${write ? "W" : "R"} ${
    placed ? `base+${value % 16}` : value.toString(16)
  }`;
}
