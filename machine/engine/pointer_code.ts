/**
 * Pointer authentication in WebAssembly: the cipher on a vector of sixteen cells, and what adds, checks and strips codes
 * by the rules that the driver put into the block SHARED (`PointerRules`). The meaning is pointer_authentication.ts's.
 */
import {
  ALPHA,
  CONSTANTS,
  inverse,
  MIX,
  ROUNDS,
  SHUFFLE,
  SUBSTITUTION,
  TWEAK_MOVED,
  TWEAK_SHUFFLE,
} from "../cpu/qarma5.ts";
import { ERROR_CODES, POINTER_RULE } from "../cpu/pointer_authentication.ts";
import type { CodeWriter, SharedFunction } from "../wasm/code_writer.ts";
import { SHARED } from "./threaded_layout.ts";

const CELLS = 16;

/** A vector of cells as its constant: cell 0 is the lowest byte. */
function vectorOf(cells: readonly number[]): bigint {
  return cells.reduceRight((vector, cell) => vector << 8n | BigInt(cell), 0n);
}

/** The cells of 64 bits, the most significant first. */
function cellsOf(value: bigint): number[] {
  return Array.from({ length: CELLS }, (_, index) => Number(value >> BigInt(4 * (15 - index)) & 15n));
}

const each = (cell: number): bigint => vectorOf(new Array<number>(CELLS).fill(cell));

/** Writes QARMA5, one operation on the vector that is on the stack after another. */
class Cipher {
  readonly #spare: number;

  constructor(private readonly code: CodeWriter) {
    this.#spare = code.takeLocal("v128");
  }

  /** Spreads the i64 on the stack. */
  spread(): void {
    const { code } = this, spare = this.#spare;
    code.i64x2Splat();
    code.localTee(spare);
    code.i32Const(4);
    code.i8x16ShrU();
    code.localGet(spare);
    this.#constant(each(15));
    code.v128And();
    code.i8x16Shuffle(Array.from({ length: CELLS }, (_, cell) => 7 - (cell >> 1) + (cell & 1) * CELLS));
  }

  /** Its opposite. */
  gather(): void {
    const { code } = this, spare = this.#spare;
    const every = (first: number) =>
      Array.from({ length: CELLS }, (_, byte) => byte < 8 ? 14 - 2 * byte + first : 0);
    code.localTee(spare);
    code.localGet(spare);
    code.i8x16Shuffle(every(0));
    code.i32Const(4);
    code.i8x16Shl();
    code.localGet(spare);
    code.localGet(spare);
    code.i8x16Shuffle(every(1));
    code.v128Or();
    code.i64x2ExtractLane(0);
  }

  #constant(value: bigint): void {
    this.code.v128Const(value);
  }

  /** Adds locals. */
  add(...locals: number[]): void {
    for (const local of locals) {
      this.code.localGet(local);
      this.code.v128Xor();
    }
  }

  addConstant(value: bigint): void {
    if (value === 0n) return;
    this.#constant(vectorOf(cellsOf(value)));
    this.code.v128Xor();
  }

  #rotate(count: number): void {
    const { code } = this, spare = this.#spare;
    code.localTee(spare);
    code.i32Const(count);
    code.i8x16Shl();
    code.localGet(spare);
    code.i32Const(4 - count);
    code.i8x16ShrU();
    code.v128Or();
    this.#constant(each(15));
    code.v128And();
  }

  shuffle(order: readonly number[]): void {
    const { code } = this, spare = this.#spare;
    code.localTee(spare);
    code.localGet(spare);
    code.i8x16Shuffle(order);
  }

  /** M on the columns. */
  mix(): void {
    const { code } = this, state = code.takeLocal("v128");
    code.localSet(state);
    for (const [index, [distance, rotation]] of MIX.entries()) {
      code.localGet(state);
      this.shuffle(Array.from({ length: CELLS }, (_, cell) => (cell + 4 * distance) % CELLS));
      this.#rotate(rotation);
      if (index > 0) code.v128Xor();
    }
    code.releaseLocal(state);
  }

  /** Substitutes every cell. */
  substitute(table: readonly number[]): void {
    const { code } = this, state = code.takeLocal("v128");
    code.localSet(state);
    this.#constant(vectorOf(table));
    code.localGet(state);
    code.i8x16Swizzle();
    code.releaseLocal(state);
  }

  /** The tweak of the next round. */
  moveTweak(): void {
    const { code } = this, cells = code.takeLocal("v128"), moved = code.takeLocal("v128");
    this.shuffle(TWEAK_SHUFFLE);
    code.localTee(cells);
    code.i32Const(1);
    code.i8x16ShrU();
    code.localTee(moved);
    code.localGet(cells);
    code.v128Xor();
    code.i32Const(3);
    code.i8x16Shl();
    this.#constant(each(8));
    code.v128And();
    code.localGet(moved);
    code.v128Or();
    code.localGet(cells);
    this.#constant(
      vectorOf(Array.from({ length: CELLS }, (_, cell) => TWEAK_MOVED.includes(cell) ? 255 : 0)),
    );
    code.v128Bitselect();
    for (const local of [moved, cells]) code.releaseLocal(local);
  }
}

const UNSHUFFLE = inverse(SHUFFLE), RESTORATION = inverse(SUBSTITUTION);

/** `qarma5`: text, tweak, upper and lower half of the key. */
export const QARMA5: SharedFunction = {
  parameters: ["i64", "i64", "i64", "i64"],
  result: "i64",
  write: (code) => {
    const cipher = new Cipher(code);
    const spreadTo = (push: () => void): number => {
      const local = code.takeLocal("v128");
      push();
      cipher.spread();
      code.localSet(local);
      return local;
    };
    const tweaks = [spreadTo(() => code.localGet(1))];
    for (let round = 1; round <= ROUNDS; round++) {
      const next = code.takeLocal("v128");
      code.localGet(tweaks[round - 1] as number);
      cipher.moveTweak();
      code.localSet(next);
      tweaks.push(next);
    }
    const first = spreadTo(() => code.localGet(2)), key = spreadTo(() => code.localGet(3));
    const last = spreadTo(() => {
      for (const [index, rotate] of [true, false].entries()) {
        code.localGet(2);
        code.i64Const(rotate ? 1 : 63);
        if (rotate) code.i64Rotr();
        else code.i64ShrU();
        if (index > 0) code.i64Xor();
      }
    });
    const central = tweaks[ROUNDS] as number;
    code.localGet(0);
    cipher.spread();
    cipher.add(first);
    for (let round = 0; round < ROUNDS; round++) {
      cipher.add(key, tweaks[round] as number);
      cipher.addConstant(CONSTANTS[round] as bigint);
      if (round > 0) forward(cipher);
      cipher.substitute(SUBSTITUTION);
    }
    cipher.add(last, central);
    forward(cipher);
    cipher.substitute(SUBSTITUTION);
    forward(cipher);
    cipher.add(key);
    cipher.shuffle(UNSHUFFLE);
    cipher.substitute(RESTORATION);
    backward(cipher);
    cipher.add(first, central);
    for (let round = ROUNDS - 1; round >= 0; round--) {
      cipher.substitute(RESTORATION);
      if (round > 0) backward(cipher);
      cipher.add(key, tweaks[round] as number);
      cipher.addConstant(CONSTANTS[round] as bigint ^ ALPHA);
    }
    cipher.add(last);
    cipher.gather();
  },
};

function forward(cipher: Cipher): void {
  cipher.shuffle(SHUFFLE);
  cipher.mix();
}

function backward(cipher: Cipher): void {
  cipher.mix();
  cipher.shuffle(UNSHUFFLE);
}

/** Parameters of functions about a pointer: it, its modifier, the offset of a key, that of SHARED, the key's number. */
const POINTER = { pointer: 0, modifier: 1, key: 2, shared: 3, number: 4 } as const;
const PARAMETERS = ["i64", "i64", "i32", "i32", "i32"] as const;

const BIT_55 = 1n << 55n;

/** Writes functions about one pointer. */
class PointerWriter {
  readonly #isUpper: number;
  readonly #extension: number;
  readonly #original: number;
  readonly #code: number;

  constructor(private readonly code: CodeWriter) {
    this.#isUpper = code.takeLocal("i32");
    [this.#extension, this.#original, this.#code] = ["i64", "i64", "i64"].map(() =>
      code.takeLocal("i64")
    ) as [number, number, number];
  }

  /** Pushes 1 for keys of data. */
  #isData(): void {
    const { code } = this;
    code.localGet(POINTER.number);
    code.i32Const(1);
    code.i32ShrU();
  }

  #bit(number: number): void {
    const { code } = this;
    code.localGet(POINTER.pointer);
    code.i64Const(number);
    code.i64ShrU();
    code.i32WrapI64();
    code.i32Const(1);
    code.i32And();
  }

  /** Finds out what of the pointer is its address, and what it was before it was signed. */
  format(isSigned: boolean): void {
    const { code } = this;
    this.#bit(55);
    if (!isSigned) {
      this.#bit(63);
      code.localGet(POINTER.shared);
      code.i32Load(SHARED.pointerKeys);
      code.i32Const(POINTER_RULE.byBit55);
      this.#isData();
      code.i32Shl();
      code.i32And();
      code.select();
    }
    code.localSet(this.#isUpper);
    code.localGet(POINTER.shared);
    this.#isData();
    code.i32Const(4);
    code.i32Shl();
    code.i32Add();
    code.localGet(this.#isUpper);
    code.i32Const(3);
    code.i32Shl();
    code.i32Add();
    code.i64Load(SHARED.pointerExtensions);
    code.localSet(this.#extension);
    code.localGet(POINTER.pointer);
    code.localGet(this.#extension);
    code.i64Or();
    this.#withoutExtension(POINTER.pointer);
    code.localGet(this.#isUpper);
    code.select();
    code.localSet(this.#original);
  }

  #withoutExtension(local: number): void {
    const { code } = this;
    code.localGet(local);
    code.localGet(this.#extension);
    code.i64Const(-1);
    code.i64Xor();
    code.i64And();
  }

  original(): void {
    this.code.localGet(this.#original);
  }

  /** Computes the code of the pointer that was signed. */
  compute(): void {
    const { code } = this;
    code.localGet(this.#original);
    code.localGet(POINTER.modifier);
    pushKey(code, POINTER.key);
    code.callShared(QARMA5);
    code.localSet(this.#code);
  }

  /** Pushes a bit, higher where the top byte counts. */
  #place(bit: bigint): void {
    const { code } = this;
    code.i64Const(bit << 61n);
    code.i64Const(bit << 53n);
    code.localGet(this.#extension);
    code.i64Const(0);
    code.i64LtS();
    code.select();
  }

  /** Pushes the pointer with its code. */
  sign(): void {
    const { code } = this, above = code.takeLocal("i64");
    code.localGet(POINTER.pointer);
    code.localGet(this.#extension);
    code.i64And();
    code.localTee(above);
    code.i64Const(0);
    code.i64Ne();
    code.localGet(above);
    code.localGet(this.#extension);
    code.i64Ne();
    code.i32And();
    code.if();
    code.localGet(this.#code);
    this.#place(2n);
    code.i64Xor();
    code.localSet(this.#code);
    code.end();
    this.#withoutExtension(POINTER.pointer);
    code.localGet(this.#code);
    code.localGet(this.#extension);
    code.i64And();
    code.i64Const(~BIT_55);
    code.i64And();
    code.i64Or();
    code.localGet(this.#isUpper);
    code.i64ExtendI32U();
    code.i64Const(55);
    code.i64Shl();
    code.i64Or();
    code.releaseLocal(above);
  }

  /** Pushes the pointer without its code, or with an error. */
  check(): void {
    const { code } = this;
    code.localGet(this.#code);
    code.localGet(POINTER.pointer);
    code.i64Xor();
    code.localGet(this.#extension);
    code.i64And();
    code.i64Const(~BIT_55);
    code.i64And();
    code.i64Eqz();
    code.if("i64");
    code.localGet(this.#original);
    code.else();
    code.localGet(this.#original);
    this.#place(3n);
    code.i64Const(-1);
    code.i64Xor();
    code.i64And();
    this.#place(ERROR_CODES[0]);
    this.#place(ERROR_CODES[1]);
    code.localGet(POINTER.number);
    code.i32Const(1);
    code.i32And();
    code.i32Eqz();
    code.select();
    code.i64Or();
    code.end();
  }

  /** Returns the pointer as it is where the key is not enabled. */
  returnUnlessEnabled(): void {
    const { code } = this;
    code.localGet(POINTER.shared);
    code.i32Load(SHARED.pointerKeys);
    code.localGet(POINTER.number);
    code.i32ShrU();
    code.i32Const(1);
    code.i32And();
    code.i32Eqz();
    code.if();
    code.localGet(POINTER.pointer);
    code.return();
    code.end();
  }
}

/** Pushes both halves of the key at an offset in a local, the upper one first. */
function pushKey(code: CodeWriter, local: number): void {
  code.localGet(local);
  code.i64Load(8);
  code.localGet(local);
  code.i64Load();
}

/** `addPac`. */
export const ADD_PAC: SharedFunction = {
  parameters: PARAMETERS,
  result: "i64",
  write: (code) => {
    const writer = new PointerWriter(code);
    writer.returnUnlessEnabled();
    writer.format(false);
    writer.compute();
    writer.sign();
  },
};

/** `authenticate`. */
export const AUTHENTICATE: SharedFunction = {
  parameters: PARAMETERS,
  result: "i64",
  write: (code) => {
    const writer = new PointerWriter(code);
    writer.returnUnlessEnabled();
    writer.format(true);
    writer.compute();
    writer.check();
  },
};

/** `stripPac`; the modifier and the key do not matter. */
export const STRIP_PAC: SharedFunction = {
  parameters: PARAMETERS,
  result: "i64",
  write: (code) => {
    const writer = new PointerWriter(code);
    writer.format(true);
    writer.original();
  },
};

/** `genericPac`: the pointer is any value. */
export const GENERIC_PAC: SharedFunction = {
  parameters: PARAMETERS,
  result: "i64",
  write: (code) => {
    code.localGet(POINTER.pointer);
    code.localGet(POINTER.modifier);
    pushKey(code, POINTER.key);
    code.callShared(QARMA5);
    code.i64Const(-1n << 32n);
    code.i64And();
  },
};
