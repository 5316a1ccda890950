/** GUIDs as UEFI has them: the first three fields little-endian (UEFI 2.10 appendix A). */

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

const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i;
/** Places of the bytes of the text's digits. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** The 16 bytes of a GUID's text; RangeError when it is none. */
export function guidBytes(text: string): Uint8Array<ArrayBuffer> {
  if (!FORM.test(text)) throw new RangeError(`"${text}" is no GUID: it has 8-4-4-4-12 hexadecimal digits`);
  const digits = text.replaceAll("-", "");
  return Uint8Array.from(ORDER, (place) => parseInt(digits.slice(place * 2, place * 2 + 2), 16));
}

/** The text of 16 bytes, in lower case; RangeError for another length. */
export function guidText(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError(`A GUID has 16 bytes, not ${bytes.length}`);
  const digits = ORDER.map((place) => (bytes[place] as number).toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
