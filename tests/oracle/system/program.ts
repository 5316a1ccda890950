/** Programs for the bare machine: lists of operations for `runner.s`, and the results they leave. */
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { assembleProgram, type Program } from "../../../machine/a64/program.ts";
import { ByteWriter } from "../../../machine/layout.ts";

/** Where the runner is loaded. */
export const RUNNER_BASE = 0x4020_0000n;
/** Where operations are. */
export const CASES_BASE = 0x4100_0000n;
/** Where results are left. */
export const RESULTS_BASE = 0x4400_0000n;
/** RAM that cases may use, up to the end of 256 MiB. */
export const SCRATCH_BASE = 0x4800_0000n;

/** What every case begins with: RES1 bits, NS, HCE and RW. */
const SCR_RESET = 0x531n;
/** Attribute 0 Device-nGnRnE, 1 Device-nGnRE, 2 Device-GRE, 3 Normal non-cacheable, 4 Normal write-back. */
const MAIR_RESET = 0xff_440c_0400n;

/** The highest level that the machine has. */
export type TopLevel = 1 | 2 | 3;

/** The words of a result, in order. */
// deno-fmt-ignore
export const RESULT_WORDS = [
  "X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7", "vector",
  "ESR_EL1", "FAR_EL1", "ELR_EL1", "SPSR_EL1", "PAR_EL1",
  "ESR_EL2", "FAR_EL2", "ELR_EL2", "SPSR_EL2", "HPFAR_EL2",
  "ESR_EL3", "FAR_EL3", "ELR_EL3", "SPSR_EL3", "none",
] as const;

/** Name of a word of a result. */
export type ResultWord = typeof RESULT_WORDS[number];

const runners = new Map<TopLevel, Program>();

/** The runner for machines with this highest level. */
export function systemRunner(top: TopLevel): Program {
  const known = runners.get(top);
  if (known !== undefined) return known;
  const source = Deno.readTextFileSync(new URL("runner.s", import.meta.url));
  const symbols = { TOP: BigInt(top), CASES: CASES_BASE, RESULTS: RESULTS_BASE, SCR_RESET, MAIR_RESET };
  const program = assembleProgram(source, { name: "runner.s", base: RUNNER_BASE, symbols });
  runners.set(top, program);
  return program;
}

const words = new Map<string, bigint>();

/** The word of a line of assembly. */
function wordOf(line: string): bigint {
  const word = words.get(line) ?? BigInt(assembleLine(line, { address: 0n }));
  words.set(line, word);
  return word;
}

/** Instructions of a run, at most this many. */
const MAXIMUM_INSTRUCTIONS = 8;

/** One run of a few instructions. */
export interface Run {
  /** Name within the group, for people. */
  readonly name: string;
  /** Level, with its own stack pointer. */
  readonly level: 0 | 1 | 2 | 3;
  /** At most eight lines or words; BRK #0 follows. */
  readonly code: readonly (string | number)[];
  /** X0–X7, 0 by default. */
  readonly x?: readonly bigint[];
  /** Address of the first instruction; that of the slot by default. */
  readonly pc?: bigint;
  /** Whole SPSR; `spsrOf(level)` by default. */
  readonly spsr?: bigint;
  /** SCTLR of the highest level while the run lasts. */
  readonly sctlr?: bigint;
}

/** SPSR for a level with its own stack pointer and D, A, I and F masked. */
export function spsrOf(level: 0 | 1 | 2 | 3): bigint {
  return level === 0 ? 0x3c0n : 0x3c1n | BigInt(level << 2);
}

/** Operations in order. */
export class SystemProgram {
  /** Names of the runs, in the order of results. */
  readonly names: string[] = [];
  readonly #writer = new ByteWriter();
  #isFull = false;

  /** A program for machines whose highest level is `top`; runs after the first `most`, and what follows, are left out. */
  constructor(readonly top: TopLevel, readonly most = Infinity) {}

  #emit(...values: bigint[]): this {
    if (this.#isFull) return this;
    for (const value of values) this.#writer.u64(BigInt.asUintN(64, value));
    return this;
  }

  /** Stores 64 bits. */
  store(address: bigint, value: bigint): this {
    return this.#emit(1n, address, value);
  }

  /** Stores 32 bits, as devices want it. */
  store32(address: bigint, value: bigint): this {
    return this.#emit(6n, address, value);
  }

  /** Stores a value `count` times. */
  fill(address: bigint, count: number, value = 0n): this {
    return this.#emit(5n, address, BigInt(count), value);
  }

  /** Executes a line at the highest level with a value in X0. */
  execute(line: string, value = 0n): this {
    return this.#emit(2n, wordOf(line), value);
  }

  /** Writes a system register at the highest level. */
  set(register: string, value: bigint): this {
    return this.execute(`msr ${register}, x0`, value);
  }

  /** Puts registers back. */
  reset(): this {
    return this.#emit(4n);
  }

  /** Runs instructions; a result follows. */
  run({ name, level, code, x = [], pc = this.slot, spsr, sctlr }: Run): this {
    if (code.length > MAXIMUM_INSTRUCTIONS) {
      throw new RangeError(`Run "${name}" has ${code.length} instructions`);
    }
    this.#isFull ||= this.names.length === this.most;
    if (this.#isFull) return this;
    this.names.push(name);
    const reset = this.top === 1 ? 0x30d0_0800n : 0x30c5_0830n;
    this.#emit(3n, spsr ?? spsrOf(level), pc, sctlr ?? reset);
    for (let n = 0; n < 8; n++) this.#emit(x[n] ?? 0n);
    const given = code.map((line) => typeof line === "string" ? wordOf(line) : BigInt(line));
    const all = Array.from({ length: MAXIMUM_INSTRUCTIONS }, (_, index) => given[index] ?? wordOf("brk #0"));
    for (let n = 0; n < MAXIMUM_INSTRUCTIONS; n += 2) {
      this.#emit((all[n + 1] as bigint) << 32n | all[n] as bigint);
    }
    return this;
  }

  /** Physical address of the slot. */
  get slot(): bigint {
    return systemRunner(this.top).symbols.get("slot") as bigint;
  }

  /** Physical address of the vectors that stand in for EL1's below the highest level. */
  get stubs(): bigint {
    return systemRunner(this.top).symbols.get("vectors_1") as bigint;
  }

  /** The operations as they are loaded at CASES_BASE. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.#writer.u64(0n);
    return this.#writer.bytes();
  }
}
