/** Names of a program: labels, local labels, and equates that may be set again; each lookup knows where it stands. */
import { AssemblyError } from "./line_parser.ts";
import { constant, type Expression, type Quantity, UnknownError } from "./program_expression.ts";
import { shorten } from "./program_reader.ts";
import type { Place } from "./program_source.ts";

interface Definition {
  /** Definitions and statements are numbered in program order; a lookup sees those before it. */
  readonly sequence: number;
  readonly place: Place | undefined;
  readonly isLabel: boolean;
  /** The value; undefined while `expression` could not be evaluated. */
  quantity: Quantity | undefined;
  readonly expression: Expression | undefined;
}

/** Equates defined by other equates, in a chain. */
const MAXIMUM_CHAIN = 50;

/** What `1b` and `1f` say: digits without leading zeros, and where to look. */
interface LocalLabel {
  readonly digits: string;
  readonly isBackward: boolean;
}

function localLabel(name: string): LocalLabel | undefined {
  const [, digits, direction] = /^0*(\d+)([bf])$/.exec(name) ?? [];
  return digits === undefined ? undefined : { digits, isBackward: direction === "b" };
}

/** All names of one program. */
export class SymbolTable {
  readonly #definitions: Map<string, Definition[]> = new Map();
  #chain = 0;
  /** Set when all definitions are in, and all addresses settled. */
  isComplete = false;

  /** Starts with equates given from outside. */
  constructor(symbols: Readonly<Record<string, bigint>>) {
    for (const [name, value] of Object.entries(symbols)) {
      this.#add(name, { sequence: 0, isLabel: false, quantity: constant(value) });
    }
  }

  #add(name: string, definition: Partial<Definition> & Pick<Definition, "sequence" | "isLabel">): void {
    const list = this.#definitions.get(name);
    const whole = { place: undefined, quantity: undefined, expression: undefined, ...definition };
    if (list) list.push(whole);
    else this.#definitions.set(name, [whole]);
  }

  /** Defines a label: a local one (digits) as often as wanted, any other once. */
  defineLabel(name: string, quantity: Quantity, sequence: number, place: Place): void {
    const [other] = this.#definitions.get(name) ?? [];
    if (other && !/^\d/.test(name)) throw twice(name, other, 1);
    this.#add(name, { sequence, place, isLabel: true, quantity });
  }

  /** Sets an equate: now if its expression is known, otherwise when it is used (false). */
  setEquate(name: string, expression: Expression, sequence: number, place: Place): boolean {
    const [other] = this.#definitions.get(name) ?? [];
    if (other?.isLabel) throw twice(name, other, 1);
    let quantity: Quantity | undefined;
    try {
      quantity = expression.evaluate();
    } catch (error) {
      if (!(error instanceof UnknownError)) throw error;
    }
    this.#add(name, { sequence, place, isLabel: false, quantity, expression });
    return quantity !== undefined;
  }

  /** Whether the name is defined before this point. */
  isDefined(name: string, sequence: number): boolean {
    const [first] = this.#definitions.get(name) ?? [];
    return first !== undefined && first.sequence < sequence;
  }

  /** A text that is the same for all names of one label, local ones included; undefined for `.` and equates. */
  identity(name: string, sequence: number): string | undefined {
    const local = localLabel(name);
    if (local) {
      const before = countBefore(this.#definitions.get(local.digits) ?? [], sequence);
      return `${local.digits}#${local.isBackward ? before - 1 : before}`;
    }
    const isPlain = name !== "." && (this.#definitions.get(name) ?? []).every(({ isLabel }) => isLabel);
    return isPlain ? name : undefined;
  }

  /** The meaning of a name at a point of the program; throws `UnknownError` if it has none there. */
  lookup(name: string, sequence: number, column: number): Quantity {
    const local = localLabel(name);
    if (local) return this.#lookupLocal(local, sequence, column);
    const list = this.#definitions.get(name) ?? [];
    const definition = list[countBefore(list, sequence) - 1] ?? list.at(-1);
    const isForward = definition && definition.sequence >= sequence;
    if (!definition || isForward && !definition.isLabel && !this.isComplete) {
      throw this.#unknown(name, column);
    }
    return definition.quantity ??= this.#resolve(name, definition, column);
  }

  #unknown(name: string, column: number): UnknownError {
    return this.isComplete
      ? new UnknownError(
        `undefined symbol "${shorten(name)}"; expected a label or an equate of this program`,
        column,
      )
      : new UnknownError(`"${shorten(name)}" is not known yet; expected a value defined above`, column);
  }

  #lookupLocal({ digits, isBackward }: LocalLabel, sequence: number, column: number): Quantity {
    const list = this.#definitions.get(digits) ?? [];
    const index = countBefore(list, sequence);
    const quantity = list[isBackward ? index - 1 : index]?.quantity;
    if (quantity) return quantity;
    if (!isBackward && !this.isComplete) throw this.#unknown(`${digits}f`, column);
    const where = isBackward ? "above" : "below";
    throw new UnknownError(
      `no local label ${digits} ${where} this line; expected "${digits}:" ${where}`,
      column,
    );
  }

  #resolve(name: string, { expression }: Definition, column: number): Quantity {
    if (this.#chain === MAXIMUM_CHAIN || !expression) {
      throw new AssemblyError(
        `"${
          shorten(name)
        }" is defined through itself or through more than ${MAXIMUM_CHAIN} other names; expected fewer`,
        column,
      );
    }
    this.#chain++;
    try {
      return expression.evaluate();
    } catch (error) {
      // The column would be one of the equate's line.
      if (!(error instanceof UnknownError)) throw error;
      throw new UnknownError(error.message, column);
    } finally {
      this.#chain--;
    }
  }

  /** Addresses of the labels, and of equates that stand for one, by name; local and `.L` labels left out. */
  addresses(): Map<string, bigint> {
    const addresses = new Map<string, bigint>();
    for (const [name, list] of this.#definitions) {
      const { origin, offset } = list.at(-1)?.quantity ?? constant(0n);
      const isPrivate = name.startsWith(".L") || /^\d/.test(name);
      if (!isPrivate && origin?.base !== undefined) {
        addresses.set(name, BigInt.asUintN(64, origin.base + offset));
      }
    }
    return addresses;
  }
}

function twice(name: string, other: Definition, column: number): AssemblyError {
  const where = other.place ? `${other.place.file}:${other.place.line}` : "the symbols given from outside";
  return new AssemblyError(
    `"${shorten(name)}" is defined twice; expected one definition, but ${where} has one`,
    column,
  );
}

/** How many of the definitions come before this point. */
function countBefore(list: readonly Definition[], sequence: number): number {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = low + high >> 1;
    if ((list[middle] as Definition).sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
