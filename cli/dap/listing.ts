/** Code as a client sees it: disassembled, a function at a time, as if that were its source. */
import { disassemble } from "../../machine/a64/assembly.ts";
import { hex } from "../../machine/address.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { peekMemory } from "../../machine/debugger_memory.ts";
import type { SymbolTable } from "../symbols.ts";

/** Bytes of a listing on each side of an address that no function has, and the most of one. */
const AROUND = 128n, LONGEST = 1n << 15n;
/** Listings that are remembered. */
const MOST_LISTINGS = 4096;

/** An instruction. */
export interface InstructionLine {
  /** Its address. */
  readonly address: bigint;
  /** Its word; undefined where there is no memory. */
  readonly word: number | undefined;
  /** In assembly, addresses with their names. */
  readonly text: string;
}

/** The instructions from an address on, as a CPU sees memory now. */
export function instructionsAt(
  cpu: Cpu,
  start: bigint,
  count: number,
  symbols: SymbolTable,
): InstructionLine[] {
  const lines: InstructionLine[] = [];
  while (lines.length < count) {
    const address = BigInt.asUintN(64, start + 4n * BigInt(lines.length));
    const bytes = peekMemory(cpu, address, 4 * (count - lines.length));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const word = view.getUint32(at, true), here = BigInt.asUintN(64, address + BigInt(at));
      lines.push({ address: here, word, text: symbols.annotate(disassemble(word, here)) });
    }
    if (lines.length < count) {
      const next = BigInt.asUintN(64, start + 4n * BigInt(lines.length));
      lines.push({ address: next, word: undefined, text: "no memory here" });
    }
  }
  return lines;
}

/** The place of an address: a function's name, or nothing, and how far behind its beginning. */
export function placeOf(symbols: SymbolTable, address: bigint): { name: string; offset: bigint } | undefined {
  const text = symbols.nameOf(address);
  if (text === undefined) return undefined;
  const [, name, offset] = /^(.*?)(?:\+(0x[0-9a-f]+))?$/s.exec(text)!;
  return { name: name!, offset: offset === undefined ? 0n : BigInt(offset) };
}

/** A stretch of code with a number by which clients ask for it. */
export interface Listing {
  /** The protocol's `sourceReference`. */
  readonly reference: number;
  /** For people. */
  readonly name: string;
  /** Address of the first line's instruction. */
  readonly start: bigint;
  /** Lines. */
  readonly count: number;
}

/** The listings that a client was told of. */
export class Listings {
  readonly #byStart = new Map<bigint, Listing>();
  readonly #byReference = new Map<number, Listing>();

  /** Names for addresses. */
  constructor(private readonly symbols: SymbolTable) {}

  /** The listing that an address is in. */
  of(address: bigint): Listing {
    const place = placeOf(this.symbols, address);
    const begin = place === undefined ? (address & ~(AROUND - 1n)) - AROUND : address - place.offset;
    const start = BigInt.asUintN(64, begin & ~3n);
    const known = this.#byStart.get(start);
    if (known !== undefined && address < known.start + 4n * BigInt(known.count)) return known;
    const size = place === undefined ? 3n * AROUND : this.symbols.sizeAt(start);
    const reaches = address - start + 4n;
    const bytes = size > LONGEST ? LONGEST : size, length = bytes < reaches ? reaches : bytes;
    return this.#add(place?.name ?? hex(start), start, Number((length + 3n) / 4n));
  }

  #add(name: string, start: bigint, count: number): Listing {
    if (this.#byReference.size >= MOST_LISTINGS) {
      this.#byStart.clear();
      this.#byReference.clear();
    }
    const listing = { reference: this.#nextReference(), name, start, count };
    this.#byStart.set(start, listing);
    this.#byReference.set(listing.reference, listing);
    return listing;
  }

  #references = 0;
  #nextReference(): number {
    return ++this.#references;
  }

  /** The listing of a number; undefined for one that nobody was told of. */
  numbered(reference: number): Listing | undefined {
    return this.#byReference.get(reference);
  }

  /** The text of a listing, a line for each instruction. */
  text(cpu: Cpu, { start, count }: Listing): string {
    return instructionsAt(cpu, start, count, this.symbols).map(({ address, word, text }) =>
      `${hex(address, 16)}  ${word === undefined ? "        " : word.toString(16).padStart(8, "0")}  ${text}`
    ).join("\n");
  }
}

/** A listing as the protocol's `Source`. */
export function sourceOf({ name, reference }: Listing): object {
  return {
    name: `${name} (disassembly)`,
    sourceReference: reference,
    origin: "disassembled from the guest's memory",
  };
}
