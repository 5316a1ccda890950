/** The tables of a dual-width address space: what may be mapped where, so that the width of addresses protects the kernel. */
import type { TranslationLayout } from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";
import { DESCRIPTOR, KERNEL_BASE, type KernelForm, PAGE, SHIM, USER_LIMIT } from "./layout.ts";

/** Both regimes walk four levels of 4 KiB tables from level 0: with T0SZ = 16, and with 17, which uses half the root. */
export const DUAL_LAYOUT: TranslationLayout = { granule: 12, inputBits: 48 };

/** What software may do with a page besides reading it. */
export interface PageUse {
  /** Writing. */
  readonly write?: boolean;
  /** Executing. */
  readonly execute?: boolean;
  /** Device-nGnRnE memory instead of Normal. */
  readonly device?: boolean;
}

const KERNEL_ENTRIES = 256 * 8;

/** Attributes of a leaf: the EL2 format, or that of a regime with two levels of privilege. */
function attributesOf(form: KernelForm, isUser: boolean, { write, execute, device }: PageUse): bigint {
  const { AF, INNER, NORMAL, EL0, READ_ONLY, XN, PXN } = DESCRIPTOR;
  let bits = AF | (device ? 0n : NORMAL | INNER) | (write ? 0n : READ_ONLY);
  if (form === "el2") return bits | EL0 | (execute ? 0n : XN); // AP[1] is RES1, PXN RES0
  bits |= isUser ? EL0 | PXN : XN;
  if (isUser ? !execute : execute) return isUser ? bits | XN : bits;
  return isUser ? bits : bits | PXN;
}

/** One root: the kernel's half, which all processes share, or that and a process's own half. */
export class AddressSpace {
  readonly #tables: TranslationTableBuilder;

  /** `base` is the physical address of the root, a multiple of 4096, with `capacity` pages for tables from there on. */
  constructor(
    readonly form: KernelForm,
    base: number,
    capacity: number,
    kernel?: AddressSpace,
  ) {
    this.#tables = new TranslationTableBuilder(DUAL_LAYOUT, BigInt(base), capacity);
    if (kernel === undefined) return;
    this.bytes.set(kernel.bytes.subarray(KERNEL_ENTRIES, PAGE), KERNEL_ENTRIES);
  }

  /** The tables' bytes, the root first. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#tables.bytes;
  }

  /** Maps one page for the kernel. Throws RangeError for an address that EL0 could name. */
  mapKernel(virtual: bigint, physical: number, use: PageUse): void {
    if (virtual < KERNEL_BASE[this.form]) {
      throw new RangeError(
        `Cannot map a page of the kernel at 0x${virtual.toString(16)}: EL0 reaches what is below 0x${
          KERNEL_BASE[this.form].toString(16)
        }`,
      );
    }
    this.#map(virtual, physical, attributesOf(this.form, false, use));
  }

  /** Maps one page of a process. Throws RangeError for an address past those of EL0, and for the shim's. */
  mapUser(virtual: bigint, physical: number, use: PageUse): void {
    if (virtual >= SHIM) {
      const why = virtual >= USER_LIMIT ? "EL0 cannot name it" : "the shim is there";
      throw new RangeError(`Cannot map a page of a process at 0x${virtual.toString(16)}: ${why}`);
    }
    this.#map(virtual, physical, attributesOf(this.form, true, use) | DESCRIPTOR.OWNED);
  }

  /**
   * Maps the page of EL1 vectors. Throws RangeError unless it is read-only and executable: with AP = 0b01 EL1 may not
   * execute it (Arm ARM D8.4.2), and EL0 could change it.
   */
  mapShim(physical: number, use: PageUse): void {
    if (use.write) {
      throw new RangeError("Cannot map the shim writable: EL1 does not execute what EL0 can write");
    }
    if (!use.execute) {
      throw new RangeError("Cannot map the shim without execute permission: EL1's vectors are there");
    }
    this.#map(SHIM, physical, attributesOf(this.form, true, use));
  }

  #map(virtual: bigint, physical: number, attributes: bigint): void {
    this.#tables.map({ virtual, physical: BigInt(physical), size: BigInt(PAGE), attributes });
  }
}
