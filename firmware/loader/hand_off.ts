/** The record that a loader leaves where it hands over: where it is, where it came from, and its tables. */

/** Fields of 8 bytes in the order of the record. */
// deno-fmt-ignore
export const HAND_OFF_FIELDS = [
  /** The machine (physical) address that the image was loaded at. */
  "machineAddress",
  /** The virtual address that it was linked at and now runs at. */
  "virtualAddress",
  /** virtualAddress − machineAddress, modulo 2^64. */
  "difference",
  /** Exception level, 1–3. */
  "level",
  /** Physical address of the first translation table. */
  "tables",
  /** Log2 of the granule. */
  "granule",
  /** Bytes of the image, a multiple of the granule. */
  "size",
  /** Aborts taken on the way; 0 on the path without one. */
  "aborts",
  /** ESR_ELx of the last abort. */
  "syndrome",
  /** FAR_ELx of the last abort. */
  "faultAddress",
  /** ELR_ELx of the last abort. */
  "returnAddress",
  /** Physical address of a kernel image to start; 0 for none. */
  "kernel",
  /** Physical address of its device tree; 0 for none. */
  "deviceTree",
] as const;

/** Name of a field of the record. */
export type HandOffField = (typeof HAND_OFF_FIELDS)[number];

/** A record as read. */
export type HandOff = Readonly<Record<HandOffField, bigint>>;

/** Bytes of a record. */
export const HAND_OFF_SIZE: number = HAND_OFF_FIELDS.length * 8;

/** Byte offset of a field. */
export function handOffOffset(field: HandOffField): number {
  return HAND_OFF_FIELDS.indexOf(field) * 8;
}

/** Equates `HAND_OFF_<FIELD>` for assembly, upper snake case: `HAND_OFF_MACHINE_ADDRESS`. */
export const HAND_OFF_EQUATES: string = HAND_OFF_FIELDS.map((field) =>
  `        .equ    HAND_OFF_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}, ${
    handOffOffset(field)
  }\n`
).join("");

/** Reads a record from memory; `read` gives 8 bytes, little-endian. */
export function readHandOff(read: (address: bigint) => bigint, address: bigint): HandOff {
  return Object.fromEntries(
    HAND_OFF_FIELDS.map((field) => [field, read(address + BigInt(handOffOffset(field)))]),
  ) as Record<HandOffField, bigint>;
}
