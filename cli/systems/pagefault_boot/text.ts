/** Numbers as pagefault-boot's checks tell them. */

/** A number of 64 bits in hexadecimal. */
export function hexText(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}
