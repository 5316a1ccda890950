/** A program's symbols: names for addresses, and addresses for names. */
import { hex } from "../machine/address.ts";

/** A name for an address or, with a size, for a range of them. */
export interface ProgramSymbol {
  /** As its file has it; printable and without spaces, at most {@linkcode LONGEST_NAME} characters. */
  readonly name: string;
  /** Its first byte, a virtual address. */
  readonly address: bigint;
  /** Its bytes; 0 when the file does not tell. */
  readonly size: bigint;
  /** Of several names for one address, the one of the highest rank is shown. */
  readonly rank: number;
}

/** Characters of a name; what is longer is cut. */
export const LONGEST_NAME = 512;
/** More symbols than this are not read: a kernel with all its modules has a third. */
export const MOST_SYMBOLS: number = 1 << 20;

/** How far a name without a size reaches where no other follows. */
const REACH = 0x1_0000n;
/** Names looked at backwards from an address for one that reaches it, since names may be inside others. */
const DEPTH = 32;
/** A value below this in a register or field that need not be an address is taken for a number. */
const FIRST_POINTER = 0x1000n;

/** Names that assemblers give to kinds of contents ($x, $d.1) and to places of their own (.L5). */
const ASSEMBLER_NAME = /^(\$[xd](\.|$)|\.L)/;

/** Whether a name is one of the program, not of its assembler, and can be printed to a terminal. */
export function isProgramName(name: string): boolean {
  return name !== "" && !/[\s\p{C}]/u.test(name) && !ASSEMBLER_NAME.test(name);
}

function compare(left: ProgramSymbol, right: ProgramSymbol): number {
  if (left.address !== right.address) return left.address < right.address ? -1 : 1;
  if (left.rank !== right.rank) return left.rank - right.rank;
  return left.name < right.name ? 1 : left.name > right.name ? -1 : 0;
}

/** Finds names for addresses, and addresses for names. */
export class SymbolTable {
  readonly #symbols: readonly ProgramSymbol[];
  readonly #starts: BigUint64Array;
  #addresses: Map<string, Set<bigint>> | undefined;

  /** Takes symbols in any order. */
  constructor(symbols: readonly ProgramSymbol[]) {
    this.#symbols = [...symbols].sort(compare);
    this.#starts = BigUint64Array.from(this.#symbols, ({ address }) => address);
  }

  /** Whether there are no names. */
  get isEmpty(): boolean {
    return this.#symbols.length === 0;
  }

  /** All names, each once. */
  names(): Iterable<string> {
    return this.#byName().keys();
  }

  /** The addresses of a name: none, one, or several where a program has it more than once. */
  addressesOf(name: string): readonly bigint[] {
    return [...this.#byName().get(name) ?? []];
  }

  #byName(): Map<string, Set<bigint>> {
    if (this.#addresses !== undefined) return this.#addresses;
    const addresses = this.#addresses = new Map<string, Set<bigint>>();
    for (const { name, address } of this.#symbols) {
      const known = addresses.get(name);
      if (known === undefined) addresses.set(name, new Set([address]));
      else known.add(address);
    }
    return addresses;
  }

  /** The bytes of a symbol at an address: its size, or as far as the next one where its file does not tell. */
  sizeAt(address: bigint): bigint {
    const next = this.#starts[this.#countUpTo(address)];
    for (let at = this.#countUpTo(address) - 1; at >= 0 && this.#starts[at] === address; at--) {
      const { size } = this.#symbols[at]!;
      if (size > 0n) return size;
    }
    return next === undefined || next - address > REACH ? REACH : next - address;
  }

  /** The number of symbols that start at or below an address. */
  #countUpTo(address: bigint): number {
    let low = 0, high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The place of an address: `name`, `name+0x10`, or undefined where no name reaches. */
  nameOf(address: bigint): string | undefined {
    const count = this.#countUpTo(address);
    for (let at = count - 1; at >= Math.max(0, count - DEPTH); at--) {
      const { name, address: start, size } = this.#symbols[at]!;
      const offset = address - start;
      const isInside = size > 0n ? offset < size : at === count - 1 && offset < REACH;
      if (isInside) return offset === 0n ? name : `${name}+${hex(offset)}`;
    }
    return undefined;
  }

  /** ` <name+0x10>` behind an address, or nothing. */
  label(address: bigint): string {
    const name = this.nameOf(address);
    return name === undefined ? "" : ` <${name}>`;
  }

  /** The same behind a value that may be an address: small ones are taken for numbers. */
  pointerLabel(value: bigint): string {
    return value < FIRST_POINTER ? "" : this.label(value);
  }

  /** Puts labels behind the addresses of a text, which are hexadecimal and no immediates (`#0x…`). */
  annotate(text: string): string {
    if (this.isEmpty) return text;
    return text.replace(/(?<![#\w])0x[0-9a-f]{1,16}(?!\w)/g, (found) => found + this.label(BigInt(found)));
  }
}

/** No names: for whoever was given no symbols. */
export const NO_SYMBOLS: SymbolTable = new SymbolTable([]);
