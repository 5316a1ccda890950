/** Branded addresses: the three address spaces of the architecture cannot be mixed up. */

/** Marks an address with its space; exists in types only. */
export declare const space: unique symbol;

/** A virtual address: 64 bits, before stage 1 (Arm ARM D8.1). */
export type VirtualAddress = bigint & { readonly [space]?: "virtual" };

/** An intermediate physical address, between stage 1 and stage 2; exact as a number (at most 52 bits). */
export type IntermediateAddress = number & { readonly [space]: "intermediate" };

/** A physical address; exact as a number (at most 52 bits). */
export type PhysicalAddress = number & { readonly [space]: "physical" };

/** Brands a number as a physical address; throws RangeError outside 0 ≤ value < 2^52. */
export function physicalAddress(value: number): PhysicalAddress {
  if (!(value >= 0 && value < 2 ** 52 && Number.isInteger(value))) {
    throw new RangeError(`Cannot use ${value} as a physical address: not an integer in 0 ≤ a < 2^52`);
  }
  return value as PhysicalAddress;
}

/** Brands a number as an intermediate physical address; throws RangeError outside 0 ≤ value < 2^52. */
export function intermediateAddress(value: number): IntermediateAddress {
  return physicalAddress(value) as number as IntermediateAddress;
}

/** `0x` and lower-case hexadecimal digits, zero-padded to `digits`. */
export function hex(value: number | bigint, digits = 0): string {
  return "0x" + value.toString(16).padStart(digits, "0");
}
