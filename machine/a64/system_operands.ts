/** Operand kinds of system instructions: registers, PSTATE fields, operations, barriers, prefetches. */
import type { LineParser } from "./line_parser.ts";
import { type KindFactory, numberKind } from "./operand_kind.ts";
import {
  encodingOfSystemRegister,
  SYSTEM_INSTRUCTIONS,
  systemInstructionName,
  systemRegisterName,
} from "./system_names.ts";

/** A system register in fields o0, op1, CRn, CRm, op2; the argument is `read` or `write`. */
const systemRegister = numberKind((_width, argument) => {
  const access = argument === "write" ? "write" : "read";
  return {
    print: (value) => systemRegisterName(0x8000 | value, access),
    parse(line) {
      const column = line.column();
      const word = line.peekWord();
      const encoding = encodingOfSystemRegister(word);
      if (encoding === undefined || encoding < 0x8000) return line.failExpected("a system register");
      const isNamed = !word.startsWith("s3_") && !word.startsWith("s2_");
      if (isNamed && systemRegisterName(encoding, access).toLowerCase() !== word) {
        const other = access === "read" ? "write" : "read";
        line.fail(`${word.toUpperCase()} is a ${other}-only register`, column);
      }
      line.takeWord(word);
      return encoding & 0x7fff;
    },
  };
});

/** Takes a word that stands for a number. */
function take(line: LineParser, expected: string, meaning: (word: string) => number | undefined): number {
  const word = line.peekWord();
  const value = meaning(word) ?? line.failExpected(expected);
  line.takeWord(word);
  return value;
}

/** True when the fields are those of a named operation of this mnemonic with or without a register. */
export function isOperation(mnemonic: string, hasRegister: boolean): (fields: SystemFields) => boolean {
  return ({ op1, CRn, CRm, op2 }) => {
    const name = systemInstructionName(0x4000 | op1 << 11 | CRn << 7 | CRm << 3 | op2);
    return name !== undefined && name.startsWith(`${mnemonic} `) &&
      SYSTEM_INSTRUCTIONS[name]?.hasRegister === hasRegister;
  };
}

/** The fields of a system instruction. */
export interface SystemFields {
  /** First operation field. */
  readonly op1: number;
  /** First register field. */
  readonly CRn: number;
  /** Second register field. */
  readonly CRm: number;
  /** Second operation field. */
  readonly op2: number;
}

/** The operation of DC, IC, AT, TLBI in fields op1, CRn, CRm, op2; the argument is the mnemonic, `!` for no register. */
const operation = numberKind((_width, argument) => {
  const mnemonic = argument.replace("!", ""), hasRegister = !argument.endsWith("!");
  return {
    print: (value) => systemInstructionName(0x4000 | value)?.slice(mnemonic.length + 1) ?? "",
    parse(line) {
      return take(line, `an operation of ${mnemonic}`, (word) => {
        const found = SYSTEM_INSTRUCTIONS[`${mnemonic} ${word}`];
        return found?.hasRegister === hasRegister ? found.encoding & 0x3fff : undefined;
      });
    },
  };
});

/** `c7`: CRn or CRm of SYS. */
const controlRegister = numberKind(() => ({
  print: (value) => `c${value}`,
  parse: (line) =>
    take(line, "c0 to c15", (word) => (/^c(\d|1[0-5])$/.test(word) ? Number(word.slice(1)) : undefined)),
}));

/** A kind whose values have names, and print as `#value` where they have none; "-" is no name. */
function named(names: readonly string[], expected: string): KindFactory {
  return numberKind((width) => ({
    print: (value) => ((names[value] ?? "-") === "-" ? `#${value}` : names[value] as string),
    parse(line) {
      const index = names.indexOf(line.peekWord());
      if (index >= 0) return take(line, expected, () => index);
      if (line.peekWord() !== "") line.failExpected(expected);
      return line.immediateBetween(0, 2 ** width - 1);
    },
  }));
}

/** The domain and types of DSB and DMB, by CRm. */
const BARRIERS = "- oshld oshst osh - nshld nshst nsh - ishld ishst ish - ld st sy".split(" ");

/** Prefetch operations, by Rt: type, target level and policy. */
const PREFETCHES: string[] = ["pld", "pli", "pst"].flatMap((type) =>
  ["l1", "l2", "l3", "-"].flatMap((level) =>
    ["keep", "strm"].map((policy) => (level === "-" ? "-" : type + level + policy))
  )
);

/** ` #3` of ISB and CLREX, left out when 15. */
const optionalSy: KindFactory = (_fields, argument) => ({
  print: ([value]) => (value === 15 ? "" : ` #${value}`),
  parse(line) {
    if (line.atEnd()) return [15];
    return argument !== "" && line.accept(argument) ? [15] : [line.immediateBetween(0, 15)];
  },
});

/** `{#1}` of DCPS1 to DCPS3, left out when zero. */
const optionalImmediate = numberKind((width) => ({
  print: (value) => (value === 0 ? "" : ` #0x${value.toString(16)}`),
  parse: (line) => (line.atEnd() ? 0 : line.immediateBetween(0, 2 ** width - 1)),
}));

/** System kinds by name. */
export const SYSTEM_KINDS: Readonly<Record<string, KindFactory>> = {
  systemRegister,
  operation,
  controlRegister,
  barrier: named(BARRIERS, "a barrier type or an immediate"),
  prefetch: named(PREFETCHES, "a prefetch operation or an immediate"),
  optionalSy,
  optionalImmediate,
};
