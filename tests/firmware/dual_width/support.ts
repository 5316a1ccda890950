/** Runs dual-width images on a machine. */
import { createHash } from "node:crypto";
import { build, MODELS } from "../../../cli/systems/dual_width_tables/images.ts";
import type { DualWidthImage, DualWidthOptions } from "../../../firmware/dual_width/image.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../machine/configuration.ts";
import type { EventClass, MachineEvent } from "../../../machine/events.ts";
import { Machine, type Stop } from "../../../machine/machine.ts";

/** What a run came to. */
export interface Ran {
  readonly machine: Machine;
  readonly console: string;
  readonly events: readonly MachineEvent[];
  readonly stop: Stop;
}

/** Runs the bytes of an image to their end, or to `limit` steps. */
export function runImage(
  bytes: Uint8Array,
  configuration: ConfigurationInput,
  classes: readonly EventClass[] = [],
  limit = 5_000_000,
): Ran {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const machine = new Machine(
    parseConfiguration({
      virtualization: true,
      memoryMiB: 32,
      ...configuration,
      boot: { kernel: { sha256, size: bytes.length, name: "dual-width" } },
    }),
    new Map([[sha256, bytes]]),
    { engine: "reference" },
  );
  let console = "";
  const events: MachineEvent[] = [];
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  machine.board.events.add({ classes, observe: (event) => void events.push(event) });
  const stop = machine.run(limit);
  return { machine, console, events, stop };
}

/** Builds and runs. */
export function run(
  options: DualWidthOptions,
  configuration: ConfigurationInput = {},
  classes?: readonly EventClass[],
): Ran & { readonly image: DualWidthImage } {
  const image = build({ windowSize: 0x10_0000, ...options });
  return { image, ...runImage(image.bytes, { cpuModel: MODELS[options.form], ...configuration }, classes) };
}
