/** Memory attributes in MAIR_ELx form, and how the two stages combine (Arm ARM D8.6). */

/** Type, cacheability and shareability of memory. */
export interface MemoryAttributes {
  /** Eight bits as in MAIR_ELx; bits 7–4 zero are Device memory. */
  readonly attribute: number;
  /** As in descriptors: 0 non-shareable, 2 outer, 3 inner. */
  readonly shareability: number;
}

/** Device-nGnRnE: data accesses with stage 1 off. */
export const DEVICE_NGNRNE: MemoryAttributes = { attribute: 0x00, shareability: 2 };
/** Normal, write-back, non-shareable: stage 1 off under HCR_EL2.DC. */
export const DEFAULT_CACHEABLE: MemoryAttributes = { attribute: 0xff, shareability: 0 };
/** Normal, write-through, outer shareable: fetches with stage 1 off and SCTLR_ELx.I set. */
export const FETCH_CACHEABLE: MemoryAttributes = { attribute: 0xaa, shareability: 2 };
/** Normal, non-cacheable: fetches with stage 1 off. */
export const NON_CACHEABLE: MemoryAttributes = { attribute: 0x44, shareability: 2 };

/** True for Device memory of any kind. */
export function isDevice(attribute: number): boolean {
  return attribute < 0x10;
}

const DEVICE_KINDS = [0x00, 0x04, 0x08, 0x0c];
/** Non-cacheable, write-through and write-back nibbles of stage 2; read- and write-allocate. 0 is reserved. */
const NORMAL_NIBBLES = [0x4, 0x4, 0xb, 0xf];

/** Attributes of a stage 2 descriptor's MemAttr[3:0]; `disabled` is HCR_EL2.CD or ID for the access. */
export function stage2Attribute(memAttr: number, disabled: boolean): number {
  if (memAttr < 4) return DEVICE_KINDS[memAttr] as number;
  if (disabled) return NON_CACHEABLE.attribute;
  return ((NORMAL_NIBBLES[memAttr >> 2] as number) << 4) | (NORMAL_NIBBLES[memAttr & 3] as number);
}

/** The weaker cacheability of two nibbles, with the allocation hints of stage 1. */
function combineNibbles(first: number, second: number): number {
  if (first === 4 || second === 4) return 4;
  const writeThrough = (nibble: number) => nibble >> 2 === 0 || nibble >> 2 === 2;
  if (writeThrough(first)) return first;
  return writeThrough(second) ? 8 | (first & 3) : first;
}

/** Device before Normal, the stricter Device kind, the weaker cacheability, the wider shareability. */
export function combineAttributes(first: MemoryAttributes, second: MemoryAttributes): MemoryAttributes {
  const a = first.attribute, b = second.attribute;
  if (isDevice(a) || isDevice(b)) {
    const strictest = Math.min(isDevice(a) ? a : 0xc, isDevice(b) ? b : 0xc);
    return { attribute: strictest, shareability: 2 };
  }
  const attribute = (combineNibbles(a >> 4, b >> 4) << 4) | combineNibbles(a & 15, b & 15);
  const shares = [first.shareability, second.shareability];
  const shareability = attribute === 0x44 || shares.includes(2) ? 2 : shares.includes(3) ? 3 : 0;
  return { attribute, shareability };
}
