/** Operand kinds for registers, shifted and extended ones included. */
import type { KindFactory } from "./operand_kind.ts";
import type { LineParser, PrintContext } from "./line_parser.ts";

interface RegisterName {
  readonly letter: string;
  readonly number: number;
  /** What register 31 was called: `zr`, `sp`, or "" for the others. */
  readonly role: "zr" | "sp" | "";
}

const REGISTERS = new Map<string, RegisterName>([
  ["sp", { letter: "x", number: 31, role: "sp" }],
  ["wsp", { letter: "w", number: 31, role: "sp" }],
  ["xzr", { letter: "x", number: 31, role: "zr" }],
  ["wzr", { letter: "w", number: 31, role: "zr" }],
  ["fp", { letter: "x", number: 29, role: "" }],
  ["lr", { letter: "x", number: 30, role: "" }],
]);
for (const letter of "xwbhsdqv") {
  const count = letter === "x" || letter === "w" ? 31 : 32;
  for (let number = 0; number < count; number++) {
    REGISTERS.set(`${letter}${number}`, { letter, number, role: "" });
  }
}

/** Name of general-purpose register `n`; register 31 is named by its role. */
function registerName(letter: "x" | "w", n: number, role: "zr" | "sp"): string {
  if (n !== 31) return `${letter}${n}`;
  if (role === "zr") return `${letter}zr`;
  return letter === "x" ? "sp" : "wsp";
}

function describe(letters: string, role: "zr" | "sp"): string {
  const width = letters === "xw" ? "a general-purpose" : letters === "x" ? "a 64-bit" : "a 32-bit";
  return `${width} register${role === "sp" ? " or the stack pointer" : ""}`;
}

/** Takes a general-purpose register of one of the widths whose register 31 has this role. */
function takeRegister(line: LineParser, letters: string, role: "zr" | "sp"): RegisterName {
  const word = line.peekWord();
  const register = REGISTERS.get(word);
  const isOfKind = register !== undefined && letters.includes(register.letter) &&
    (register.role === "" || register.role === role);
  if (!isOfKind) line.failExpected(describe(letters, role));
  line.takeWord(word);
  return register;
}

/** A register of fixed width; several fields must be the same register. */
function fixedWidth(letter: "x" | "w", role: "zr" | "sp"): KindFactory {
  return (fields) => ({
    print: ([n]) => registerName(letter, n as number, role),
    parse(line) {
      const { number } = takeRegister(line, letter, role);
      return fields.map(() => number);
    },
  });
}

/** A register whose width is that of the fields named in the argument (`sf` by default, `sf+N` for both). */
function variableWidth(role: "zr" | "sp"): KindFactory {
  return (fields, argument) => {
    const widthFields = (argument || "sf").split("+");
    return {
      print: ([n], context) => registerName(isWide(context, widthFields) ? "x" : "w", n as number, role),
      parse(line) {
        const column = line.column();
        const { letter, number } = takeRegister(line, "xw", role);
        const other = describe(letter === "x" ? "w" : "x", role);
        for (const field of widthFields) line.bind(field, letter === "x" ? 1 : 0, other, column);
        return fields.map(() => number);
      },
    };
  };
}

function isWide(context: PrintContext, widthFields: readonly string[]): boolean {
  return context.fields[widthFields[0] as string] === 1;
}

/** Two consecutive registers as wide as `sf` says, the first even: `x0, x1`. */
const pair: KindFactory = () => ({
  print([n], context) {
    const letter = isWide(context, ["sf"]) ? "x" : "w";
    return [n as number, (n as number) + 1].map((each) => registerName(letter, each, "zr")).join(", ");
  },
  parse(line) {
    const column = line.column();
    const { letter, number } = takeRegister(line, "xw", "zr");
    if (number % 2 !== 0) line.fail("the first register of a pair is even", column);
    line.bind("sf", letter === "x" ? 1 : 0, describe(letter === "x" ? "w" : "x", "zr"), column);
    line.expect(",");
    line.expect(registerName(letter as "x" | "w", number + 1, "zr"));
    return [number];
  },
});

/** A SIMD&FP register seen as a scalar of the width its letter says. */
const scalar: KindFactory = (fields, letter) => ({
  print: ([n]) => `${letter}${n}`,
  parse(line) {
    const word = line.peekWord();
    const register = REGISTERS.get(word);
    if (register === undefined || register.letter !== letter) {
      return line.failExpected(`a register ${letter}0 to ${letter}31`);
    }
    line.takeWord(word);
    return fields.map(() => register.number);
  },
});

const SHIFTS = ["lsl", "lsr", "asr", "ror"];

/** An optional `, lsl #3` after a register; the argument tells how many of lsl, lsr, asr and ror there are. */
const shift: KindFactory = (_fields, count) => {
  const names = SHIFTS.slice(0, Number(count));
  return {
    print: ([type, amount]) => (type === 0 && amount === 0 ? "" : `, ${SHIFTS[type as number]} #${amount}`),
    parse(line) {
      if (!line.accept(",")) return [0, 0];
      const word = line.peekWord();
      if (!names.includes(word)) line.failExpected(names.join(", "));
      line.takeWord(word);
      return [names.indexOf(word), line.immediateBetween(0, line.fields.sf === 1 ? 63 : 31)];
    },
  };
};

const EXTENDS = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];

/**
 * An extended register, `w1, uxtb #2`. Where a field named in the argument (`Rd+Rn`) is the stack pointer, the
 * extension that changes nothing is `lsl`, and is left out when it does not shift.
 */
const extended: KindFactory = (_fields, argument) => {
  const stackFields = argument.split("+");
  return {
    print([Rm, option, amount], { fields }) {
      const name = registerName(
        (option as number) % 4 === 3 && fields.sf === 1 ? "x" : "w",
        Rm as number,
        "zr",
      );
      const isPlain = option === (fields.sf === 1 ? 3 : 2) &&
        stackFields.some((field) => fields[field] === 31);
      if (isPlain) return amount === 0 ? name : `${name}, lsl #${amount}`;
      return `${name}, ${EXTENDS[option as number]}${amount === 0 ? "" : ` #${amount}`}`;
    },
    parse(line) {
      const plain = line.fields.sf === 1 ? 3 : 2;
      const hasStack = stackFields.some((field) => line.fields[field] === 31);
      const column = line.column();
      const { letter, number } = takeRegister(line, "xw", "zr");
      let option = plain, amount = 0;
      if (!hasStack) line.expect(",");
      if (!hasStack || line.accept(",")) {
        const word = line.peekWord();
        option = word === "lsl" && hasStack ? plain : EXTENDS.indexOf(word);
        if (option < 0) line.failExpected(`${hasStack ? "lsl, " : ""}${EXTENDS.join(", ")}`);
        line.takeWord(word);
        amount = word === "lsl" || line.seesHash() ? line.immediateBetween(0, 4) : 0;
      }
      const needed = option % 4 === 3 && line.fields.sf === 1 ? "x" : "w";
      if (letter === needed) return [number, option, amount];
      line.position = column - 1;
      return line.failExpected(describe(needed, "zr"));
    },
  };
};

/** A register offset of an address, `x1, lsl #3` or `w1, sxtw`; the argument is the shift when S is one. */
const index: KindFactory = (_fields, argument) => {
  const scale = Number(argument);
  return {
    print([Rm, option, S]) {
      const name = registerName((option as number) % 4 === 3 ? "x" : "w", Rm as number, "zr");
      const extension = option === 3 ? "lsl" : EXTENDS[option as number];
      if (S === 1) return `${name}, ${extension} #${scale}`;
      return option === 3 ? name : `${name}, ${extension}`;
    },
    parse(line) {
      const { letter, number } = takeRegister(line, "xw", "zr");
      const names = letter === "x" ? ["lsl", "sxtx"] : ["uxtw", "sxtw"];
      if (letter === "x" && !line.accept(",")) return [number, 3, 0];
      if (letter === "w") line.expect(",");
      const word = line.peekWord();
      if (!names.includes(word)) line.failExpected(names.join(" or "));
      line.takeWord(word);
      const option = word === "lsl" ? 3 : EXTENDS.indexOf(word);
      if (word !== "lsl" && !line.seesHash()) return [number, option, 0];
      const { value, column } = line.immediate();
      if (value !== 0n && value !== BigInt(scale)) line.fail(`shift ${value} is not 0 or ${scale}`, column);
      return [number, option, value === BigInt(scale) ? 1 : 0];
    },
  };
};

/** The register of TBZ: 32-bit names are for bits below 32, 64-bit names are read for all (see `bitNumber`). */
const tested: KindFactory = () => ({
  print: ([n], { fields }) => registerName(fields.b5 === 1 ? "x" : "w", n as number, "zr"),
  parse(line) {
    const { letter, number } = takeRegister(line, "xw", "zr");
    line.fields.isX = letter === "x" ? 1 : 0;
    return [number];
  },
});

/** `, x3` of SYS and its like, left out when register 31. */
const optionalX: KindFactory = () => ({
  print: ([n]) => (n === 31 ? "" : `, ${registerName("x", n as number, "zr")}`),
  parse: (line) => [line.accept(",") ? takeRegister(line, "x", "zr").number : 31],
});

/** The register of RET, left out when it is X30. */
const returnX: KindFactory = () => ({
  print: ([n]) => (n === 30 ? "" : ` ${registerName("x", n as number, "zr")}`),
  parse: (line) => [line.atEnd() ? 30 : takeRegister(line, "x", "zr").number],
});

/** Register kinds by name. */
export const REGISTER_KINDS: Readonly<Record<string, KindFactory>> = {
  x: variableWidth("zr"),
  xsp: variableWidth("sp"),
  x64: fixedWidth("x", "zr"),
  w32: fixedWidth("w", "zr"),
  pair,
  xsp64: fixedWidth("x", "sp"),
  wsp32: fixedWidth("w", "sp"),
  scalar,
  shift,
  extended,
  index,
  tested,
  optionalX,
  returnX,
};
