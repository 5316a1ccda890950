/** What mp-mailbox makes of ACPI's tables, as pure functions: the loader on the guest must come to the same bytes. */
import type { Parking } from "./patch_device_tree.ts";

/** Offsets in a table's header, FADT and MADT (ACPI 6.4 §5.2.6, §5.2.9, §5.2.12). */
const LENGTH = 4, CHECKSUM = 9, ARM_BOOT_ARCH = 129, ENTRIES = 44;
/** The type of a GICC, and offsets in it. */
const GICC = 0xb, FLAGS = 12, VERSION = 16, PARKED = 24, MPIDR = 68;
/** Bits of ARM_BOOT_ARCH and of a GICC's flags. */
const PSCI_COMPLIANT = 1, ENABLED = 1;

/** Why a table cannot be used; undefined when its length and sum are right. */
export function tableDamage(table: Uint8Array): string | undefined {
  if (table.length < 36) return "it is shorter than a header";
  const length = new DataView(table.buffer, table.byteOffset).getUint32(LENGTH, true);
  if (length !== table.length) return `it says that it has ${length} bytes, not ${table.length}`;
  const sum = table.reduce((total, byte) => total + byte & 255, 0);
  return sum === 0 ? undefined : `its bytes have the sum ${sum}, not 0`;
}

/** A copy with its length and sum made right. */
function mended(table: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(table);
  new DataView(copy.buffer).setUint32(LENGTH, copy.length, true);
  copy[CHECKSUM] = 0;
  copy[CHECKSUM] = -copy.reduce((total, byte) => total + byte, 0) & 255;
  return copy;
}

function refuseDamaged(table: Uint8Array, name: string): void {
  const damage = tableDamage(table);
  if (damage !== undefined) throw new RangeError(`Cannot rewrite the ${name}: ${damage}`);
}

/** The FADT that offers no PSCI. Throws RangeError for a table that is damaged. */
export function parkFadt(fadt: Uint8Array): Uint8Array<ArrayBuffer> {
  refuseDamaged(fadt, "FADT");
  const copy = Uint8Array.from(fadt);
  copy[ARM_BOOT_ARCH]! &= ~PSCI_COMPLIANT;
  return mended(copy);
}

/**
 * The MADT whose GICCs name the pages that CPUs wait in, by version 1 of the parking protocol; those of dead CPUs are
 * left out. Throws RangeError for a table that is damaged.
 */
export function parkMadt(madt: Uint8Array, { cpus }: Parking): Uint8Array<ArrayBuffer> {
  refuseDamaged(madt, "MADT");
  const entries: Uint8Array[] = [madt.subarray(0, ENTRIES)];
  for (let at = ENTRIES; at < madt.length;) {
    const size = madt[at + 1]!, entry = Uint8Array.from(madt.subarray(at, at + size));
    if (size < 2 || at + size > madt.length) throw new RangeError(`Cannot rewrite the MADT: entry at ${at}`);
    at += size;
    const view = new DataView(entry.buffer);
    const isCpu = entry[0] === GICC && (view.getUint32(FLAGS, true) & ENABLED) !== 0;
    const number = isCpu ? view.getBigUint64(MPIDR, true) : undefined;
    const cpu = cpus.find((one) => one.number === number);
    if (cpu !== undefined && cpu.page === undefined) continue;
    if (cpu?.page !== undefined) {
      view.setUint32(VERSION, 1, true);
      view.setBigUint64(PARKED, cpu.page, true);
    }
    entries.push(entry);
  }
  return mended(Uint8Array.from(entries.flatMap((entry) => [...entry])));
}
