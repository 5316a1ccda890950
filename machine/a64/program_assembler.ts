/** The two passes over a program: the first reserves space and defines names, the second writes bytes. */
import { assembleLine } from "./assembly.ts";
import { AssemblyError } from "./line_parser.ts";
import { directive } from "./program_directives.ts";
import {
  absolute,
  type Expression,
  parseExpression,
  type Quantity,
  type Scope,
} from "./program_expression.ts";
import { Preprocessor, type Surroundings } from "./program_macros.ts";
import { NAME, Reader, shorten } from "./program_reader.ts";
import { LITERAL, takeLiteral } from "./program_literals.ts";
import { type Emit, layOut, Section, SECTION_KINDS } from "./program_sections.ts";
import { type Place, type Source, splitStatements, type Statement } from "./program_source.ts";
import { SymbolTable } from "./program_symbols.ts";
import { evaluateOperand, storeInteger } from "./program_values.ts";

/** Takes note of an error and its place. */
export type Report = (place: Place, error: AssemblyError) => void;

const WIDE_MOVE_GROUP = /:abs_g([1-3])(?:_nc)?:/;

/** One program being assembled. Directives work through its methods. */
export class Assembler implements Surroundings {
  /** All sections, in the order in which they are laid out. */
  readonly sections: readonly Section[] = SECTION_KINDS.map((kind) => new Section(kind));
  /** All names. */
  readonly symbols: SymbolTable;
  /** Byte strings that `.incbin` can name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Takes note of what is wrong. */
  readonly report: Report;
  /** The section being filled. */
  section: Section;
  #statement: Place = { file: "", line: 1, column: 1 };
  #sequence = 0;

  /** Starts an empty program at `base`; `symbols` are names it may use. */
  constructor(
    base: bigint,
    symbols: Readonly<Record<string, bigint>>,
    files: Readonly<Record<string, Uint8Array>>,
    report: Report,
  ) {
    const [text] = this.sections as [Section];
    text.base = base;
    this.section = text;
    this.symbols = new SymbolTable(symbols);
    this.files = files;
    this.report = report;
  }

  /** The first pass: reads all sources and settles all addresses; gives the address after the last. */
  read(sources: readonly Source[]): bigint {
    const preprocessor = new Preprocessor(this);
    for (const { name, text } of sources) {
      const place = { file: name, line: 1, column: 1 };
      for (const statement of preprocessor.expand(splitStatements(text, place, this.report))) {
        this.#statement = statement;
        this.#attempt(statement, () => this.#read(statement));
      }
    }
    for (const section of this.sections) {
      this.section = section;
      const [first] = section.literals.values();
      if (first) this.#attempt(first.place, () => this.placeLiterals());
    }
    const end = layOut(this.sections);
    this.symbols.isComplete = true;
    return end;
  }

  /** The second pass: the bytes of all sections that have any. */
  write(): Uint8Array<ArrayBuffer> {
    const filled = this.sections.filter(({ kind, size }) => kind.hasBytes && size > 0);
    const start = this.sections[0]?.base ?? 0n, last = filled.at(-1);
    const bytes = new Uint8Array(last ? Number((last.base ?? 0n) - start) + last.size : 0);
    const view = new DataView(bytes.buffer);
    for (const { base, items } of this.sections) {
      const offset = Number((base ?? 0n) - start);
      for (const item of items) this.#attempt(item.place, () => item.emit(view, offset + item.offset));
    }
    return bytes;
  }

  #attempt(place: Place, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      this.report(place, error);
    }
  }

  #read(statement: Statement): void {
    const reader = new Reader(statement.text);
    const label = reader.take(/([A-Za-z_.$][\w.$]*|[0-9]+)(?=\s*:)/y);
    if (label !== undefined) return this.#label(label, reader);
    const assigned = reader.take(/[A-Za-z_.$][\w.$]*(?=\s*==?(?!=))/y);
    if (assigned !== undefined) {
      reader.expect(/==?/y, '"="');
      return assigned === "." ? this.moveTo(reader) : this.equate(assigned, reader);
    }
    const word = reader.take(NAME) ?? reader.expect(/(?!)/y, "a label, a directive or an instruction");
    const act = directive(word.toLowerCase());
    if (act) return act(this, reader);
    if (word.startsWith(".")) {
      reader.fail(
        `unknown directive "${shorten(word)}"`,
        "one that firmware/README.md lists",
        reader.position - word.length + 1,
      );
    }
    this.#instruction(statement);
  }

  #label(name: string, reader: Reader): void {
    if (name === ".") reader.fail('"." is the current address', "a name", 1);
    this.#sequence++;
    try {
      this.symbols.defineLabel(name.replace(/^0+(?=\d)/, ""), this.#here(0), this.#sequence, this.#statement);
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      throw new AssemblyError(error.message, reader.position - name.length + 1);
    }
  }

  #here(offset: number): Quantity {
    return { origin: this.section, offset: BigInt(this.section.size + offset) };
  }

  /** What names mean at the current place, `offset` bytes on. */
  scope(offset = 0): Scope {
    const sequence = ++this.#sequence;
    const { symbols } = this;
    return { here: this.#here(offset), lookup: (name, column) => symbols.lookup(name, sequence, column) };
  }

  /** As `SymbolTable.identity`, at the current place. */
  identity(name: string): string | undefined {
    return this.symbols.identity(name, ++this.#sequence);
  }

  /** Parses the expression that comes next; `offset` bytes are before it in this statement. */
  expression(reader: Reader, offset = 0): Expression {
    return parseExpression(reader, this.scope(offset));
  }

  /** The expression that comes next, which must be known already. */
  evaluate(reader: Reader): bigint {
    return this.expression(reader).absolute();
  }

  /** As `evaluate`, between two bounds, as a number. */
  count(reader: Reader, lowest: number, highest: number): number {
    const { column } = reader, value = this.evaluate(reader);
    if (value >= BigInt(lowest) && value <= BigInt(highest)) return Number(value);
    reader.fail(`${value} is out of range`, `${lowest} to ${highest}`, column);
  }

  /** Whether a label or equate is defined above. */
  isDefined(name: string): boolean {
    return this.symbols.isDefined(name, this.#sequence + 1);
  }

  /** Sets an equate to the expression that comes next. */
  equate(name: string, reader: Reader): void {
    const expression = this.expression(reader);
    reader.end("an operator or the end of the statement");
    const isSet = this.symbols.setEquate(name, expression, ++this.#sequence, this.#statement);
    if (!isSet) this.#add(0, () => expression.evaluate()); // so that what it lacks is reported
  }

  /** Puts `size` bytes here; without `emit` they are zero. */
  reserve(size: number, emit?: Emit, place: Place = this.#statement): void {
    const { section } = this, { kind } = section;
    if (emit && !kind.hasBytes) {
      throw new AssemblyError(`${kind.name} has no bytes; expected .space, .align or labels only`, 1);
    }
    if (section.size + size > kind.limit) {
      throw new AssemblyError(
        `${kind.name} grows too large; expected at most ${kind.limit / 2 ** 20} MiB`,
        1,
      );
    }
    if (emit) this.#add(size, emit, place);
    section.size += size;
  }

  #add(size: number, emit: Emit, place: Place = this.#statement): void {
    const { items, size: offset } = this.section;
    items.push({ place, offset, size, emit });
  }

  /** Puts one instruction word here, which must be aligned. */
  reserveWord(emit: Emit): void {
    const misaligned = this.section.padding(4);
    if (misaligned !== 0) {
      this.section.size += misaligned; // so that only the first of many is reported
      throw new AssemblyError(
        `an instruction at ${4 - misaligned} modulo 4; expected a multiple of 4, by .balign 4 before it`,
        1,
      );
    }
    this.section.alignment = Math.max(this.section.alignment, 4);
    this.reserve(4, emit);
  }

  /** Moves on to a multiple of `alignment`, unless that takes more than `most` bytes. NOPs in code if no `fill`. */
  align(alignment: number, fill?: number, most = Infinity): void {
    const { section } = this;
    section.alignment = Math.max(section.alignment, alignment);
    const size = section.padding(alignment);
    if (size === 0 || size > most) return;
    const isCode = section.kind.isCode && fill === undefined;
    if (!isCode && !fill) return this.reserve(size);
    this.reserve(size, (view, at) => {
      for (let index = 0; index < size; index++) view.setUint8(at + index, fill ?? 0);
      // As GNU as does: zero bytes up to a multiple of 4, from there on NOP.
      if (isCode) {
        for (let index = size % 4; index < size; index += 4) view.setUint32(at + index, 0xd503201f, true);
      }
    });
  }

  /** `.org`: moves on to an address of this section, or to an offset from its start. */
  moveTo(reader: Reader): void {
    const target = this.expression(reader);
    const fill = reader.optional(() => this.count(reader, 0, 255));
    reader.end();
    const quantity = target.evaluate(), { section } = this;
    const offset = quantity.origin === section ? quantity.offset : absolute(quantity, target.column);
    const size = offset - BigInt(section.size);
    if (quantity.origin !== undefined && quantity.origin !== section) {
      reader.fail(`an address in ${quantity.origin.name}`, `one in ${section.name}`, target.column);
    }
    if (size < 0n || size > BigInt(section.kind.limit)) {
      reader.fail(
        `cannot move from offset ${section.size} to ${offset}`,
        "a place further on",
        target.column,
      );
    }
    this.fill(Number(size), fill ?? 0);
  }

  /** Puts `size` equal bytes here. */
  fill(size: number, byte: number): void {
    const isZero = byte === 0;
    this.reserve(size, isZero ? undefined : (view, at) => new Uint8Array(view.buffer, at, size).fill(byte));
  }

  #instruction(statement: Statement): void {
    const literal = takeLiteral(this, statement);
    const head = literal?.text ?? statement.text;
    const group = WIDE_MOVE_GROUP.exec(head)?.[1];
    const text = group === undefined ? head : `${head}, lsl #${16 * Number(group)}`;
    const { section } = this, scope = this.scope();
    this.reserveWord((view, at) => {
      const address = absolute(scope.here, 1);
      const evaluate = (expression: string): bigint => {
        if (expression === LITERAL) return (section.base ?? 0n) + BigInt(literal?.entry.offset ?? 0);
        return evaluateOperand(expression, scope);
      };
      const symbol = (name: string): bigint => absolute(scope.lookup(name, 1), 1);
      view.setUint32(at, assembleLine(text, { address, symbol, evaluate }), true);
    });
  }

  /** `.ltorg`: puts the literals here that wait for a place, as GNU as does: by size, in order of first use. */
  placeLiterals(): void {
    const { section } = this, literals = [...section.literals.values()];
    section.literals.clear();
    for (const size of [4, 8] as const) {
      const group = literals.filter((literal) => literal.size === size);
      if (group.length > 0) this.align(size, 0);
      for (const literal of group) {
        literal.offset = section.size;
        const { expression, place } = literal;
        this.reserve(size, (view, at) => storeInteger(view, at, size, expression), place);
      }
    }
  }
}
