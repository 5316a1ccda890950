/**
 * What configuration cycles of an NVMe controller with Enhanced Allocation give, by the specifications' words alone: PCI
 * Local Bus Specification 3.0, chapter 6; PCI Express Base Specification 5.0, 7.5 and 7.8.5. Where those leave a gap
 * between capabilities, QEMU's gap holds what is written.
 */

/** One cycle as it was seen. */
export interface Cycle {
  /** Bus, device and function. */
  readonly bdf: number;
  /** Register. */
  readonly offset: number;
  /** Bytes: 1, 2 or 4. */
  readonly size: number;
  /** What was read or written. */
  readonly value: number;
  /** A write. */
  readonly write: boolean;
}

/** Offset, value at reset and bits that can be written of words that are neither zero nor BARs; B stands for the place. */
// deno-fmt-ignore
const WORDS: readonly (readonly [offset: number, value: number, writable: number, place?: "low" | "high"])[] = [
  [0x00, 0x0010_1b36, 0],           // Device ID, Vendor ID
  [0x04, 0x0010_0000, 0x0507],      // Status: Capabilities List; Command: spaces, Bus Master, SERR#, Interrupt Disable
  [0x08, 0x0108_0202, 0],           // Class Code, Revision ID
  [0x0c, 0,           0xff],        // Cache Line Size
  [0x2c, 0x1100_1af4, 0],           // Subsystem ID
  [0x34, 0x40,        0],           // Capabilities Pointer
  [0x3c, 0x0100,      0xff],        // Interrupt Pin, Line
  [0x40, 0x0001_8014, 0],           // Enhanced Allocation, one entry
  [0x44, 0x80ff_0004, 0],           // in force, four words, BAR 0
  [0x48, 2,           0, "low"],    // Base with an upper half
  [0x4c, 0x3ffe,      0],           // MaxOffset likewise
  [0x50, 0,           0, "high"],
  [0x60, 0x0003_0001, 0],           // Power Management 3
  [0x64, 8,           3],           // PowerState, No_Soft_Reset
  [0x80, 0x0092_6010, 0],           // PCI Express 2, a Root Complex Integrated Endpoint
  [0x84, 0x8000,      0],           // Role-Based Error Reporting
  [0x88, 0,           0x0f],        // reporting of four kinds of error
  [0x8c, 0x0411,      0],
  [0x90, 0x0011_0000, 0],
  [0xa4, 0x0030_0000, 0],
];
/** Words that are read-only zeros, from and to. */
const ZEROS = [[0x18, 0x2c], [0x30, 0x34], [0x38, 0x3c], [0x54, 0x58], [0x94, 0xa4], [0xa8, 0xbc], [
  0x100,
  0x104,
]];
const FIRST_GAP = 0x40, BAR = 0x10, SIZE = 0x4000, MEMORY_64 = 4;

/** The function, at a place. */
export class Specified {
  readonly #words = new Map<number, { value: number; readonly writable: number }>();
  #low: number;
  #high: number;

  /** At power-on, `base` being where the controller's registers are. */
  constructor(private readonly base: number) {
    for (const [offset, value, writable, place] of WORDS) {
      const half = place === "low" ? base % 2 ** 32 : place === "high" ? Math.floor(base / 2 ** 32) : 0;
      this.#words.set(offset, { value: value + half, writable });
    }
    for (const [from, to] of ZEROS as [number, number][]) {
      for (let at = from; at < to; at += 4) this.#words.set(at, { value: 0, writable: 0 });
    }
    this.#low = this.#placeLow;
    this.#high = this.#placeHigh;
  }

  get #placeLow(): number {
    return base32(this.base) + MEMORY_64;
  }

  get #placeHigh(): number {
    return Math.floor(this.base / 2 ** 32);
  }

  #word(offset: number): number {
    if (offset === BAR) return this.#low;
    if (offset === BAR + 4) return this.#high;
    return this.#words.get(offset)?.value ?? 0;
  }

  /** What a read gives. */
  read(offset: number, size: number): number {
    const word = this.#word(offset - offset % 4) / 2 ** (8 * (offset % 4));
    return Math.floor(word) % 2 ** (8 * size);
  }

  /** Does a write. */
  write(offset: number, size: number, value: number): void {
    const at = offset - offset % 4, shift = 8 * (offset % 4);
    const lanes = (2 ** (8 * size) - 1) * 2 ** shift, bits = value * 2 ** shift;
    const merged = (word: number, writable: number): number => {
      const mask = (writable & lanes) >>> 0;
      return ((word & ~mask) | (bits & mask)) >>> 0;
    };
    if (at === BAR) {
      const mask = 2 ** 32 - SIZE, sized = merged(this.#low, mask);
      this.#low = (sized & mask) >>> 0 === mask ? sized : this.#placeLow;
      if (this.#high !== 2 ** 32 - 1) this.#high = this.#placeHigh;
      return;
    }
    if (at === BAR + 4) {
      const sized = merged(this.#high, 2 ** 32 - 1);
      this.#high = sized === 2 ** 32 - 1 ? sized : this.#placeHigh;
      return;
    }
    const known = this.#words.get(at);
    if (known !== undefined) known.value = merged(known.value, known.writable);
    else if (at >= FIRST_GAP) this.#words.set(at, { value: merged(0, 2 ** 32 - 1), writable: 2 ** 32 - 1 });
  }
}

const base32 = (address: number): number => address % 2 ** 32;

/** The first cycles that are not as the functions specified say, in words; what is in no place of theirs reads as ones. */
export function wrongCycles(cycles: readonly Cycle[], functions: ReadonlyMap<number, Specified>): string[] {
  const wrong: string[] = [];
  for (const { bdf, offset, size, value, write } of cycles) {
    const specified = functions.get(bdf);
    if (write) specified?.write(offset, size, value);
    else {
      const wanted = specified?.read(offset, size) ?? 2 ** (8 * size) - 1;
      if (wanted !== value) {
        wrong.push(
          `bdf ${bdf}, 0x${offset.toString(16)}/${size} reads 0x${value.toString(16)}, not 0x${
            wanted.toString(16)
          }`,
        );
      }
    }
  }
  return wrong;
}
