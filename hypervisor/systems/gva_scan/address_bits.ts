/** Arithmetic on addresses and register fields that a scan needs in several places. */

/** `width` bits of a register from bit `lowest` up. */
export function bitsOf(value: bigint, lowest: number, width: number): bigint {
  return BigInt.asUintN(width, value >> BigInt(lowest));
}

/** The same as a number; at most 53 bits. */
export function fieldOf(value: bigint, lowest: number, width: number): number {
  return Number(bitsOf(value, lowest, width));
}

/** Bytes that one descriptor of a level translates; `granule` is log2 of the granule's bytes (Arm ARM D8.2). */
export function levelSpan(granule: number, level: number): bigint {
  return 1n << BigInt(granule + (3 - level) * (granule - 3));
}

/** The first multiple of `span` after an address. */
export function nextMultiple(address: bigint, span: bigint): bigint {
  return (address / span + 1n) * span;
}
