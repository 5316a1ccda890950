/**
 * A block of SHA-256 (FIPS 180-4) by the instructions of FEAT_SHA256, as A64 for the programs that hash. The digest is in
 * Q0 and Q1, X0 goes on behind the block, X5 along the constants; V5, V16 to V19 and what a form names are changed.
 */

/** The first primes. */
function primes(count: number): bigint[] {
  const found: bigint[] = [];
  for (let n = 2n; found.length < count; n++) {
    if (found.every((prime) => n % prime !== 0n)) found.push(n);
  }
  return found;
}

/** The first 32 bits of the fraction of a prime's root of degree 2 or 3 (FIPS 180-4, 4.2.2 and 5.3.3). */
function rootFraction(prime: bigint, degree: 2n | 3n): bigint {
  const target = prime << (32n * degree);
  let root = 0n;
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) {
    const tried = root + bit;
    if (tried * tried * (degree === 2n ? 1n : tried) <= target) root = tried;
  }
  return BigInt.asUintN(32, root);
}

const words = (count: number, degree: 2n | 3n): string =>
  primes(count).map((prime) => `        .word   0x${rootFraction(prime, degree).toString(16)}\n`).join("");

/** The digest of nothing yet, 32 bytes. */
export const SHA256_START: string = words(8, 2n);
/** The constants of the rounds, 256 bytes; they have to be aligned to 16 bytes. */
export const SHA256_CONSTANTS: string = words(64, 3n);

/**
 * What a program's block is free in: its registers, and instructions in either order. The bytes of programs are parts of
 * recorded states, so each keeps the form that it was written in.
 */
export interface Sha256Form {
  /** Two vectors that keep the digest before the block. */
  readonly kept: readonly [string, string];
  /** The number of a vector for the constants of four rounds, and how they are loaded and added. */
  readonly constants: number;
  readonly load: "LD1" | "LDR";
  /** The vector that SHA256H2 finds the first half in; it is taken before the schedule goes on, or behind. */
  readonly half: string;
  readonly takesHalf: "first" | "second";
}

/** What four rounds begin with: V5 = the words of the schedule and their constants. */
const LOADS: Readonly<Record<Sha256Form["load"], (constants: number, word: string) => string>> = {
  LD1: (constants, word) => `
        ld1     {v${constants}.4s}, [x5], #16
        add     v5.4s, v${constants}.4s, ${word}.4s`,
  LDR: (constants, word) => `
        ldr     q${constants}, [x5], #16
        add     v5.4s, ${word}.4s, v${constants}.4s`,
};

/** Four rounds; the schedule goes around in V16 to V19, and is complete before the last four times. */
function fourRounds({ constants, load, half, takesHalf }: Sha256Form, quad: number): string {
  const word = (index: number): string => `v${16 + (quad + index) % 4}`;
  const take = `
        mov     ${half}.16b, v0.16b`;
  const expand = quad >= 12 ? "" : `
        sha256su0 ${word(0)}.4s, ${word(1)}.4s`;
  const expanded = quad >= 12 ? "" : `
        sha256su1 ${word(0)}.4s, ${word(2)}.4s, ${word(3)}.4s`;
  return `${LOADS[load](constants, word(0))}${takesHalf === "first" ? take + expand : expand + take}
        sha256h q0, q1, v5.4s
        sha256h2 q1, ${half.replace("v", "q")}, v5.4s${expanded}`;
}

/** Takes the block at X0 into the schedule, and keeps the digest. */
export function sha256Begin({ kept: [first, second] }: Sha256Form): string {
  return `
        ldp     q16, q17, [x0], #32
        ldp     q18, q19, [x0], #32
        rev32   v16.16b, v16.16b
        rev32   v17.16b, v17.16b
        rev32   v18.16b, v18.16b
        rev32   v19.16b, v19.16b
        mov     ${first}.16b, v0.16b
        mov     ${second}.16b, v1.16b`;
}

/** The rounds, with X5 at the constants, and the sum with the digest before. */
export function sha256Rounds(form: Sha256Form): string {
  const { kept: [first, second] } = form;
  return `${Array.from({ length: 16 }, (_, quad) => fourRounds(form, quad)).join("")}
        add     v0.4s, v0.4s, ${first}.4s
        add     v1.4s, v1.4s, ${second}.4s`;
}
