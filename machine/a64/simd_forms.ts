/** What the tables of Advanced SIMD share: which element sizes exist, and texts of vector and scalar operands. */

/** A bit of an encoding. */
export type Bit = "0" | "1";

/** Element sizes an instruction has, of b, h, s and d. */
export type Sizes = "b" | "bh" | "bhs" | "bhsd" | "hs" | "hsd" | "bd" | "d";

/** The field that gives an element's size: 8 bits shifted left by it. */
export interface SizeField {
  /** 0 to 3. */
  readonly size: number;
}

/** Condition of a row: its field `size` is one of these. */
export function hasSize(sizes: Sizes): { when: (fields: SizeField) => boolean } {
  return { when: ({ size }) => sizes.includes("bhsd".charAt(size)) };
}

/** Condition of a row of vectors: as `hasSize`, and 64-bit elements need a 128-bit vector. */
export function hasVectorSize(
  sizes: Sizes,
): { when: (fields: SizeField & { readonly Q: number }) => boolean } {
  return { when: ({ size, Q }) => sizes.includes("bhsd".charAt(size)) && (size < 3 || Q === 1) };
}

/** Condition of a row of floating-point vectors: doubles need a 128-bit vector. */
export const hasFloatSize: { when: (fields: { readonly sz: number; readonly Q: number }) => boolean } = {
  when: ({ sz, Q }) => sz === 0 || Q === 1,
};

/** Text of a vector operand. */
export function vector(register: string, choice: string): string {
  return `{${register}:vector(${choice})}`;
}

/** Text of a scalar operand. */
export function scalar(register: string, choice: string): string {
  return `{${register}:chosenScalar(${choice})}`;
}

/** `Rd, Rn` or `Rd, Rn, Rm` of one kind. */
export function operands(of: typeof vector, choice: string, registers: readonly string[]): string {
  return registers.map((register) => of(register, choice)).join(", ");
}

/** Fields that name an element to multiply by. */
export type IndexedFields = Readonly<Record<"M" | "Rm" | "H" | "L", number>>;

/** The register and index that the fields name for elements of 16 (scale 1), 32 or 64 bits. */
export function indexedElement(
  scale: number,
  { M, Rm, H, L }: IndexedFields,
): { readonly register: number; readonly index: number } {
  if (scale === 1) return { register: Rm, index: H << 2 | L << 1 | M };
  return { register: M << 4 | Rm, index: scale === 2 ? H << 1 | L : H };
}
