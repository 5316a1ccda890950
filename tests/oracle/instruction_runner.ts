/** Runs cases on `qemu-aarch64`, in one process that serves many batches. */
import { elfExecutable } from "../../firmware/elf.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import { CASES_PER_SEED } from "./cases.ts";
import { MissingOutsiderError } from "./outsider.ts";
import {
  AT_FAULT,
  AT_SIGNAL,
  AT_V,
  AT_WORDS,
  HOLE,
  RECORD_WORDS,
  Records,
  SIGNALS,
  SLOT,
  WINDOW,
} from "./record.ts";

/**
 * Where the runner itself is: above what 32 bits reach, and no power of two. A stack pointer in its signal stack would
 * make QEMU deliver signals for ever.
 */
const BASE = 0x2_07ab_0000n;

/** The runner as a static Linux executable. */
export function runnerExecutable(): Uint8Array<ArrayBuffer> {
  const source = Deno.readTextFileSync(new URL("instruction_runner.s", import.meta.url));
  const symbols = {
    SLOT,
    WINDOW,
    HOLE,
    CAPACITY: BigInt(CASES_PER_SEED),
    RECORD_SIZE: BigInt(RECORD_WORDS * 8),
    RECORD_V: BigInt(AT_V * 8),
  };
  return elfExecutable(assembleProgram(source, { name: "instruction_runner.s", base: BASE, symbols }));
}

/** A running `qemu-aarch64`. */
export class InstructionRunner {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #file: string;
  #rest: Uint8Array = new Uint8Array(0);

  /** Starts it with a CPU model; throws MissingOutsiderError when QEMU's user mode is not installed. */
  constructor(cpu: string) {
    this.#file = Deno.makeTempFileSync({ prefix: "hindsight-oracle-" });
    Deno.writeFileSync(this.#file, runnerExecutable());
    Deno.chmodSync(this.#file, 0o755);
    this.#child = spawnFirst(["qemu-aarch64", "qemu-aarch64-static"], ["-cpu", cpu, this.#file]);
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader();
  }

  /** Outcomes of the cases sent last, after `receive`. */
  outcomes: Records = new Records(0);

  /** Gives it at most CASES_PER_SEED cases; `receive` must follow. */
  async send(cases: Records): Promise<void> {
    this.outcomes = new Records(cases.count);
    await this.#writer.write(new Uint8Array(new BigUint64Array([BigInt(cases.count)]).buffer));
    await this.#writer.write(cases.bytes);
  }

  /** Waits for the outcomes. */
  async receive(): Promise<void> {
    const { outcomes } = this;
    await this.#read(outcomes.bytes);
    for (let index = 0; index < outcomes.count; index++) normalize(outcomes.record(index));
  }

  async #read(into: Uint8Array): Promise<void> {
    for (let at = 0; at < into.length;) {
      if (this.#rest.length === 0) {
        const { value } = await this.#reader.read();
        if (value === undefined) throw new Error("qemu-aarch64 ended while cases were running");
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, into.length - at);
      into.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel();
    await this.#child.status;
    Deno.removeSync(this.#file);
  }
}

function spawnFirst(names: readonly string[], args: string[]): Deno.ChildProcess {
  for (const name of names) {
    try {
      return new Deno.Command(name, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new MissingOutsiderError("qemu-aarch64", "qemu-user-static");
}

/** Keeps the signal of what faulted; the one that ended a completed instruction says nothing. */
function normalize(record: BigUint64Array): void {
  const pc = record[AT_WORDS], signal = Number(record[AT_SIGNAL]);
  const isFault = pc === SLOT || pc === SLOT - 4n;
  if (!isFault) record[AT_SIGNAL] = 0n;
  if (!isFault || (signal !== SIGNALS.memory && signal !== SIGNALS.alignment)) record[AT_FAULT] = 0n;
}
