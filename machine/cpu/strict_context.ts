/** System register writes that wait for a context synchronization event, where a strict model asks for it. */
import { flag, listOf, record, text, u64 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Cpu } from "./cpu.ts";
import { immediateReason } from "./strict_context_registers.ts";

/** What a row of the system register table has to say of writes that wait (see `SystemRegister`). */
export interface WritableRegister {
  /** Name in the Arm ARM. */
  readonly name: string;
  /** As `systemEncoding` has it. */
  readonly encoding: number;
  /** Where it is stored, if it is. */
  readonly index?: number;
  /** What a write of a value leaves in storage, when it is stored. */
  readonly form?: (cpu: Cpu, value: bigint) => bigint;
  /** The register decides how addresses are translated. */
  readonly translates?: boolean;
  /** Writes it at once. */
  readonly write: (cpu: Cpu, value: bigint) => void;
}

/** One write that waits. */
interface PendingWrite {
  readonly row: WritableRegister;
  /** What storage will have. */
  readonly value: bigint;
  /** That the old value was used is reported once. */
  isReported: boolean;
}

const layout = sectionLayout("strict_context", 1, {
  writes: listOf(record({ register: text(32), value: u64, isReported: flag }), 1024),
});

/** A register whose writes wait: it has storage, and nothing says that they take effect at once. */
export function isDeferred(row: WritableRegister): boolean {
  return row.form !== undefined && immediateReason(row.name, row.encoding) === undefined;
}

/** The waiting writes of a CPU, where a strict model has any. */
export function pendingWrites({ index, surroundings: { strict } }: Cpu): PendingWrites | undefined {
  return strict?.contexts?.[index];
}

/** A context synchronization event: ISB, exception entry, exception return (Arm ARM B2.3.11). */
export function synchronizeContext(cpu: Cpu): void {
  pendingWrites(cpu)?.synchronize(cpu);
}

/** The writes of one CPU that wait, in the order of their registers' first. */
export class PendingWrites {
  #writes = new Map<number, PendingWrite>();

  /** A write that waits decides how addresses are translated. */
  get translates(): boolean {
    for (const { row } of this.#writes.values()) if (row.translates === true) return true;
    return false;
  }

  /** No write waits. */
  get isEmpty(): boolean {
    return this.#writes.size === 0;
  }

  /** Keeps a write for later; false when it takes effect at once. */
  defer(cpu: Cpu, row: WritableRegister, value: bigint): boolean {
    if (row.index === undefined || row.form === undefined || !isDeferred(row)) return false;
    this.#writes.set(row.index, { row, value: row.form(cpu, value), isReported: false });
    this.#slowDown(cpu);
    return true;
  }

  /** While translation is about to change, every access is looked at. */
  #slowDown({ tlb }: Cpu): void {
    if (!this.translates) return;
    tlb.isQuick = false;
    tlb.forgetControls();
  }

  /** What a register that waits was written with. */
  valueOf({ index = -1 }: WritableRegister): bigint | undefined {
    return this.#writes.get(index)?.value;
  }

  /** A register was written from outside: what waited is gone. */
  forget({ index = -1 }: WritableRegister): void {
    this.#writes.delete(index);
  }

  /** All writes take effect, in order. */
  synchronize(cpu: Cpu): void {
    if (this.#writes.size === 0) return;
    const writes = [...this.#writes.values()];
    this.clear(cpu);
    for (const { row, value } of writes) row.write(cpu, value);
    cpu.attention = true;
  }

  /**
   * Compares what an instruction is about to rely on with what it would be after synchronization: a difference is an
   * event, once for each write. `evaluate` must change nothing, and give the same for the same.
   */
  check(cpu: Cpu, evaluate: () => unknown): void {
    const waiting = [...this.#writes.values()].filter(({ isReported }) => !isReported);
    if (waiting.length === 0) return;
    const used = evaluate();
    if (used === this.#evaluateWith(cpu, waiting, evaluate)) return;
    const alone = waiting.find((write) => used !== this.#evaluateWith(cpu, [write], evaluate));
    const write = alone ?? waiting.at(-1) as PendingWrite;
    const { row, value } = write;
    write.isReported = true;
    cpu.surroundings.events.emit("staleRegisterUsed", cpu.index, {
      register: row.name,
      used: cpu.registers.system[row.index as number] as bigint,
      written: value,
    });
  }

  #evaluateWith(cpu: Cpu, writes: readonly PendingWrite[], evaluate: () => unknown): unknown {
    const { system } = cpu.registers;
    const before = writes.map(({ row }) => system[row.index as number] as bigint);
    for (const { row, value } of writes) system[row.index as number] = value;
    const result = evaluate();
    for (const [at, { row }] of writes.entries()) system[row.index as number] = before[at] as bigint;
    return result;
  }

  /** Forgets everything, as a reset does. */
  clear({ tlb, surroundings: { strict } }: Cpu): void {
    this.#writes.clear();
    tlb.isQuick = strict?.allowsQuickAccess !== false;
    tlb.forgetControls();
  }

  /** The section of this name. */
  save(name: string): Section {
    const writes = [...this.#writes.values()].map(({ row, value, isReported }) => ({
      register: row.name,
      value,
      isReported,
    }));
    return layout.encode(name, { writes });
  }

  /** Restores what `save` gave; `rowNamed` throws RangeError for a name that no register has. */
  restore(cpu: Cpu, section: Section, rowNamed: (name: string) => WritableRegister): void {
    this.clear(cpu);
    for (const { register, value, isReported } of layout.decode(section).writes) {
      const row = rowNamed(register);
      if (row.index === undefined || !isDeferred(row)) {
        throw new RangeError(`Cannot restore a pending write: writes of ${register} do not wait`);
      }
      this.#writes.set(row.index, { row, value, isReported });
    }
    this.#slowDown(cpu);
  }
}
