/** How stage 1 translation tables of a granule are shaped, and descriptors in them (Arm ARM D5.2, D5.3). */

/** Log2 of a translation granule: 4 KiB, 16 KiB or 64 KiB. */
export type GranuleShift = 12 | 14 | 16;

/** The granules by the names that messages and options give them. */
// deno-fmt-ignore
export const GRANULES: Readonly<Record<"4K" | "16K" | "64K", GranuleShift>> = { "4K": 12, "16K": 14, "64K": 16 };

/** Name of a granule. */
export type GranuleName = keyof typeof GRANULES;

/** What a regime of an exception level's own software is: one range from 0 up. */
export interface TranslationLayout {
  /** Log2 of the granule. */
  readonly granule: GranuleShift;
  /** Bits of an input address, 64 − TCR_ELx.T0SZ: 25–48. */
  readonly inputBits: number;
}

/** Exception levels that a loader can run at. */
export type LoaderLevel = 1 | 2 | 3;

/** Address bits that one level of a full table resolves. */
export function strideOf(granule: GranuleShift): number {
  return granule - 3;
}

/** Lowest address bit that a level resolves: log2 of what one of its descriptors covers. */
export function shiftOf(granule: GranuleShift, level: number): number {
  return granule + (3 - level) * strideOf(granule);
}

/** Level at which a walk starts. */
export function startLevel({ granule, inputBits }: TranslationLayout): number {
  return 4 - Math.ceil((inputBits - granule) / strideOf(granule));
}

/** Log2 of the largest block: 1 GiB, 32 MiB, 512 MiB. */
export function largestBlockShift(granule: GranuleShift): number {
  return shiftOf(granule, granule === 12 ? 1 : 2);
}

/** Throws RangeError for a layout that stage 1 does not have without FEAT_LPA2, FEAT_LVA and FEAT_TTST. */
export function checkLayout({ granule, inputBits }: TranslationLayout): void {
  if (!Object.values(GRANULES).includes(granule)) {
    throw new RangeError(`Cannot make translation tables: 2^${granule} is no granule`);
  }
  if (!(Number.isInteger(inputBits) && inputBits >= 25 && inputBits <= 48)) {
    throw new RangeError(
      `Cannot make translation tables: ${inputBits} bits of input address are not between 25 and 48`,
    );
  }
}

/** MAIR_ELx of the loaders: attribute 0 is Device-nGnRE, attribute 1 Normal write-back. */
export const LOADER_MAIR = 0xff04n;

const AF = 1n << 10n, INNER_SHAREABLE = 3n << 8n, NORMAL = 1n << 2n;
/** AP[1] is RES1 where a regime has one privilege only. */
const AP1 = 1n << 6n;
const XN = 1n << 54n, PXN = 1n << 53n;

/** What a mapping is for. */
export type MappingKind = "image" | "data" | "device";

/**
 * Attributes of a leaf descriptor in the regime of a level, type bits left out. An image is read, written and executed
 * by the level itself, not by EL0; data and devices are never executed.
 */
export function leafAttributes(level: LoaderLevel, kind: MappingKind): bigint {
  const memory = kind === "device" ? AF : AF | INNER_SHAREABLE | NORMAL;
  if (level === 1) return memory | XN | (kind === "image" ? 0n : PXN);
  return memory | AP1 | (kind === "image" ? 0n : XN);
}

/** TCR_ELx.TG0 and, at EL1, TG1 by granule. */
// deno-fmt-ignore
const TG: Readonly<Record<GranuleShift, { readonly tg0: bigint; readonly tg1: bigint }>> = {
  12: { tg0: 0b00n, tg1: 0b10n },
  14: { tg0: 0b10n, tg1: 0b01n },
  16: { tg0: 0b01n, tg1: 0b11n },
};

/** Walks go to Inner Shareable write-back memory: SH0 = 3, ORGN0 = 1, IRGN0 = 1. */
const CACHED_WALKS = 3n << 12n | 1n << 10n | 1n << 8n;

/**
 * TCR_ELx of a loader, the size of physical addresses left out (see `physicalSizeShift`): only TTBR0 is used, so at EL1
 * EPD1 is 1; at EL2 and EL3 bits 31 and 23 are RES1 (Arm ARM D13.2.131 to D13.2.133, TCR_EL1 to TCR_EL3).
 */
export function translationControl(level: LoaderLevel, layout: TranslationLayout): bigint {
  checkLayout(layout);
  const size = BigInt(64 - layout.inputBits), { tg0, tg1 } = TG[layout.granule];
  const common = size | CACHED_WALKS | tg0 << 14n;
  return level === 1 ? common | 1n << 23n | size << 16n | tg1 << 30n : common | 1n << 31n | 1n << 23n;
}

/** Lowest bit of TCR_EL1.IPS, or of TCR_EL2.PS and TCR_EL3.PS, which take ID_AA64MMFR0_EL1.PARange up to 48 bits. */
export function physicalSizeShift(level: LoaderLevel): number {
  return level === 1 ? 32 : 16;
}
