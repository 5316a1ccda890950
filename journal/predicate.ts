/** Predicates over a machine's state, in the Common Expression Language: parsed and type-checked before anything runs. */
// cel-js: the only CEL implementation on npm without dependencies that checks types and points into the expression.
import { Environment, EvaluationError } from "cel";
import { physicalAddress } from "../machine/address.ts";
import { type Cpu } from "../machine/cpu/cpu.ts";
import { STORED_REGISTERS } from "../machine/cpu/system_register_index.ts";
import { isSystemRegister, peekSystemRegister } from "../machine/cpu/system_registers.ts";
import type { Machine } from "../machine/machine.ts";
import { PredicateError } from "./errors.ts";
import { suggestion } from "./suggest.ts";

/** Reads a predicate's value from a machine between two steps. */
export type Predicate = (machine: Machine) => boolean;

/** Bytes of physical memory. */
export interface MemoryRead {
  /** The first. */
  readonly address: number;
  /** How many. */
  readonly size: number;
}

/** A predicate that tells what its value depends on. */
export interface TracedPredicate {
  /** The value, from a machine between two steps. */
  readonly holds: Predicate;
  /** The memory read by the last call of `holds`; nothing else was, unless `readsMore`. */
  readonly memory: readonly MemoryRead[];
  /** It reads registers, the clock or the turn as well, which change all the time. */
  readonly readsMore: boolean;
}

/** The address of a name in the program; throws PredicateError for one that there is not. */
export type SymbolLookup = (name: string) => bigint;

/** The register names of the expression language, for messages. */
const REGISTERS = "x0–x30, w0–w30, sp, pc, nzcv, el, daif or a system register such as ELR_EL1";

const PLAIN_REGISTER = /^([xw]([0-9]|[12][0-9]|30)|sp|pc|nzcv|el|daif)$/;

/** Throws PredicateError for what is no register of the expression language. */
export function checkRegister(name: string): void {
  if (PLAIN_REGISTER.test(name) || isSystemRegister(name)) return;
  const known = [...STORED_REGISTERS, "sp", "pc", "nzcv", "el", "daif"];
  throw new PredicateError(
    `There is no register "${name}"${suggestion(name, known) || `: use ${REGISTERS}`}`,
  );
}

function readRegister(cpu: Cpu, name: string): bigint {
  const general = /^([xw])([0-9]|[12][0-9]|30)$/.exec(name);
  if (general !== null) {
    const value = cpu.registers.x(Number(general[2]));
    return general[1] === "w" ? BigInt.asUintN(32, value) : value;
  }
  switch (name) {
    case "sp":
      return cpu.registers.sp;
    case "pc":
      return cpu.pc;
    case "nzcv":
      return BigInt(cpu.registers.nzcv);
    case "el":
      return BigInt(cpu.el);
    case "daif":
      return BigInt(cpu.daif);
  }
  if (isSystemRegister(name)) return peekSystemRegister(cpu, name);
  checkRegister(name);
  throw new PredicateError(`"${name}" cannot be read`);
}

function readMemory(machine: Machine, address: bigint, size: bigint): bigint {
  if (![1n, 2n, 4n, 8n].includes(size)) {
    throw new PredicateError(`memory() reads 1, 2, 4 or 8 bytes, not ${size}`);
  }
  if (address < 0n || address >= 1n << 52n) {
    throw new PredicateError(`memory() takes a physical address, and 0x${address.toString(16)} is none`);
  }
  const { memory } = machine.board;
  if (memory.hostOffset(physicalAddress(Number(address)), Number(size)) < 0) {
    throw new PredicateError(`There is no memory at 0x${address.toString(16)}`);
  }
  const bytes = memory.viewBytes(physicalAddress(Number(address)), Number(size));
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function cpuOf(machine: Machine, index: bigint): Cpu {
  const cpu = machine.board.cpus[Number(index)];
  if (cpu === undefined) {
    throw new PredicateError(`There is no cpu ${index}: the machine has ${machine.board.cpus.length}`);
  }
  return cpu;
}

/** A machine between two steps, and the CPU whose registers are meant where none is named. */
export interface Subject {
  /** The machine. */
  readonly machine: Machine;
  /** The CPU. */
  readonly cpu: Cpu;
}

/** Adds the functions that read a machine's state: `memory`, which is told to `seen`, and `register`. */
export function addStateFunctions(
  environment: Environment,
  now: () => Subject,
  seen: (read: MemoryRead) => void = () => {},
): Environment {
  return environment
    .registerFunction(
      "memory(int, int): int",
      (address: bigint, size: bigint) => {
        const value = readMemory(now().machine, address, size);
        seen({ address: Number(address), size: Number(size) });
        return value;
      },
    )
    .registerFunction("register(string): int", (name: string) => readRegister(now().cpu, name))
    .registerFunction(
      "register(string, int): int",
      (name: string, cpu: bigint) => readRegister(cpuOf(now().machine, cpu), name),
    );
}

/**
 * Compiles an expression of type bool. In it, `instant`, `time` (ns) and `cpu` (whose turn it is) are variables;
 * `memory(physicalAddress, bytes)` and `register(name)` or `register(name, cpu)` give unsigned 64-bit values as
 * integers that do not wrap, and `symbol(name)` the address that `lookUp` gives. Throws PredicateError for what does not
 * parse or is not bool.
 */
export function compilePredicate(expression: string, lookUp: SymbolLookup = noSymbols): Predicate {
  return compiled(expression, lookUp, () => {});
}

/** What depends on more than memory: `instant`, `time`, `cpu`, `register(`; strings are taken out before. */
const MORE = /\b(instant|time|cpu|register)\b/;
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;

/** The same, telling what was read. */
export function compileTraced(expression: string, lookUp: SymbolLookup = noSymbols): TracedPredicate {
  const memory: MemoryRead[] = [];
  const predicate = compiled(expression, lookUp, (read) => void memory.push(read));
  return {
    memory,
    readsMore: MORE.test(expression.replace(STRING, "")),
    holds: (machine) => {
      memory.length = 0;
      return predicate(machine);
    },
  };
}

function compiled(expression: string, lookUp: SymbolLookup, seen: (read: MemoryRead) => void): Predicate {
  let machine: Machine | undefined;
  const now = (): Subject => {
    if (machine === undefined) throw new PredicateError("A predicate was read outside a run");
    return { machine, cpu: machine.currentCpu };
  };
  const environment = addStateFunctions(new Environment(), now, seen)
    .registerVariable("instant", "int")
    .registerVariable("time", "int")
    .registerVariable("cpu", "int")
    .registerFunction("symbol(string): int", (name: string) => lookUp(name));
  const program = refusing(() => environment.parse(expression));
  const checked = program.check();
  if (!checked.valid) throw new PredicateError(checked.error?.message ?? "The expression is not valid");
  if (checked.type !== "bool") {
    throw new PredicateError(
      `The expression has type ${checked.type}; a predicate needs bool:\n  ${expression}`,
    );
  }
  return (subject) => {
    machine = subject;
    return refusing(() =>
      program({
        instant: BigInt(subject.instant),
        time: BigInt(subject.virtualTime),
        cpu: BigInt(subject.currentCpu.index),
      }) === true
    );
  };
}

function noSymbols(name: string): bigint {
  throw new PredicateError(`There is no symbol "${name}": no symbols were given`);
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof PredicateError) throw error;
    if (error instanceof EvaluationError && error.cause instanceof PredicateError) throw error.cause;
    throw new PredicateError((error as Error).message);
  }
}
