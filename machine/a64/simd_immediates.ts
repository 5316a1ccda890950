/** Operand kinds of SIMD&FP immediates: shifts, fixed-point positions, floating-point constants, byte masks. */
import { AssemblyError } from "./line_parser.ts";
import { type KindFactory, numberKind } from "./operand_kind.ts";

/** A right shift by 1 to 2^width, encoded as the complement. */
const rightShift = numberKind((width) => ({
  print: (value) => String(2 ** width - value),
  parse: (line) => 2 ** width - line.immediateBetween(1, 2 ** width),
}));

/** The width of elements by size, 8 to 32. */
const elementBits = numberKind(() => ({
  print: (value) => String(8 << value),
  parse(line) {
    const bits = 8 << (line.fields.size ?? 0);
    line.immediateBetween(bits, bits);
    return line.fields.size ?? 0;
  },
}));

/** Fraction bits of a fixed-point number in a general register, 1 to its width. */
const fractionBits = numberKind(() => ({
  print: (value) => String(64 - value),
  parse: (line) => 64 - line.immediateBetween(1, line.fields.sf === 1 ? 64 : 32),
}));

/** The number an 8-bit float immediate stands for (Arm ARM: VFPExpandImm). */
function expandFloat(imm8: number): number {
  const exponent = (imm8 >> 4 & 7) ^ 4;
  return (imm8 & 128 ? -1 : 1) * (16 + (imm8 & 15)) / 16 * 2 ** (exponent - 3);
}

/** A float immediate of eight bits, `1.00000000`. */
const float8 = numberKind(() => ({
  print: (value) => expandFloat(value).toFixed(8),
  parse(line) {
    const column = line.column();
    const text = /^[+-]?\d+(\.\d*)?(e[+-]?\d+)?/i.exec(line.text.slice(line.position))?.[0];
    if (text === undefined) return line.failExpected("a floating-point number");
    for (let imm8 = 0; imm8 < 256; imm8++) {
      if (expandFloat(imm8) !== Number(text)) continue;
      line.position += text.length;
      return imm8;
    }
    throw new AssemblyError(`${text} is not a floating-point immediate of eight bits`, column);
  },
}));

/** A 64-bit mask whose bytes are 0 or 255, one bit each. */
const byteMask = numberKind(() => ({
  print(value) {
    const bytes = Array.from({ length: 8 }, (_, i) => (value >> (7 - i) & 1 ? "ff" : "00")).join("");
    return value === 0 ? bytes : `0x${bytes.replace(/^00/, "")}`; // As LLVM has it.
  },
  parse(line) {
    const { value, column } = line.immediate();
    const digits = BigInt.asUintN(64, value).toString(16).padStart(16, "0");
    if (!/^(00|ff)*$/.test(digits)) line.fail("every byte of the immediate is 0x00 or 0xff", column);
    return Array.from({ length: 8 }, (_, i) => (digits[2 * i] === "f" ? 128 >> i : 0)).reduce((a, b) =>
      a | b
    );
  },
}));

/** `, lsl #8` of vector immediates: a number of places of eight bits, left out when zero. */
const lsl8 = numberKind((width) => ({
  print: (value) => (value === 0 ? "" : `, lsl #${value * 8}`),
  parse(line) {
    if (!line.accept(",")) return 0;
    line.expect("lsl");
    return line.immediateBetween(0, 8 * (2 ** width - 1), 8) / 8;
  },
}));

/** `, msl #8` or `, msl #16`: ones are shifted in. */
const msl = numberKind(() => ({
  print: (value) => `, msl #${value * 8 + 8}`,
  parse(line) {
    line.expect(",");
    line.expect("msl");
    return line.immediateBetween(8, 16, 8) / 8 - 1;
  },
}));

/** A rotation of complex numbers: multiples of 90 degrees, of one bit 90 or 270. */
const rotation = numberKind((width) => ({
  print: (value) => String(width === 1 ? 90 + 180 * value : 90 * value),
  parse(line) {
    const { value, column } = line.immediate();
    const rotations = width === 1 ? [90n, 270n] : [0n, 90n, 180n, 270n];
    if (!rotations.includes(value)) line.fail(`a rotation is ${rotations.join(", ")}`, column);
    return rotations.indexOf(value);
  },
}));

/** Kinds of SIMD&FP immediates by name. */
export const SIMD_IMMEDIATE_KINDS: Readonly<Record<string, KindFactory>> = {
  rightShift,
  elementBits,
  fractionBits,
  float8,
  byteMask,
  lsl8,
  msl,
  rotation,
};
