/**
 * A boot by ACPI whose tables are made at power-on, by firmware that finds out first what is there: the EFI shell of a kernel,
 * the machine's device tree, and room for tables. What makes them is the system ecam-segments, told by `segmentsMonitor`.
 */
import { type DeviceTree, writeDeviceTree } from "../../machine/device_tree.ts";
import {
  ACPI_TABLES_AT,
  ACPI_TABLES_ROOM,
  RESERVATIONS,
  RESERVATIONS_REGION,
  stubTree,
} from "../acpi/boot.ts";
import { EFI_GUID } from "../efi/guid.ts";
import { type EfiHandOff, efiHandOff } from "../efi/hand_off.ts";
import type { MemoryRange } from "../loader/kernel_boot.ts";

/** Where the tree is that tables are made of. */
const TREE_AT = ACPI_TABLES_AT + ACPI_TABLES_ROOM;

/** Options of the system for such a boot. */
export const SEGMENTS_BY_ACPI: string = `tree=0x${TREE_AT.toString(16)},acpi=0x${
  ACPI_TABLES_AT.toString(16)
}`;

/** Builds it: `deviceTree` is the machine's, command line and initrd included. Throws RangeError for a tree without room. */
export function segmentsBoot(
  { ram, deviceTree }: { readonly ram: MemoryRange; readonly deviceTree: DeviceTree },
): EfiHandOff {
  const tree = writeDeviceTree(deviceTree);
  if (tree.length > ACPI_TABLES_ROOM) {
    throw new RangeError(`The device tree has ${tree.length} bytes, of ${ACPI_TABLES_ROOM} at most`);
  }
  const handOff = efiHandOff({
    ram,
    deviceTree: stubTree(deviceTree),
    configurationTables: [RESERVATIONS, { guid: EFI_GUID.ACPI_20, address: ACPI_TABLES_AT }],
    reserved: [
      { base: ACPI_TABLES_AT, size: 2 * ACPI_TABLES_ROOM, type: "ACPIReclaimMemory" },
      RESERVATIONS_REGION,
    ],
  });
  return {
    ...handOff,
    segments: [...handOff.segments, { name: "segments_tree.dtb", base: TREE_AT, bytes: tree }],
  };
}
