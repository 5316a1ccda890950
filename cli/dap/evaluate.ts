/** Expressions of a client: registers, names, numbers, and what the expression language makes of them. */
// cel-js: see journal/predicate.ts.
import { Environment } from "cel";
import { hex } from "../../machine/address.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { peekMemory } from "../../machine/debugger_memory.ts";
import type { Machine } from "../../machine/machine.ts";
import { addStateFunctions } from "../../journal/predicate.ts";
import { generalRegisters, systemRegisters, vectorRegisters } from "../cpu_view.ts";
import { UsageError } from "../errors.ts";
import { suggestion } from "../suggest.ts";
import type { SymbolTable } from "../symbols.ts";

/** What an expression is about. */
export interface Subject {
  /** The machine, between two steps. */
  readonly machine: Machine;
  /** The CPU whose registers are meant. */
  readonly cpu: Cpu;
  /** Names of the program. */
  readonly symbols: SymbolTable;
}

/** A value that came out. */
export type Value = bigint | boolean | number | string;

/** A register's value by its name, in any case; undefined where there is none. */
export function registerNamed(cpu: Cpu, name: string): bigint | undefined {
  const plain = name.replace(/^\$/, "").toLowerCase();
  const general = { lr: "x30", fp: "x29" }[plain] ?? plain;
  const narrow = /^w([0-9]|[12][0-9]|30)$/.exec(general);
  if (narrow !== null) return BigInt.asUintN(32, cpu.registers.x(Number(narrow[1])));
  if (general === "el") return BigInt(cpu.el);
  if (general === "nzcv") return BigInt(cpu.registers.nzcv);
  if (general === "daif") return BigInt(cpu.daif);
  for (const list of [generalRegisters, vectorRegisters, systemRegisters]) {
    const found = list(cpu).find(([known]) => known.toLowerCase() === general);
    if (found !== undefined) return found[1];
  }
  return undefined;
}

/** A number, a register or a name; undefined for what is none of these alone. */
export function simpleValue({ cpu, symbols }: Subject, text: string): bigint | undefined {
  const word = text.trim();
  if (/^(0x[0-9a-f_]{1,20}|[0-9]{1,20})$/i.test(word)) return BigInt(word.replaceAll("_", ""));
  return registerNamed(cpu, word) ?? symbols.addressesOf(word)[0];
}

/** A sum or difference of such values as addresses are added: the expression language has no numbers above 2^63. */
function sum(subject: Subject, text: string): bigint | undefined {
  const [, left = "", sign, right = ""] = /^([^-+]+)([-+])([^-+]+)$/.exec(text) ?? [];
  const first = simpleValue(subject, left), second = simpleValue(subject, right);
  if (first === undefined || second === undefined) return undefined;
  return BigInt.asUintN(64, sign === "-" ? first - second : first + second);
}

/** An address; throws UsageError for what is none. */
export function addressOf(subject: Subject, text: string): bigint {
  const value = simpleValue(subject, text) ?? evaluate(subject, text);
  if (typeof value === "bigint" && value >= 0n && value < 2n ** 64n) return value;
  throw new UsageError(`"${text}" is no address`);
}

function readVirtual(cpu: Cpu, address: bigint, size: bigint): bigint {
  if (![1n, 2n, 4n, 8n].includes(size)) throw new UsageError(`load() reads 1, 2, 4 or 8 bytes, not ${size}`);
  const bytes = peekMemory(cpu, BigInt.asUintN(64, address), Number(size));
  if (bytes.length < Number(size)) {
    throw new UsageError(`There is no memory at ${hex(BigInt.asUintN(64, address))}`);
  }
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Names that an expression uses and that are not its own. */
function variablesOf({ machine, cpu }: Subject, expression: string): Map<string, bigint> {
  const found = new Map([
    ["instant", BigInt(machine.instant)],
    ["time", BigInt(machine.virtualTime)],
    ["cpu", BigInt(cpu.index)],
  ]);
  for (const name of expression.match(/\b[A-Za-z][A-Za-z0-9_]*\b/g) ?? []) {
    const value = found.has(name) ? undefined : registerNamed(cpu, name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

function lookUp({ symbols }: Subject, name: string): bigint {
  const [address] = symbols.addressesOf(name);
  if (address !== undefined) return address;
  throw new UsageError(`There is no symbol "${name}"${suggestion(name, [...symbols.names()])}`);
}

/**
 * The value of an expression: that of `bisect --when`, with registers by name and `load(virtualAddress, bytes)` besides.
 * Throws UsageError, or what the expression language throws, as an error with a message for people.
 */
export function evaluate(subject: Subject, expression: string): Value {
  const simple = simpleValue(subject, expression) ?? sum(subject, expression);
  if (simple !== undefined) return simple;
  const environment = addStateFunctions(new Environment(), () => subject)
    .registerFunction(
      "load(int, int): int",
      (address: bigint, size: bigint) => readVirtual(subject.cpu, address, size),
    )
    .registerFunction("symbol(string): int", (name: string) => lookUp(subject, name));
  const variables = variablesOf(subject, expression);
  for (const name of variables.keys()) environment.registerVariable(name, "int");
  try {
    const program = environment.parse(expression);
    const checked = program.check();
    if (!checked.valid) throw new UsageError(checked.error?.message ?? "The expression is not valid");
    const value = program(Object.fromEntries(variables)) as unknown;
    if (["bigint", "boolean", "number", "string"].includes(typeof value)) return value as Value;
    throw new UsageError(`The expression has type ${checked.type}, which is not shown`);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
}

/** A value for people: numbers as hexadecimal, with the name of the place that they may be the address of. */
export function valueText(value: Value, symbols: SymbolTable): string {
  if (typeof value !== "bigint") return String(value);
  if (value < 0n) return String(value);
  return value < 10n ? String(value) : `${hex(value)}${symbols.pointerLabel(value)}`;
}
