/** GICv2m: a frame of one register that turns messages into shared peripheral interrupts (Arm SBSA, appendix E). */
import type { AccessContext, MappedDevice } from "../memory/physical.ts";
import type { InterruptLine } from "./device.ts";
import type { MessageReceiver } from "./pci/host_bridge.ts";
import { registerMap } from "./register_map.ts";

/** Offset of MSI_SETSPI_NS. */
const SETSPI = 0x40;

/** What a frame is built on. */
export interface GicV2mOptions {
  /** Name of the frame. */
  readonly name: string;
  /** Physical address of the frame. */
  readonly base: number;
  /** Number of the first interrupt that messages may raise, 32–1019. */
  readonly firstInterrupt: number;
  /** The inputs of the controller, from the first interrupt on. */
  readonly lines: readonly InterruptLine[];
}

/** The frame; it has no state. */
export class GicV2m implements MappedDevice, MessageReceiver {
  // deno-fmt-ignore
  static readonly #map = registerMap<GicV2m>()([
    // offset name             access bits reset        behaviour
    [0x008, "MSI_TYPER",       "RO",  32, 0,           { read: ({ options: { firstInterrupt, lines } }) => firstInterrupt << 16 | lines.length }],
    [0x040, "MSI_SETSPI_NS",   "WO",  32, 0,           { write: (frame, value) => frame.receive(value) }],
    [0xfcc, "MSI_IIDR",        "RO",  32, 0x0510_0000, { read: () => 0x0510_0000 }],
  ]);

  /** Name of the frame. */
  readonly name: string;
  /** Physical address of MSI_SETSPI_NS. */
  readonly address: number;

  /** A frame for these interrupts. */
  constructor(readonly options: GicV2mOptions) {
    this.name = options.name;
    this.address = options.base + SETSPI;
  }

  /** Raises the interrupt of that number for a moment, which an edge-triggered one keeps; ignores others. */
  receive(interrupt: number): void {
    const line = this.options.lines[(interrupt & 0x3ff) - this.options.firstInterrupt];
    line?.set(true);
    line?.set(false);
  }

  /** Reads a register. */
  read(offset: number, size: number, context: AccessContext): number {
    return GicV2m.#map.read(this, {}, offset, size, context);
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    GicV2m.#map.write(this, {}, offset, size, value, context);
  }
}
