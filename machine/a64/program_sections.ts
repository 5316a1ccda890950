/** Sections of a program: what was reserved in each, its literal pool, and how they follow one another. */
import type { Expression, Origin } from "./program_expression.ts";
import type { Place } from "./program_source.ts";

/** Writes the bytes of an item, once all addresses are settled; `at` is its first byte in the view. */
export type Emit = (view: DataView, at: number) => void;

/** Space that something takes in a section. */
export interface Item {
  /** What put it there. */
  readonly place: Place;
  /** Bytes from the section's first address. */
  readonly offset: number;
  /** Length in bytes. */
  readonly size: number;
  /** Writes its bytes. */
  readonly emit: Emit;
}

/** A constant to be put into a literal pool. */
export interface Literal {
  /** Length in bytes: 4 or 8. */
  readonly size: 4 | 8;
  /** The instruction that loads it. */
  readonly place: Place;
  /** Its value. */
  readonly expression: Expression;
  /** Offset in the section, once the pool is placed. */
  offset: number | undefined;
}

/** What a section of some name is like. */
export interface SectionKind {
  /** Its name. */
  readonly name: string;
  /** Least alignment of its first address, in bytes. */
  readonly alignment: number;
  /** Whether alignment is filled with NOP. */
  readonly isCode: boolean;
  /** Whether it has bytes of its own; otherwise it is zero. */
  readonly hasBytes: boolean;
  /** The most bytes it can have. */
  readonly limit: number;
}

const MIB = 1 << 20;

/** In the order in which they are laid out. */
// deno-fmt-ignore
export const SECTION_KINDS: readonly SectionKind[] = [
  { name: ".text",   alignment: 4,  isCode: true,  hasBytes: true,  limit: 256 * MIB },
  { name: ".rodata", alignment: 8,  isCode: false, hasBytes: true,  limit: 256 * MIB },
  { name: ".data",   alignment: 8,  isCode: false, hasBytes: true,  limit: 256 * MIB },
  { name: ".bss",    alignment: 16, isCode: false, hasBytes: false, limit: 3072 * MIB },
];

/** One section of a program being assembled. */
export class Section implements Origin {
  /** What it is like. */
  readonly kind: SectionKind;
  /** What it holds, by ascending offset. */
  readonly items: Item[] = [];
  /** Literals that no pool was placed for yet; those that share one place share a key. */
  readonly literals: Map<string, Literal> = new Map();
  /** Its first address, once known. */
  base: bigint | undefined;
  /** Bytes reserved so far. */
  size = 0;
  /** Alignment of its first address in bytes, a power of two. */
  alignment: number;

  /** An empty section. */
  constructor(kind: SectionKind) {
    this.kind = kind;
    this.alignment = kind.alignment;
  }

  /** Its name, with the dot. */
  get name(): string {
    return this.kind.name;
  }

  /** Bytes to the next multiple of `alignment`; where the first address is not known, it is going to be one. */
  padding(alignment: number): number {
    const address = (this.base ?? 0n) + BigInt(this.size);
    return Number(-address & (BigInt(alignment) - 1n));
  }
}

/** Settles the addresses of all sections after the first; gives the address after the last. */
export function layOut(sections: readonly Section[]): bigint {
  let end = 0n;
  for (const section of sections) {
    const alignment = BigInt(section.alignment);
    section.base ??= section.size === 0 ? end : (end + alignment - 1n) / alignment * alignment;
    end = section.base + BigInt(section.size);
  }
  return end;
}
