/** Runs images of the trampoline with the small guest on a machine. */
import { createHash } from "node:crypto";
import { GUEST_BASE, smallGuest } from "../../../firmware/el2_trampoline/guest.ts";
import {
  type TrampolineImage,
  trampolineImage,
  type TrampolineOptions,
} from "../../../firmware/el2_trampoline/image.ts";
import { GUEST_RAM } from "../../../firmware/el2_trampoline/layout.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../machine/configuration.ts";
import { Machine, type MachineOptions } from "../../../machine/machine.ts";

const MEMORY = 0x4200_0000;

/** What is run. */
export interface TestRun extends Partial<TrampolineOptions> {
  readonly rounds?: number;
  readonly build?: (options: TrampolineOptions) => TrampolineImage;
  readonly configuration?: ConfigurationInput;
  readonly engine?: MachineOptions["engine"];
}

const IMAGES = new Map<string, TrampolineImage>();

/** Builds an image once. */
function builtOnce(options: TrampolineOptions): TrampolineImage {
  const key = JSON.stringify({ ...options, guest: 0 }), image = IMAGES.get(key) ?? trampolineImage(options);
  IMAGES.set(key, image);
  return image;
}

/** A machine with an image and a guest, at instant 0, and what it writes. */
export function trampolineMachine(
  { rounds = 3, build = builtOnce, configuration = {}, engine = "threaded", ...more }: TestRun = {},
): { readonly machine: Machine; readonly image: TrampolineImage; readonly console: () => string } {
  const options = {
    planted: true,
    ...more,
    guest: { memory: MEMORY, size: 0x20_0000, entry: GUEST_BASE },
  };
  const image = build(options), guest = smallGuest({ rounds, pauth: more.pauth ?? false }).bytes;
  const reference = (bytes: Uint8Array, name: string) => ({
    sha256: createHash("sha256").update(bytes).digest("hex"),
    size: bytes.length,
    name,
  });
  const kernel = reference(image.bytes, "trampoline"), other = reference(guest, "guest");
  const vectors = `0x${image.program.symbols.get("vmm_vectors")!.toString(16)}`;
  const monitors = more.vmm === "typescript"
    ? { monitors: [{ level: 2 as const, systems: [{ name: "el2-trampoline", options: { vectors } }] }] }
    : {};
  const machine = new Machine(
    parseConfiguration({
      virtualization: true,
      memoryMiB: 128,
      ...(more.pauth === true ? { cpuModel: "max" as const } : {}),
      ...monitors,
      ...configuration,
      boot: {
        kernel,
        loaders: [{
          kind: "image",
          image: other,
          address: MEMORY + Number(GUEST_BASE) - GUEST_RAM,
          forceRaw: true,
        }],
      },
    }),
    new Map([[kernel.sha256, image.bytes], [other.sha256, guest]]),
    { engine },
  );
  let text = "";
  machine.board.transmitted = (byte) => (text += String.fromCharCode(byte));
  return { machine, image, console: () => text };
}
