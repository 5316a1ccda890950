/** Bitmask immediates: what logical instructions and bitfields encode as N, immr and imms (Arm ARM: DecodeBitMasks). */

/** The fields of a bitmask immediate. */
export interface Bitmask {
  /** One for elements of 64 bits. */
  readonly N: number;
  /** Rotation to the right. */
  readonly immr: number;
  /** Element size and number of ones. */
  readonly imms: number;
}

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

/** Rotates the low `width` bits to the right. */
export function rotateRight(value: bigint, amount: number, width: number): bigint {
  const n = BigInt(amount % width);
  return (value >> n | value << (BigInt(width) - n)) & ones(width);
}

/** The immediate of a logical instruction of 32 or 64 bits, or undefined when the encoding is reserved. */
export function decodeBitmask({ N, immr, imms }: Bitmask, width: number): bigint | undefined {
  const length = 31 - Math.clz32(N << 6 | (~imms & 63));
  const size = 2 ** length;
  if (length < 1 || size > width) return undefined;
  const count = imms & (size - 1), rotation = immr & (size - 1);
  if (count === size - 1) return undefined;
  const element = rotateRight(ones(count + 1), rotation, size);
  return element * (ones(width) / ones(size));
}

/** The encoding of an unsigned value of 32 or 64 bits, or undefined when it is not a bitmask immediate. */
export function encodeBitmask(value: bigint, width: number): Bitmask | undefined {
  if (value <= 0n || value >= ones(width)) return undefined;
  let size = width;
  while (size > 2) {
    const half = BigInt(size / 2);
    if ((value & ones(size / 2)) !== (value >> half & ones(size / 2))) break;
    size /= 2;
  }
  const element = value & ones(size);
  for (let rotation = 0; rotation < size; rotation++) {
    const run = rotateRight(element, size - rotation, size);
    if ((run & (run + 1n)) !== 0n) continue;
    const count = run.toString(2).length;
    const imms = size === 64 ? count - 1 : (~(size * 2 - 1) & 63) | (count - 1);
    return { N: size === 64 ? 1 : 0, immr: rotation, imms };
  }
  return undefined;
}
