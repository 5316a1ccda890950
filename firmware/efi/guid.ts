/** GUIDs of UEFI's tables and variables. */

/** GUIDs of UEFI 2.10 that more than one part of a system needs. */
// deno-fmt-ignore
export const EFI_GUID = {
  /** Variables of the specification's own, such as BootOrder. */
  GLOBAL_VARIABLE: "8be4df61-93ca-11d2-aa0d-00e098032b8c",
  /** Configuration table: the RSDP of ACPI 2.0 and later. */
  ACPI_20:         "8868e871-e4f1-11d3-bc22-0080c73c8881",
  /** Configuration table: the entry point of SMBIOS 3. */
  SMBIOS3:         "f2fd1544-9794-4a2c-992e-e5bbcf20e394",
  /** Configuration table: a flattened device tree. */
  DEVICE_TREE:     "b1b621d5-f19c-41a5-830b-d9152c69aae0",
  /** Configuration table: which runtime services there are (EFI_RT_PROPERTIES_TABLE). */
  RT_PROPERTIES:   "eb66918a-7eef-402a-842e-931d21c38ae9",
  /** Configuration table: protection of runtime regions (EFI_MEMORY_ATTRIBUTES_TABLE). */
  MEMORY_ATTRIBUTES: "dcfa911d-26eb-469f-a220-38b7dc461220",
} as const;

export { guidBytes, guidText } from "../../machine/guid.ts";
