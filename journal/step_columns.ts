/** A window of a run in compact columns: every step with its effects, at physical addresses, and events that matter. */
import { debuggerAddress } from "../machine/debugger_memory.ts";
import { splitAddress } from "../machine/cpu/place.ts";
import { selectedStackPointer } from "../machine/cpu/stack_pointer.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { EventKind, EventObserver, EventOf, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import { ALL_CLASSES } from "./event_stream.ts";

/** Events other than steps that change registers or memory, or say where something came from. */
const KEPT: ReadonlySet<EventKind> = new Set<EventKind>([
  "consoleReceived",
  "networkFrameReceived",
  "networkFrameDelivered",
  "memoryPatched",
  "registerPatched",
  "exceptionTaken",
  "exceptionReturned",
  "firmwareCalled",
  "semihostingCalled",
  "machineReset",
  "deviceRead",
  "interruptRaised",
  "interruptAcknowledged",
  "systemRegisterWritten",
  "cpuStarted",
  "memoryWrittenByDevice",
  "diskRead",
  "guestRegisterWritten",
  "exceptionInjected",
]);

/** An array of numbers that grows. */
class Column<A extends Float64Array | Uint32Array | Int32Array | Uint8Array | BigUint64Array> {
  constructor(private readonly make: (length: number) => A, public values: A = make(1024)) {}

  /** Sets an entry. */
  put(index: number, value: A[number]): void {
    if (index >= this.values.length) {
      const larger = this.make(this.values.length * 2);
      (larger as Uint8Array).set(this.values as Uint8Array);
      this.values = larger;
    }
    (this.values as { [index: number]: A[number] })[index] = value;
  }

  /** An entry. */
  at(index: number): A[number] {
    return this.values[index] as A[number];
  }
}

const float64 = (): Column<Float64Array> => new Column((length) => new Float64Array(length));
const uint32 = (): Column<Uint32Array> => new Column((length) => new Uint32Array(length));
const int32 = (): Column<Int32Array> => new Column((length) => new Int32Array(length));
const uint8 = (): Column<Uint8Array> => new Column((length) => new Uint8Array(length));
const uint64 = (): Column<BigUint64Array> => new Column((length) => new BigUint64Array(length));

/** DC ZVA writes 64 bytes, which a step's effects do not tell. */
const DC_ZVA = 0xd50b_7420, ZERO_BLOCK = 64n;

function isZeroBlock(opcode: number): boolean {
  return ((opcode & 0xffff_ffe0) >>> 0) === DC_ZVA;
}

/** Rows in the order in which they happened; the step of an instant is its last row on its CPU. */
export class StepColumns implements EventObserver {
  /** Everything. */
  readonly classes = ALL_CLASSES;
  /** Number of rows. */
  count = 0;
  /** Instant of a row. */
  readonly instant = float64();
  /** CPU of a row. */
  readonly cpu = uint8();
  /** Position of a row's event, or −1 for a step. */
  readonly event = int32();
  /** Address of a step's instruction. */
  readonly pc = uint64();
  /** Instruction word of a step. */
  readonly opcode = uint32();
  /** Exception level of a step. */
  readonly level = uint8();
  /** Number n of the SP_ELn that is SP before a row. */
  readonly bank = uint8();
  /** First register effect of a row; those of the next row follow. */
  readonly registersFrom = uint32();
  /** First access of a row. */
  readonly accessesFrom = uint32();
  /** Registers written, numbered as in events. */
  readonly register = uint8();
  /** Values written to them. */
  readonly registerValue = uint64();
  /** 1 for accesses that write. */
  readonly isWrite = uint8();
  /** Bytes of accesses. */
  readonly size = uint8();
  /** Virtual addresses of accesses. */
  readonly virtual = uint64();
  /** Physical addresses of accesses; NaN where nothing is known. */
  readonly physical = float64();
  /** Physical addresses of what an access has in a second page; NaN where it has nothing there. */
  readonly physicalNext = float64();
  /** The first 8 bytes of what was read or written. */
  readonly accessValue = uint64();
  /** Events that are no steps. */
  events: MachineEvent[] = [];
  #registers = 0;
  #accesses = 0;
  #banks: number[] = [];

  /** Columns of a machine. */
  constructor(private readonly machine: Machine) {}

  /** Forgets everything; what comes next begins at the present state. */
  begin(): void {
    this.count = this.#registers = this.#accesses = 0;
    this.events = [];
    this.#banks = this.machine.board.cpus.map(selectedStackPointer);
  }

  #row(instant: number, cpu: number, event: number): void {
    const row = this.count++;
    this.instant.put(row, instant);
    this.cpu.put(row, cpu);
    this.event.put(row, event);
    this.bank.put(row, this.#banks[cpu] ?? 0);
    this.registersFrom.put(row, this.#registers);
    this.accessesFrom.put(row, this.#accesses);
    this.registersFrom.put(row + 1, this.#registers);
    this.accessesFrom.put(row + 1, this.#accesses);
  }

  /** Takes an event. */
  observe(event: MachineEvent): void {
    if (event.kind === "stepRetired") return this.#step(event);
    if (!KEPT.has(event.kind)) return;
    this.#row(event.instant, event.cpu, this.events.length);
    this.events.push(event);
    // An interrupt has no step: its level's own stack pointer is selected.
    if (event.kind === "exceptionTaken") this.#banks[event.cpu] = event.to;
    if (event.kind === "cpuStarted" || event.kind === "machineReset") {
      this.#banks = this.machine.board.cpus.map(selectedStackPointer);
    }
  }

  #step({ instant, cpu: index, pc, opcode, level, registers, memory }: EventOf<"stepRetired">): void {
    const cpu = this.machine.board.cpus[index] as Cpu, row = this.count;
    this.#row(instant, index, -1);
    this.pc.put(row, pc);
    this.opcode.put(row, opcode);
    this.level.put(row, level);
    for (const { register, value } of registers) {
      this.register.put(this.#registers, register);
      this.registerValue.put(this.#registers++, value);
    }
    for (const { write, address, size, value } of memory) this.#access(cpu, write, address, size, value);
    if (isZeroBlock(opcode) && memory.length === 0) {
      const start = cpu.registers.x(opcode & 31) & ~(ZERO_BLOCK - 1n);
      this.#access(cpu, true, start, Number(ZERO_BLOCK));
    }
    this.registersFrom.put(row + 1, this.#registers);
    this.accessesFrom.put(row + 1, this.#accesses);
    this.#banks[index] = selectedStackPointer(cpu);
  }

  #access(cpu: Cpu, write: boolean, address: bigint, size: number, bytes?: Uint8Array): void {
    const at = this.#accesses++;
    const inPage = PAGE_SIZE - Number(address & BigInt(PAGE_SIZE - 1));
    this.isWrite.put(at, write ? 1 : 0);
    this.size.put(at, size);
    this.virtual.put(at, address);
    this.physical.put(at, physicalOf(cpu, address, write));
    this.physicalNext.put(at, inPage >= size ? NaN : physicalOf(cpu, address + BigInt(inPage), write));
    this.accessValue.put(at, bytes === undefined ? 0n : littleEndian(bytes));
  }
}

/** The physical address of an access just made: the TLB still has it. */
function physicalOf(cpu: Cpu, address: bigint, write: boolean): number {
  const { tlb } = cpu, { high, low } = splitAddress(address);
  const context = tlb.contexts[cpu.el << 1 | high >>> 23 & 1] as number;
  const table = write ? tlb.write : tlb.read;
  const index = context === 0 ? -1 : table.find(high, low, context);
  if (index >= 0) return (table.physicalPage[index] as number) + (low & (PAGE_SIZE - 1));
  return debuggerAddress(cpu, address) ?? NaN;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = Math.min(8, bytes.length) - 1; at >= 0; at--) {
    value = value << 8n | BigInt(bytes[at] as number);
  }
  return value;
}
