/** Whole programs as assembly text: labels, data, literals, macros and sections, to bytes at their addresses. */
import type { AssemblyError } from "./line_parser.ts";
import { Assembler } from "./program_assembler.ts";
import { type Place, type Source, sourceColumn } from "./program_source.ts";

export type { Source } from "./program_source.ts";

/** How to assemble. */
export interface AssembleOptions {
  /** What messages call the source; default `program`. */
  readonly name?: string;
  /** Address of the first byte, 0 to 2^64-4, a multiple of 4; default 0. */
  readonly base?: bigint;
  /** Names the program may use, with their values (-2^63 to 2^64-1). */
  readonly symbols?: Readonly<Record<string, bigint>>;
  /** Bytes that `.incbin "name"` puts in. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

/** A line of a source. */
export interface SourceLine {
  /** The source's name. */
  readonly file: string;
  /** 1-based line. */
  readonly line: number;
}

/** An assembled program. */
export interface Program {
  /** Address of the first byte. */
  readonly base: bigint;
  /** Contents of `.text`, `.rodata` and `.data`; what follows up to `size` is zero. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes it takes in memory, `.bss` included. */
  readonly size: number;
  /** Addresses of labels, in the order of the source; `.L` labels, local labels and constants are not among them. */
  readonly symbols: ReadonlyMap<string, bigint>;
  /** Source lines by the address of what they put there; a macro's are those of its use. */
  readonly lines: ReadonlyMap<bigint, SourceLine>;
  /** Address to start at: the label `_start`, else `base`. */
  readonly entry: bigint;
}

/** One thing that is wrong with a source. */
export interface Diagnostic extends SourceLine {
  /** 1-based column. */
  readonly column: number;
  /** What is wrong; what was expected. */
  readonly message: string;
}

/** A source cannot be assembled. The message has a line `file:line:column: problem; expectation` for each reason. */
export class ProgramError extends Error {
  /** Name of the class. */
  override name = "ProgramError";
  /** The reasons, by place; at most `MAXIMUM_DIAGNOSTICS`. */
  readonly diagnostics: readonly Diagnostic[];

  /** `others` is the number of reasons left out. */
  constructor(diagnostics: readonly Diagnostic[], others = 0) {
    const lines = diagnostics.map(({ file, line, column, message }) =>
      `${file}:${line}:${column}: ${message}`
    );
    super([...lines, ...(others > 0 ? [`and ${others} more`] : [])].join("\n"));
    this.diagnostics = diagnostics;
  }
}

/** The most reasons that a `ProgramError` lists. */
export const MAXIMUM_DIAGNOSTICS = 20;

/**
 * Assembles a program; firmware/README.md describes the language. A list of sources is assembled as one text whose
 * parts have names of their own. Throws `ProgramError` for what is wrong with the source, `RangeError` for a `base` or
 * a symbol that is out of range.
 */
export function assembleProgram(source: string | readonly Source[], options: AssembleOptions = {}): Program {
  const { name = "program", base = 0n, symbols = {}, files = {} } = options;
  checkOptions(base, symbols);
  const sources = typeof source === "string" ? [{ name, text: source }] : source;
  const diagnostics = new Diagnostics(sources);
  const assembler = new Assembler(base, symbols, files, (place, error) => diagnostics.add(place, error));
  const end = assembler.read(sources);
  const bytes = assembler.write();
  if (end > 1n << 64n) diagnostics.refuseEnd(end);
  diagnostics.throwIfAny();
  const addresses = assembler.symbols.addresses();
  return {
    base,
    bytes,
    size: Number(end - base),
    symbols: addresses,
    lines: sourceLines(assembler),
    entry: addresses.get("_start") ?? base,
  };
}

function checkOptions(base: bigint, symbols: Readonly<Record<string, bigint>>): void {
  if (base < 0n || base >= 1n << 64n || base % 4n !== 0n) {
    throw new RangeError(`Cannot assemble at ${base}: not a multiple of 4 in 0 ≤ base < 2^64`);
  }
  for (const [name, value] of Object.entries(symbols)) {
    if (value >= -(1n << 63n) && value < 1n << 64n) continue;
    throw new RangeError(`Cannot use ${value} as the symbol "${name}": outside -2^63 to 2^64-1`);
  }
}

/** Where each item came from. The items of a section are in the order of their addresses. */
function sourceLines(assembler: Assembler): Map<bigint, SourceLine> {
  const lines = new Map<bigint, SourceLine>();
  for (const { base = 0n, items } of assembler.sections) {
    for (const { place, offset, size } of items) {
      if (size === 0) continue;
      const { file, line } = outermost(place);
      lines.set(base + BigInt(offset), { file, line });
    }
  }
  return lines;
}

/** The use of the macro that the place is in, in the source itself. */
function outermost(place: Place): Place {
  let outer = place;
  while (outer.call) outer = outer.call.statement;
  return outer;
}

/** Collects what is wrong, once each. */
class Diagnostics {
  readonly #order: ReadonlyMap<string, number>;
  readonly #all: Map<string, Diagnostic> = new Map();
  #others = 0;

  constructor(sources: readonly Source[]) {
    this.#order = new Map(sources.map(({ name }, index) => [name, index]));
  }

  add(place: Place, error: AssemblyError): void {
    const { file, line } = place;
    this.#add({
      file,
      line,
      column: sourceColumn(place, error.column),
      message: error.message + uses(place),
    });
  }

  refuseEnd(end: bigint): void {
    const [file = ""] = this.#order.keys();
    const message = `the program ends at 0x${end.toString(16)}, past 2^64; expected a lower base`;
    this.#add({ file, line: 1, column: 1, message });
  }

  #add(diagnostic: Diagnostic): void {
    const key = JSON.stringify(diagnostic);
    if (this.#all.has(key)) return;
    if (this.#all.size < MAXIMUM_DIAGNOSTICS) this.#all.set(key, diagnostic);
    else this.#others++;
  }

  throwIfAny(): void {
    if (this.#all.size === 0) return;
    const rank = ({ file }: Diagnostic): number => this.#order.get(file) ?? 0;
    const sorted = [...this.#all.values()].sort((a, b) =>
      rank(a) - rank(b) || a.line - b.line || a.column - b.column
    );
    throw new ProgramError(sorted, this.#others);
  }
}

/** ` (in macro "save", used at boot.s:20)`, for each macro around the place. */
function uses({ call }: Place): string {
  let text = "";
  for (let use = call, depth = 0; use && depth < 3; use = use.statement.call, depth++) {
    text += ` (in macro "${use.macro}", used at ${use.statement.file}:${use.statement.line})`;
  }
  return text;
}
