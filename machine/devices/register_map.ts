/** Register maps: a device's table of registers, and the reads and writes that follow from it. */
import { type FieldKind, u32 } from "../layout.ts";
import type { AccessContext } from "../memory/physical.ts";

/** Which way a register can be used; the other way reads zero or is ignored. */
export type Direction = "RW" | "RO" | "WO";

/** One access to a register, as the register's behaviour sees it. */
export interface RegisterAccess extends AccessContext {
  /** Number of the register in its array; 0 for a single register. */
  readonly index: number;
  /** The bits of the word that the access touches, in whole bytes. */
  readonly lanes: number;
}

/** What a register does beyond holding its value. */
export interface Behaviour<D> {
  /** Gives the whole word that is read; the register then holds no value of its own. */
  readonly read?: (device: D, access: RegisterAccess) => number;
  /** Takes the value written, zero outside the lanes and the register's width, instead of holding it. */
  readonly write?: (device: D, value: number, access: RegisterAccess) => void;
  /** Called after the value written has been held in place of `previous`. */
  readonly written?: (device: D, previous: number) => void;
}

/** One line of a data sheet's register summary; `count` registers of the kind follow one another by the word. */
export type RegisterRow<D> = readonly [
  offset: number,
  name: string,
  direction: Direction,
  bits: number,
  reset: number,
  behaviour?: Behaviour<D>,
  count?: number,
];

/** Names of the rows whose register holds a value. */
export type HeldName<R extends readonly RegisterRow<never>[]> = R[number] extends infer Row
  ? Row extends readonly [number, string, Direction, number, number, { readonly read: unknown }, ...unknown[]]
    ? never
  : Row extends readonly [number, string, "WO", ...unknown[]] ? never
  : Row extends readonly [number, infer Name extends string, ...unknown[]] ? Name
  : never
  : never;

/** The values that registers hold, unsigned, by architectural name. */
export type HeldValues<N extends string> = Record<N, number>;

/** A register at its offset. */
interface Word<D> {
  readonly name: string;
  readonly direction: Direction;
  /** Bits of its width. */
  readonly mask: number;
  readonly read: Behaviour<D>["read"];
  readonly write: Behaviour<D>["write"];
  readonly written: Behaviour<D>["written"];
  readonly index: number;
  /** The last access, since the next is mostly equal. */
  access: RegisterAccess | undefined;
}

/** An access to a register; never changed, so whoever gets it may keep it. */
function accessOf<D>(word: Word<D>, lanes: number, { cpu, secure }: AccessContext): RegisterAccess {
  const last = word.access;
  if (last !== undefined && last.lanes === lanes && last.cpu === cpu && last.secure === secure) return last;
  return word.access = { cpu, secure, index: word.index, lanes };
}

/** A device's registers: the table, what follows from it, and access by offset. */
export class RegisterMap<D, N extends string> {
  /** Section fields of the values held, in table order. */
  readonly fields: Readonly<Record<N, FieldKind<number>>>;
  readonly #words: Word<D>[] = [];
  readonly #held: RegisterRow<D>[];

  /** Takes the table; throws RangeError when registers overlap. */
  constructor(readonly rows: readonly RegisterRow<D>[]) {
    for (const row of rows) this.#place(row);
    this.#held = rows.filter(([, , direction, , , behaviour]) => !behaviour?.read && direction !== "WO");
    this.fields = Object.fromEntries(this.#held.map(([, name]) => [name, u32])) as Record<
      N,
      FieldKind<number>
    >;
  }

  #place(row: RegisterRow<D>): void {
    const [offset, name, direction, bits, , behaviour = {}, count = 1] = row;
    const { read, write, written } = behaviour, mask = maskOf(bits);
    for (let index = 0; index < count; index++) {
      const at = (offset >>> 2) + index;
      if (this.#words[at] !== undefined) throw new RangeError(`Cannot place ${name}: its offset is taken`);
      const access = undefined;
      this.#words[at] = { name, direction, mask, read, write, written, index, access };
    }
  }

  /** The values held after reset. */
  reset(): HeldValues<N> {
    return Object.fromEntries(this.#held.map(([, name, , , reset]) => [name, reset])) as HeldValues<N>;
  }

  /** Only the values held, out of a state that has more. */
  heldOf(state: HeldValues<N>): HeldValues<N> {
    return Object.fromEntries(this.#held.map(([, name]) => [name, state[name as N]])) as HeldValues<N>;
  }

  /** Reads `size` bytes at `offset`; zero where there is no register. */
  read(device: D, held: HeldValues<N>, offset: number, size: number, context: AccessContext): number {
    const word = this.#words[offset >>> 2];
    if (word === undefined) return 0;
    if (word.direction === "WO") return 0;
    const lanes = lanesOf(offset, size), { read } = word;
    const value = read === undefined ? held[word.name as N] : read(device, accessOf(word, lanes, context));
    return ((value & lanes) >>> shiftOf(offset)) >>> 0;
  }

  /** Writes `size` bytes at `offset`; ignored where nothing can be written. */
  write(
    device: D,
    held: HeldValues<N>,
    offset: number,
    size: number,
    value: number,
    context: AccessContext,
  ): void {
    const word = this.#words[offset >>> 2];
    if (word === undefined) return;
    if (word.direction === "RO") return;
    const lanes = lanesOf(offset, size) & word.mask;
    const written = ((value << shiftOf(offset)) & lanes) >>> 0;
    if (word.write !== undefined) return word.write(device, written, accessOf(word, lanes >>> 0, context));
    const name = word.name as N, previous = held[name];
    held[name] = ((previous & ~lanes) | written) >>> 0;
    word.written?.(device, previous);
  }
}

/** Checks a table of registers and makes its map: `registerMap<Device>()([row, row, …])`. */
export function registerMap<D>(): <const R extends readonly RegisterRow<D>[]>(
  rows: R,
) => RegisterMap<D, HeldName<R>> {
  return (rows) => new RegisterMap(rows);
}

/** The behaviour of an array of constant registers, such as the identification bytes of PrimeCells. */
export function constants(
  values: readonly number[],
): { readonly read: (device: unknown, access: RegisterAccess) => number } {
  return { read: (_, { index }) => values[index] as number };
}

const shiftOf = (offset: number): number => (offset & 3) * 8;
const maskOf = (bits: number): number => bits >= 32 ? -1 : (1 << bits) - 1;
const lanesOf = (offset: number, size: number): number => maskOf(size * 8) << shiftOf(offset);
