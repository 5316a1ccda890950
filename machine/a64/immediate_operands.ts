/** Operand kinds for immediates: plain, scaled, shifted, bitmask, wide moves, bitfield positions, labels, conditions. */
import { decodeBitmask, encodeBitmask } from "./bitmask.ts";
import { AssemblyError, type LineParser } from "./line_parser.ts";
import { asSigned, asUnsigned, type KindFactory, numberKind } from "./operand_kind.ts";

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** A plain unsigned immediate. */
const unsigned = numberKind((width) => ({
  print: String,
  parse: (line) => line.immediateBetween(0, 2 ** width - 1),
}));

/** A plain unsigned immediate that prints in hexadecimal, except zero. */
const hexadecimal = numberKind((width) => ({
  print: (value) => (value === 0 ? "0" : hex(value)),
  parse: (line) => line.immediateBetween(0, 2 ** width - 1),
}));

/** A signed immediate times the argument (1 by default). */
const signed = numberKind((width, argument) => {
  const scale = Number(argument || 1);
  return {
    print: (value) => String(asSigned(value, width) * scale),
    parse: (line) => takeSigned(line, width, scale),
  };
});

function takeSigned(line: LineParser, width: number, scale: number): number {
  const bound = 2 ** (width - 1) * scale;
  return asUnsigned(line.immediateBetween(-bound, bound - scale, scale) / scale, width);
}

/** `, #8`: an unsigned offset times the argument, left out when zero. */
const offset = numberKind((width, argument) => {
  const scale = Number(argument);
  return {
    print: (value) => (value === 0 ? "" : `, #${value * scale}`),
    parse: (
      line,
    ) => (line.accept(",") ? line.immediateBetween(0, (2 ** width - 1) * scale, scale) / scale : 0),
  };
});

/** `, #-8`: a signed offset times the argument, left out when zero. */
const signedOffset = numberKind((width, argument) => {
  const scale = Number(argument || 1);
  return {
    print: (value) => (value === 0 ? "" : `, #${asSigned(value, width) * scale}`),
    parse: (line) => (line.accept(",") ? takeSigned(line, width, scale) : 0),
  };
});

/** An immediate that is added where the text subtracts, or the reverse: `add x0, x0, #-1`; never printed. */
const negated = numberKind((width) => ({
  print: (value) => String(-value),
  parse(line) {
    const { value, column } = line.immediate();
    if (value < 0n) return -line.checkRange(value, column, 1 - 2 ** width, -1);
    throw new AssemblyError(`${value} is not negative`, column, "a negative immediate");
  },
}));

/** `, lsl #12`, left out when the bit is zero. */
const lsl12 = numberKind(() => ({
  print: (value) => (value === 0 ? "" : ", lsl #12"),
  parse: (line) => takeShift(line, 12, 1),
}));

/** `, lsl #16`: a number of 16-bit places, left out when zero; a 32-bit instruction has two. */
const lsl16 = numberKind((width) => ({
  print: (value) => (value === 0 ? "" : `, lsl #${value * 16}`),
  parse: (line) => takeShift(line, 16, line.fields.sf === 0 ? 1 : 2 ** width - 1),
}));

/** `, lsl #n` for n up to `most` times `step`. */
function takeShift(line: LineParser, step: number, most: number): number {
  if (!line.accept(",")) return 0;
  line.expect("lsl");
  return line.immediateBetween(0, step * most, step) / step;
}

/** Why MOV cannot take a value. */
const NOT_MOVABLE =
  "is neither 16 bits at a multiple of 16, nor the complement of such, nor a bitmask immediate";

/** A bitmask immediate in fields N, immr, imms; the argument is `inverted` for BIC and its like, `move` for MOV. */
const bitmask: KindFactory = (_fields, argument) => ({
  print([N, immr, imms], { fields }) {
    const width = fields.sf === 1 ? 64 : 32;
    const value = decodeBitmask({ N: N as number, immr: immr as number, imms: imms as number }, width) ?? 0n;
    return argument === "move" ? BigInt.asIntN(width, value).toString() : hex(value);
  },
  parse(line) {
    const width = line.fields.sf === 1 ? 64 : 32;
    const { value, column } = line.immediate();
    if (value >= 1n << BigInt(width) || value < -(1n << BigInt(width))) {
      line.fail(`${value} does not fit in ${width} bits`, column);
    }
    const wanted = BigInt.asUintN(width, argument === "inverted" ? ~value : value);
    const encoded = encodeBitmask(wanted, width);
    if (encoded !== undefined) return [encoded.N, encoded.immr, encoded.imms];
    const shown = hex(BigInt.asUintN(width, value));
    const reason = argument === "move" ? NOT_MOVABLE : `is not a bitmask immediate of ${width} bits`;
    return line.fail(`${shown} ${reason}`, column);
  },
});

/** The value moved by MOVZ, or with the argument `inverted` by MOVN, in fields imm16 and hw. */
const wide: KindFactory = (_fields, argument) => ({
  print([imm16, hw], { fields }) {
    const width = fields.sf === 1 ? 64 : 32;
    const value = BigInt(imm16 as number) << BigInt(16 * (hw as number));
    return BigInt.asIntN(width, argument === "inverted" ? ~value : value).toString();
  },
  parse(line) {
    const width = line.fields.sf === 1 ? 64 : 32;
    const { value, column } = line.immediate();
    const highest = 1n << BigInt(width);
    if (value >= highest || value < -highest / 2n) {
      line.fail(`${value} does not fit in ${width} bits`, column);
    }
    const wanted = BigInt.asUintN(width, argument === "inverted" ? ~value : value);
    for (let hw = 0; hw < width / 16; hw++) {
      const imm16 = wanted >> BigInt(16 * hw);
      if (imm16 < 0x10000n && imm16 << BigInt(16 * hw) === wanted) return [Number(imm16), hw];
    }
    return line.fail(
      `${hex(BigInt.asUintN(width, value))} ${NOT_MOVABLE}`,
      column,
    );
  },
});

/** Width of the registers of a bitfield instruction. */
const widthOf = (fields: Readonly<Record<string, number>>): number => (fields.sf === 1 ? 64 : 32);

/** The amount of LSL in fields immr and imms. */
const lslAmount: KindFactory = () => ({
  print: ([, imms], { fields }) => String(widthOf(fields) - 1 - (imms as number)),
  parse(line) {
    const width = widthOf(line.fields);
    const amount = line.immediateBetween(0, width - 1);
    return [(width - amount) % width, width - 1 - amount];
  },
});

/** The amount of LSR, ASR or ROR in the field immr. */
const amount: KindFactory = () => ({
  print: ([immr]) => String(immr),
  parse: (line) => [line.immediateBetween(0, widthOf(line.fields) - 1)],
});

/** `#lsb, #width` of an extraction (UBFX), in fields immr and imms. */
const extraction: KindFactory = () => ({
  print: ([immr, imms]) => `#${immr}, #${(imms as number) - (immr as number) + 1}`,
  parse(line) {
    const width = widthOf(line.fields);
    const lowest = line.immediateBetween(0, width - 1);
    line.expect(",");
    return [lowest, lowest + line.immediateBetween(1, width - lowest) - 1];
  },
});

/** `#lsb, #width` of an insertion (BFI), in fields immr and imms. */
const insertion: KindFactory = () => ({
  print: ([immr, imms], { fields }) => {
    const width = widthOf(fields);
    return `#${(width - (immr as number)) % width}, #${(imms as number) + 1}`;
  },
  parse(line) {
    const width = widthOf(line.fields);
    const lowest = line.immediateBetween(0, width - 1);
    line.expect(",");
    return [(width - lowest) % width, line.immediateBetween(1, width - lowest) - 1];
  },
});

/** A bit number of TBZ in fields b5 and b40; the register's width has decided b5 when it is 32. */
const bitNumber = numberKind(() => ({
  print: String,
  parse(line) {
    return line.immediateBetween(0, line.fields.isX === 1 ? 63 : 31);
  },
}));

/**
 * A label: its distance times the argument. With a known address labels print as addresses; `#8` is a distance,
 * anything else an address. The argument `page` is ADRP's: distances of 4 KiB pages.
 */
const label = numberKind((width, argument) => {
  const isPage = argument === "page";
  const scale = isPage ? 4096 : Number(argument);
  const base = (address: bigint) => (isPage ? address & ~0xfffn : address);
  return {
    print(value, { address }) {
      const distance = asSigned(value, width) * scale;
      if (address === undefined) return `#${distance}`;
      return hex(BigInt.asUintN(64, base(address) + BigInt(distance)));
    },
    parse(line) {
      const isDistance = line.seesHash();
      const { value, column } = takeLabel(line);
      const target = isPage && !isDistance ? value & ~0xfffn : value;
      const distance = isDistance ? value : BigInt.asIntN(64, target - base(line.context.address));
      const bound = 2 ** (width - 1) * scale;
      if (distance < -bound || distance >= bound) {
        line.fail(`target is ${distance} bytes away, out of range ${-bound} to ${bound - scale}`, column);
      }
      return asUnsigned(line.checkRange(distance, column, -bound, bound - scale, scale) / scale, width);
    },
  };
});

function takeLabel(line: LineParser): { value: bigint; column: number } {
  const column = line.column();
  if (!line.accept("=")) return line.immediate();
  const { value } = line.immediate();
  const { literal } = line.context;
  if (literal === undefined) line.fail("there is no literal pool here", column);
  return { value: literal(value), column };
}

const CONDITIONS = "eq ne hs lo mi pl vs vc hi ls ge lt gt le al nv".split(" ");
const CONDITION_SYNONYMS: Readonly<Record<string, string>> = { cs: "hs", cc: "lo" };

/** A condition; with the argument `inverted` the field holds the opposite one, and al and nv have none. */
const condition: KindFactory = (_fields, argument) => {
  const flip = argument === "inverted" ? 1 : 0;
  return {
    print: ([value]) => CONDITIONS[(value as number) ^ flip] as string,
    parse(line) {
      const word = line.peekWord();
      const code = CONDITIONS.indexOf(CONDITION_SYNONYMS[word] ?? word);
      if (code < 0 || (flip === 1 && code > 13)) line.failExpected("a condition");
      line.takeWord(word);
      return [code ^ flip];
    },
  };
};

/** Immediate kinds by name. */
export const IMMEDIATE_KINDS: Readonly<Record<string, KindFactory>> = {
  unsigned,
  hexadecimal,
  signed,
  offset,
  signedOffset,
  negated,
  lsl12,
  lsl16,
  bitmask,
  wide,
  lslAmount,
  amount,
  extraction,
  insertion,
  bitNumber,
  label,
  condition,
};
