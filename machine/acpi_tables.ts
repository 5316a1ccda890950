/** ACPI tables of a device tree, by whoever provides the conversion: a monitor that is its guest's firmware asks for them. */
import type { DeviceTree } from "./device_tree.ts";
import { MachineInvariantError } from "./errors.ts";

/** Makes the tables that say what a device tree does, to be put at a physical address; throws ConfigurationError. */
export type TableConversion = (tree: DeviceTree, base: number) => Uint8Array<ArrayBuffer>;

let provided: TableConversion | undefined;

/** Says who converts, once, before the first machine that needs it is built. */
export function provideTables(conversion: TableConversion): void {
  provided = conversion;
}

/** The tables of a tree, RSDP first, for a physical address. Throws ConfigurationError for a tree that has none. */
export function tablesOf(tree: DeviceTree, base: number): Uint8Array<ArrayBuffer> {
  if (provided === undefined) {
    throw new MachineInvariantError(
      "Cannot make ACPI tables: nobody converts; import firmware/install.ts before machines are built",
    );
  }
  return provided(tree, base);
}
