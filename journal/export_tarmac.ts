/**
 * Export as Tarmac text, in the form of Arm's Fast Models, which Arm's tarmac-trace-utilities read (Fast Models Reference
 * Guide, TarmacTrace file format).
 */
import { disassemble } from "../machine/a64/assembly.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import { savedState } from "../machine/cpu/pstate.ts";
import type { EventOf, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import type { ExportedStep, Exporter } from "./export.ts";

type Step = EventOf<"stepRetired">;
type Taken = EventOf<"exceptionTaken">;

/** Numbers of registers in a step's effects (machine/events.ts). */
const SP = 33, NZCV = 64, V_LOW = 128, V_HIGH = 160;
/** PSTATE as in SPSR_ELx: flags from bit 28, masks from bit 6, level and stack pointer below. */
const FLAGS = 28n, FLAG_BITS = 0xf000_0000n, MASK_BITS = 0x3c0n, MODE_BITS = 0xfn;
/** Event numbers of the model: the vector's offset in steps of 0x80 from CoreEvent_CURRENT_SP0_SYNC on. */
const FIRST_VECTOR = 0x80, MODE_CHANGE = 0x19, VECTOR_SIZE = 0x80n;
const ORIGINS = ["CURRENT_SP0", "CURRENT_SPx", "LOWER_64", "LOWER_32"],
  KINDS = ["SYNC", "IRQ", "FIQ", "ABORT"];
/** Bytes of a memory line at most. */
const LONGEST = 8;

const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, "0");
/** Eight digits where that is enough, as the model does. */
const address = (value: bigint): string => hex(value, value < 1n << 32n ? 8 : 16);

/** Exception classes for which nothing was fetched: instruction aborts and a misaligned PC (Arm ARM D17.2.37). */
const NOT_FETCHED = new Set([0x20, 0x21, 0x22]);

/** Whether the step's word was not fetched, because that faulted. */
export function isFetchFault(events: readonly MachineEvent[]): boolean {
  return events.some((event) =>
    event.kind === "exceptionTaken" && event.exception === "synchronous" &&
    NOT_FETCHED.has(Number(event.syndrome >> 26n & 0x3fn))
  );
}

/** The part of a CPU's state that lines need. */
class CpuState {
  pstate: bigint;
  readonly vectors: bigint[];

  constructor(cpu: Cpu) {
    this.pstate = savedState(cpu);
    this.vectors = Array.from({ length: 64 }, (_, at) => cpu.v[at] as bigint);
  }

  /** `EL1h`. */
  get mode(): string {
    return `EL${this.pstate >> 2n & 3n}${this.pstate & 1n ? "h" : "t"}`;
  }

  /** The stack pointer's name. */
  get stackPointer(): string {
    return `SP_EL${this.pstate & 1n ? this.pstate >> 2n & 3n : 0}`;
  }
}

class TarmacExporter implements Exporter {
  readonly classes = ALL_CLASSES;
  #cpus: CpuState[] = [];
  #count = 0;

  begin(machine: Machine): string {
    const { cpus } = machine.board;
    this.#cpus = cpus.map((cpu) => new CpuState(cpu));
    const lines = cpus.flatMap((cpu, index) => {
      const state = this.#cpus[index] as CpuState;
      const stack = `${state.stackPointer} ${hex(cpu.registers.sp, 16)}`;
      const general = Array.from({ length: 31 }, (_, n) => `X${n} ${hex(cpu.registers.x(n), 16)}`);
      const vectors = Array.from({ length: 32 }, (_, n) => this.#vector(state, n));
      return [`cpsr ${hex(state.pstate, 8)}`, ...general, stack, ...vectors].map((text) =>
        this.#line(machine.instant, index, `R ${text}`)
      );
    });
    return lines.join("");
  }

  end(): string {
    return "";
  }

  /** A line; the CPU is named where there are several. */
  #line(instant: number, cpu: number, text: string): string {
    return `${instant} clk ${this.#cpus.length > 1 ? `cpu${cpu} ` : ""}${text}\n`;
  }

  step({ instant, events }: ExportedStep): string {
    const retired = events.find((event) => event.kind === "stepRetired");
    const written = (event: MachineEvent, lines: readonly string[]): string =>
      lines.map((text) => this.#line(instant, event.cpu, text)).join("");
    const first = retired?.kind === "stepRetired" && !isFetchFault(events)
      ? written(retired, this.#retired(retired))
      : "";
    return first + events.map((event) => written(event, this.#other(event))).join("");
  }

  #retired(step: Step): string[] {
    const state = this.#cpus[step.cpu] as CpuState;
    this.#count++;
    const security = step.level === 3 ? "s" : "n";
    const text = disassemble(step.opcode, step.pc);
    const space = text.indexOf(" ");
    const shown = space < 0 ? text : `${text.slice(0, space).padEnd(8)} ${text.slice(space + 1)}`;
    return [
      `IT (${this.#count}) ${address(step.pc)} ${hex(step.opcode, 8)} O ${state.mode}_${security} : ${shown}`,
      ...step.memory.flatMap(memoryLines),
      ...this.#registers(step, state),
    ];
  }

  #registers(step: Step, state: CpuState): string[] {
    const vectors = new Set<number>();
    const lines = step.registers.flatMap(({ register, value }) => {
      if (register < 31) return [`R X${register} ${hex(value, 16)}`];
      if (register === SP) return [`R ${state.stackPointer} ${hex(value, 16)}`];
      if (register === NZCV) {
        state.pstate = (state.pstate & ~FLAG_BITS) | value << FLAGS;
        return [`R cpsr ${hex(state.pstate, 8)}`];
      }
      if (register < V_LOW) return [];
      const isHigh = register >= V_HIGH, n = register - (isHigh ? V_HIGH : V_LOW);
      state.vectors[n * 2 + (isHigh ? 1 : 0)] = value;
      vectors.add(n);
      return [];
    });
    return [...lines, ...[...vectors].map((n) => `R ${this.#vector(state, n)}`)];
  }

  #vector({ vectors }: CpuState, n: number): string {
    return `Q${n} ${hex(vectors[n * 2 + 1] as bigint, 16)}${hex(vectors[n * 2] as bigint, 16)}`;
  }

  #other(event: MachineEvent): string[] {
    const state = this.#cpus[event.cpu] as CpuState;
    switch (event.kind) {
      case "exceptionTaken":
        return exceptionLines(event, state);
      case "exceptionReturned":
        state.pstate = event.state;
        return [
          `E ${address(event.address)} ${state.mode} ${hex(MODE_CHANGE, 8)} CoreEvent_ModeChange`,
          `R cpsr ${hex(state.pstate & 0xffff_ffffn, 8)}`,
        ];
      case "firmwareCalled":
      case "semihostingCalled":
        return [`R X0 ${hex(event.result, 16)}`];
      case "cpuStarted":
        return [`R X0 ${hex(event.context, 16)}`];
      case "systemRegisterWritten":
        return systemRegisterLines(event, state);
      default:
        return [];
    }
  }
}

function exceptionLines(event: Taken, state: CpuState): string[] {
  const number = Number(event.vector % 0x800n / VECTOR_SIZE);
  const name = `CoreEvent_${ORIGINS[number >> 2]}_${KINDS[number & 3]}`;
  state.pstate = (state.pstate & FLAG_BITS) | MASK_BITS | BigInt(event.to << 2 | 1);
  const registers = [["ELR", event.returnAddress], ["SPSR", event.savedState], [
    "ESR",
    event.syndrome,
  ]] as const;
  return [
    `E ${address(event.returnAddress)} ${hex(FIRST_VECTOR + number, 8)} ${name}`,
    `R cpsr ${hex(state.pstate, 8)}`,
    ...registers.map(([register, value]) => `R ${register}_EL${event.to} ${hex(value, 16)}`),
  ];
}

function systemRegisterLines(
  { register, value }: EventOf<"systemRegisterWritten">,
  state: CpuState,
): string[] {
  switch (register) {
    case "DAIF":
      state.pstate = (state.pstate & ~MASK_BITS) | (value & MASK_BITS);
      return [`R cpsr ${hex(state.pstate, 8)}`];
    case "SPSel":
      state.pstate = (state.pstate & ~MODE_BITS) | (state.pstate & 0xcn) | (value & 1n);
      return [`R cpsr ${hex(state.pstate, 8)}`];
    case "NZCV":
      return [];
    default:
      return [`R ${register} ${hex(value, 16)}`];
  }
}

/** The access as lines of 8 bytes at most. */
function memoryLines({ write, address: start, value }: Step["memory"][number]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < value.length;) {
    const left = value.length - at;
    const size = left >= LONGEST ? LONGEST : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const digits = value.slice(at, at + size).reverse().toHex();
    const shown = size === LONGEST ? `${digits.slice(0, 8)}_${digits.slice(8)}` : digits;
    lines.push(`M${write ? "W" : "R"}${size} ${address(BigInt.asUintN(64, start + BigInt(at)))} ${shown}`);
    at += size;
  }
  return lines;
}

/** Makes an exporter. */
export function tarmacExporter(): Exporter {
  return new TarmacExporter();
}
