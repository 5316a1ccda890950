/** Boot entries of a DPU as UEFI has them: EFI_LOAD_OPTION with a RAM disk or a partition (UEFI 2.10 §3.1.3, §10.3.5). */
import { EFI_GUID } from "../efi/guid.ts";
import { ucs2 } from "../efi/tables.ts";
import { BODY } from "./image.ts";
import { type DpuModel, SECTOR } from "./platform.ts";

/** Device path nodes that firmware knows: type, subtype, length. */
export const RAM_DISK_NODE = [4, 9, 38] as const, PARTITION_NODE = [4, 1, 42] as const;

/** EFI_VARIABLE_NON_VOLATILE, BOOTSERVICE_ACCESS and RUNTIME_ACCESS. */
export const BOOT_ATTRIBUTES = 7;

const END = [0x7f, 0xff, 4, 0] as const;
/** EFI_VIRTUAL_DISK_GUID, as bytes. */
const VIRTUAL_DISK = "c95aab77aff9814d8ab7d05b0c9fa4c0";
/** Where numbers of a description begin; the description is UCS-2 with a zero behind it. */
const DESCRIPTION = 6;

function node(
  [type, subtype, length]: readonly [number, number, number],
): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length), view = new DataView(bytes.buffer);
  bytes.set([type, subtype]);
  view.setUint16(2, length, true);
  return { bytes, view };
}

function option(description: string, path: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = ucs2(description),
    bytes = new Uint8Array(DESCRIPTION + text.length + path.length + END.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 1, true); // LOAD_OPTION_ACTIVE
  view.setUint16(4, path.length + END.length, true);
  bytes.set(text, DESCRIPTION);
  bytes.set(path, DESCRIPTION + text.length);
  bytes.set(END, DESCRIPTION + text.length + path.length);
  return bytes;
}

/** The volatile disk's entry. */
export function ramDiskOption({ ramDisk }: DpuModel): Uint8Array<ArrayBuffer> {
  const { bytes, view } = node(RAM_DISK_NODE);
  view.setBigUint64(4, BigInt(ramDisk.base), true);
  view.setBigUint64(12, BigInt(ramDisk.base + ramDisk.size - 1), true);
  bytes.set(Uint8Array.fromHex(VIRTUAL_DISK), 20);
  return option("Installer on a volatile disk", bytes);
}

/** A partition's entry; `slot` is 0 or 1. */
export function partitionOption({ slots, slotSize }: DpuModel, slot: 0 | 1): Uint8Array<ArrayBuffer> {
  const { bytes, view } = node(PARTITION_NODE);
  view.setUint32(4, slot + 1, true);
  view.setBigUint64(8, BigInt(slots[slot]), true);
  view.setBigUint64(16, BigInt(slotSize / SECTOR), true);
  return option(`System ${"AB"[slot]}`, bytes); // signature of no type
}

/** A variable of firmware's. */
export interface BootVariable {
  /** VendorGuid. */
  readonly vendor: string;
  /** VariableName. */
  readonly name: string;
  /** `BOOT_ATTRIBUTES`. */
  readonly attributes: number;
  /** Contents. */
  readonly data: Uint8Array<ArrayBuffer>;
}

function variable(name: string, data: Uint8Array<ArrayBuffer>): BootVariable {
  return { vendor: EFI_GUID.GLOBAL_VARIABLE, name, attributes: BOOT_ATTRIBUTES, data };
}

/** The variables of a DPU whose system is in its first partition. */
export function factoryVariables(model: DpuModel): BootVariable[] {
  return [
    variable("Boot0001", partitionOption(model, 0)),
    variable("Boot0002", partitionOption(model, 1)),
    variable("BootOrder", Uint8Array.of(1, 0)),
  ];
}

/** The disk of a DPU whose system is in its first partition. Throws RangeError for an image that does not fit. */
export function factoryDisk({ slots, slotSize }: DpuModel, system: Uint8Array): Uint8Array<ArrayBuffer> {
  if (system.length < BODY || system.length > slotSize) {
    throw new RangeError(`A system of ${system.length} bytes does not fit into a partition of ${slotSize}`);
  }
  const disk = new Uint8Array(slots[1] * SECTOR + slotSize);
  disk.set(system, slots[0] * SECTOR);
  return disk;
}
