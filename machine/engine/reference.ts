/** The reference engine: evaluates the IR of each instruction exactly; slow, legible, the specification. */
import { decode, lowerOn } from "../a64/rows.ts";
import type { Cpu } from "../cpu/cpu.ts";
import { checkBreakpoints } from "../cpu/breakpoints.ts";
import { checkBranchTarget } from "../cpu/branch_target.ts";
import { raiseIllegalState, raiseUndefined, takeException } from "../cpu/take_exception.ts";
import { fetch } from "../cpu/memory_access.ts";
import { SLOT_PC, SLOT_TRASH } from "../cpu/registers.ts";
import type { EventFields } from "../events.ts";
import { type HelperName, HELPERS } from "../ir/helpers.ts";
import { canFault, type Evaluate, type IrNode, OPERATIONS } from "../ir/operations.ts";
import type { Engine } from "./engine.ts";

/** One IR operation, ready to evaluate. */
interface Operation {
  readonly evaluate: Evaluate;
  readonly node: IrNode;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly faults: boolean;
}

/** An instruction word, decoded and lowered once. */
interface DecodedInstruction {
  readonly operations: readonly Operation[];
  /** A burst ends after it: levels, masks or translation may have changed. */
  readonly endsBurst: boolean;
}

/** Index that always holds 0n, read by absent arguments. */
const ABSENT = 0;
/** Decoded words kept before the table is emptied; bounds memory under generated code. */
const CACHE_LIMIT = 1 << 16;

function prepare(nodes: readonly IrNode[]): DecodedInstruction {
  const at = (node: IrNode, index: number) => (node.args[index] ?? -1) + 1 || ABSENT;
  return {
    operations: nodes.map((node) => ({
      evaluate: OPERATIONS[node.op].evaluate,
      node,
      a: at(node, 0),
      b: at(node, 1),
      c: at(node, 2),
      faults: canFault(node),
    })),
    endsBurst: nodes.some((node) =>
      node.op === "helper" && HELPERS[node.immediates[0] as HelperName].endsBlock
    ),
  };
}

const UNDEFINED: DecodedInstruction = { operations: [], endsBurst: true };
/** An instruction that a branch may not lead to (FEAT_BTI). */
const NO_TARGET: DecodedInstruction = { operations: [], endsBurst: true };
/** Any instruction while PSTATE.IL is 1. */
const ILLEGAL: DecodedInstruction = { operations: [], endsBurst: true };

/** Evaluates IR operation by operation. */
export class ReferenceEngine implements Engine {
  /** Name on the command line. */
  readonly name = "reference";
  #decoded = new Map<number, DecodedInstruction>();
  /** Results of the present instruction's operations, after the zero at index 0. */
  #values: bigint[] = [0n];

  #decode(cpu: Cpu, word: number): DecodedInstruction {
    const found = decode(word);
    const nodes = found === undefined ? undefined : lowerOn(cpu.features.model, found);
    const instruction = nodes === undefined ? UNDEFINED : prepare(nodes);
    if (this.#decoded.size >= CACHE_LIMIT) this.#decoded.clear();
    this.#decoded.set(word, instruction);
    return instruction;
  }

  /** Executes up to `budget` steps. */
  run(cpu: Cpu, budget: number): void {
    const { watches, surroundings: { clock, events } } = cpu;
    for (let left = budget; left > 0; left--) {
      if (watches !== undefined && watches.stopsBefore(cpu)) return;
      const ends = this.step(cpu, events.wantsSteps);
      clock.instant++;
      if (ends || cpu.attention || clock.changed) return;
    }
  }

  /** One step, which the caller counts; true when the burst ends after it. */
  step(cpu: Cpu, traced = false): boolean {
    const word = fetch(cpu);
    if (cpu.pending !== undefined) return this.except(cpu);
    if (cpu.armed !== undefined) {
      checkBreakpoints(cpu, cpu.armed);
      if (cpu.pending !== undefined) return this.except(cpu);
    }
    const branchType = cpu.branchType;
    if (branchType !== 0 && !cpu.illegal) checkBranchTarget(cpu, word, branchType);
    const instruction = cpu.illegal
      ? ILLEGAL
      : cpu.pending !== undefined
      ? NO_TARGET
      : this.#decoded.get(word) ?? this.#decode(cpu, word);
    const pc = cpu.slots[SLOT_PC] as bigint;
    cpu.nextPc = BigInt.asUintN(64, pc + 4n);
    const level = cpu.el;
    const values = this.#values;
    const operations = instruction.operations;
    let done = 0;
    cpu.branchType = 0;
    if (instruction === UNDEFINED) raiseUndefined(cpu);
    else if (instruction === ILLEGAL) raiseIllegalState(cpu);
    for (; done < operations.length; done++) {
      const { evaluate, node, a, b, c, faults } = operations[done] as Operation;
      values[done + 1] = evaluate(node, values[a] as bigint, values[b] as bigint, values[c] as bigint, cpu);
      if (faults && cpu.pending !== undefined) break;
    }
    const faulted = cpu.pending !== undefined;
    if (faulted) {
      cpu.branchType = branchType;
      this.except(cpu);
    } else cpu.slots[SLOT_PC] = cpu.nextPc;
    if (traced) {
      cpu.surroundings.events.emit("stepRetired", cpu.index, {
        pc,
        opcode: word,
        level,
        ...this.#effects(operations, done),
      });
    }
    return faulted || instruction.endsBurst;
  }

  /** Takes the pending exception; the burst ends. */
  except(cpu: Cpu): boolean {
    const exception = cpu.pending;
    cpu.pending = undefined;
    if (exception !== undefined) takeException(cpu, exception);
    return true;
  }

  /** What the first `done` operations wrote and read, for a traced step. */
  #effects(
    operations: readonly Operation[],
    done: number,
  ): Pick<EventFields<"stepRetired">, "registers" | "memory"> {
    const registers: EventFields<"stepRetired">["registers"] = [];
    const memory: EventFields<"stepRetired">["memory"] = [];
    const values = this.#values;
    for (let index = 0; index < done; index++) {
      const { node, a, b } = operations[index] as Operation;
      const slot = node.immediates[0] as number;
      const first = values[a] as bigint;
      const access = (write: boolean, value: bigint) =>
        memory.push({ write, address: first, size: slot, value: littleEndian(value, slot) });
      switch (node.op) {
        case "writeX":
          if (slot !== SLOT_TRASH) registers.push({ register: slot, value: first });
          break;
        case "writeNzcv":
          registers.push({ register: 64, value: first });
          break;
        case "writeV":
          registers.push({ register: 128 + slot, value: BigInt.asUintN(64, first) });
          registers.push({ register: 160 + slot, value: first >> 64n });
          break;
        case "load":
        case "loadExclusive":
          access(false, values[index + 1] as bigint);
          break;
        case "store":
          access(true, values[b] as bigint);
          break;
        case "storeExclusive":
          if (values[index + 1] === 0n) access(true, values[b] as bigint);
          break;
      }
    }
    return { registers, memory };
  }
}

function littleEndian(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) {
    bytes[index] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}
