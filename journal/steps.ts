/** Stored steps: every `stepRetired` in compressed columns, a zod-parsed header over bounds-checked arrays. */
import { z } from "zod";
import type { EventObserver, EventOf, MachineEvent } from "../machine/events.ts";
import { ByteReader, ByteWriter } from "../machine/layout.ts";
import type { BlockWriter } from "./recorder.ts";

/** Steps in one block, about 1 MiB before compression. */
const STEPS_PER_BLOCK = 16384;

/**
 * The columns, in order. `instant` holds the distance to the step before, `pc` the distance to the word after it, so
 * that straight-line code is zeros; counts say how many entries of the register and memory columns belong to a step.
 */
// deno-fmt-ignore
const COLUMNS = [
  "instant", "cpu", "index", "pc", "opcode", "level",                       // one entry a step
  "registerCount", "register", "registerValue",                             // one entry a register written
  "memoryCount", "memoryKind", "memoryAddress", "memoryValue",              // one entry an access; kind = size | write << 7
] as const;

type Column = (typeof COLUMNS)[number];

const MAX_COLUMN = 32 << 20;
const column = z.instanceof(Uint8Array).refine((bytes) => bytes.length <= MAX_COLUMN, "is too long");

const schema = z.strictObject({
  count: z.int().min(1).max(STEPS_PER_BLOCK),
  firstInstant: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  columns: z.strictObject(
    Object.fromEntries(COLUMNS.map((name) => [name, column])) as Record<Column, typeof column>,
  ),
});

type Step = EventOf<"stepRetired">;

const WRITE = 0x80;

/** Gathers steps and appends them to a journal in blocks. */
export class StepColumnsWriter implements EventObserver {
  /** Steps only. */
  readonly classes = ["step"] as const;
  #columns = Object.fromEntries(COLUMNS.map((name) => [name, new ByteWriter()])) as Record<
    Column,
    ByteWriter
  >;
  #count = 0;
  #firstInstant = 0;
  #lastInstant = 0;
  #nextPc = 0n;

  /** Blocks go to this journal; `written` is called after each, with the instant up to which steps are there. */
  constructor(
    private readonly writer: BlockWriter,
    private readonly written: (through: number) => void = () => {},
  ) {}

  /** Adds one step. */
  observe(event: MachineEvent): void {
    if (event.kind !== "stepRetired") return;
    if (this.#count === 0) {
      this.#firstInstant = this.#lastInstant = event.instant;
      this.#nextPc = 0n;
    }
    this.#add(event);
    if (++this.#count === STEPS_PER_BLOCK) this.flush();
  }

  #add(step: Step): void {
    const columns = this.#columns;
    columns.instant.u32(step.instant - this.#lastInstant);
    columns.cpu.u8(step.cpu);
    columns.index.u16(step.index);
    columns.pc.u64(BigInt.asUintN(64, step.pc - this.#nextPc));
    columns.opcode.u32(step.opcode);
    columns.level.u8(step.level);
    columns.registerCount.u8(step.registers.length);
    for (const { register, value } of step.registers) {
      columns.register.u8(register);
      columns.registerValue.u64(value);
    }
    columns.memoryCount.u8(step.memory.length);
    for (const { write, address, size, value } of step.memory) {
      columns.memoryKind.u8(size | (write ? WRITE : 0));
      columns.memoryAddress.u64(address);
      columns.memoryValue.raw(value);
    }
    this.#lastInstant = step.instant;
    this.#nextPc = step.pc + 4n;
  }

  /** Writes what is gathered. */
  flush(): void {
    if (this.#count === 0) return;
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, this.#columns[name].bytes()]));
    const payload = { count: this.#count, firstInstant: this.#firstInstant, columns };
    const span = { firstInstant: this.#firstInstant, lastInstant: this.#lastInstant };
    for (const name of COLUMNS) this.#columns[name].clear();
    this.#count = 0;
    this.writer.append("steps", payload, span);
    this.written(this.#lastInstant + 1);
  }
}

/** Decodes a block of steps; throws z.ZodError or RangeError when it is damaged. */
export function* decodeSteps(payload: unknown): Generator<Step> {
  const { count, firstInstant, columns } = schema.parse(payload);
  const at = Object.fromEntries(COLUMNS.map((name) => [name, new ByteReader(columns[name])])) as Record<
    Column,
    ByteReader
  >;
  let instant = firstInstant;
  let nextPc = 0n;
  for (let step = 0; step < count; step++) {
    instant += at.instant.u32();
    const pc = BigInt.asUintN(64, nextPc + at.pc.u64());
    nextPc = pc + 4n;
    yield {
      kind: "stepRetired",
      instant,
      cpu: at.cpu.u8(),
      index: at.index.u16(),
      pc,
      opcode: at.opcode.u32(),
      level: at.level.u8(),
      registers: Array.from({ length: at.registerCount.u8() }, () => ({
        register: at.register.u8(),
        value: at.registerValue.u64(),
      })),
      memory: Array.from({ length: at.memoryCount.u8() }, () => {
        const kind = at.memoryKind.u8();
        const size = kind & ~WRITE;
        return {
          write: (kind & WRITE) !== 0,
          address: at.memoryAddress.u64(),
          size,
          value: at.memoryValue.raw(size),
        };
      }),
    };
  }
  for (const name of COLUMNS) {
    if (at[name].remaining > 0) {
      throw new RangeError(`Cannot read steps: column "${name}" has bytes left over`);
    }
  }
}
