/** Why a register or memory has its value: the steps it came from; and who wrote it last. */
import { hex, physicalAddress } from "../machine/address.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import { STORED_REGISTERS } from "../machine/cpu/system_register_index.ts";
import { selectedStackPointer } from "../machine/cpu/stack_pointer.ts";
import { peekSystemRegister } from "../machine/cpu/system_registers.ts";
import { debuggerAddress } from "../machine/debugger_memory.ts";
import type { Machine } from "../machine/machine.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import { QuestionError } from "./errors.ts";
import { type Slice, sliceBack, type SliceOptions, type SliceTarget } from "./slice.ts";
import type { SliceNode } from "./slice_graph.ts";
import { locationName, locationsNamed } from "./slice_location.ts";
import { suggestion } from "./suggest.ts";
import type { Progress, Timeline } from "./timeline.ts";

/** What is asked about. */
export type Subject =
  /** A register by its name: `x0`, `w3`, `sp`, `nzcv`, `pc`, `v7`, `d7` or a system register. */
  | { readonly kind: "register"; readonly name: string }
  /** Bytes of memory, at most 64 and within one page. */
  | {
    readonly kind: "memory";
    readonly space: "virtual" | "physical";
    readonly address: bigint;
    readonly size: number;
  };

/** How to ask. */
export type WhyOptions = { readonly [K in keyof SliceOptions]?: SliceOptions[K] | undefined } & {
  /** Whose register, or whose translation; by default the CPU whose turn it is. */
  readonly cpu?: number | undefined;
};

/** Limits and choices where nothing is said. */
const DEFAULTS: SliceOptions = {
  depth: 32,
  width: 16,
  count: 1000,
  address: false,
  control: false,
  patience: 2 ** 22,
};

const MOST_BYTES = 64;

/** Throws QuestionError for what is no register that keeps a value. */
function checkRegister(name: string): void {
  if (locationsNamed(name, 0, 0) !== undefined) return;
  throw new QuestionError(
    `There is no register "${name}" that keeps a value` +
      (suggestion(name, [...STORED_REGISTERS, "sp", "nzcv", "pc", "lr"]) ||
        ": use x0–x30, w0–w30, sp, nzcv, pc, v0–v31, d0–d31 or a system register such as ELR_EL1"),
  );
}

function registerTarget(cpu: Cpu, name: string): SliceTarget {
  const locations = locationsNamed(name, cpu.index, selectedStackPointer(cpu)) ?? [];
  return { locations, value: registerValue(cpu, name), cpu: cpu.index };
}

/** The value of a register as its name says: the low half for `w3`, 64 bits of `v7`. */
function registerValue(cpu: Cpu, name: string): bigint {
  const lower = name.toLowerCase();
  const [, kind, digits] = /^([xwvqdsbh])(\d+)$/.exec(lower) ?? [];
  const number = Number(digits);
  const v = (half: number): bigint => cpu.v[2 * number + half] as bigint;
  switch (kind ?? lower) {
    case "x":
      return cpu.registers.x(number);
    case "w":
      return BigInt.asUintN(32, cpu.registers.x(number));
    case "v":
    case "q":
      return v(1) << 64n | v(0);
    case "d":
      return v(0);
    case "s":
      return BigInt.asUintN(32, v(0));
    case "h":
      return BigInt.asUintN(16, v(0));
    case "b":
      return BigInt.asUintN(8, v(0));
    case "sp":
      return cpu.registers.sp;
    case "lr":
      return cpu.registers.x(30);
    case "pc":
      return cpu.pc;
    case "nzcv":
      return BigInt(cpu.registers.nzcv);
  }
  const [location] = locationsNamed(name, cpu.index, selectedStackPointer(cpu)) ?? [];
  return location === undefined ? 0n : peekSystemRegister(cpu, locationName(location));
}

/** The physical address of what is asked about. Throws QuestionError where there is no memory. */
function physicalOf(
  machine: Machine,
  cpu: Cpu,
  { space, address, size }: Subject & { kind: "memory" },
): number {
  const refuse = (why: string): never => {
    throw new QuestionError(`There is no memory at ${space} address ${hex(address)}: ${why}`);
  };
  if (size < 1 || size > MOST_BYTES) refuse(`${size} bytes are asked for, and 1 to ${MOST_BYTES} can be`);
  const physical = space === "virtual" ? debuggerAddress(cpu, address) : Number(address);
  if (physical === undefined) return refuse(`cpu${cpu.index} does not map it at instant ${machine.instant}`);
  if (physical % PAGE_SIZE + size > PAGE_SIZE) refuse(`${size} bytes from it are in two pages; ask for each`);
  if (
    !Number.isSafeInteger(physical) || machine.board.memory.hostOffset(physicalAddress(physical), size) < 0
  ) {
    refuse(
      `${space === "virtual" ? `physical ${hex(physical)} is` : "it is"} no RAM; it begins at 0x40000000`,
    );
  }
  return physical;
}

function memoryValue(machine: Machine, address: number, size: number): bigint {
  const bytes = machine.board.memory.viewBytes(physicalAddress(address), size);
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function targetOf(machine: Machine, subject: Subject, cpuIndex: number | undefined): SliceTarget {
  const cpu = cpuIndex === undefined ? machine.currentCpu : machine.board.cpus[cpuIndex];
  if (cpu === undefined) {
    throw new QuestionError(`There is no cpu ${cpuIndex}: the machine has ${machine.board.cpus.length}`);
  }
  if (subject.kind === "register") return registerTarget(cpu, subject.name);
  const address = physicalOf(machine, cpu, subject), { size } = subject;
  return {
    locations: [],
    memory: { address, size },
    value: memoryValue(machine, address, size),
    cpu: cpu.index,
  };
}

/** What is in a place, to be compared before and after a step. */
function valueOf(machine: Machine, subject: Subject, { memory, cpu }: SliceTarget): bigint {
  if (memory !== undefined) return memoryValue(machine, memory.address, memory.size);
  return subject.kind === "register" ? registerValue(machine.board.cpus[cpu] as Cpu, subject.name) : 0n;
}

/** Why something is as it is. */
export interface Why extends Slice {
  /** What was asked about, as it was at the instant. */
  readonly target: SliceTarget;
}

/**
 * Slices back from a register or memory as it is before the step boundary of an instant: through registers, memory,
 * flags, system registers, DMA and exceptions to images, inputs, device registers and constants. Throws QuestionError for
 * what cannot be asked, RangeError for an instant outside the run.
 */
export function why(timeline: Timeline, subject: Subject, at: number, options: WhyOptions = {}): Why {
  if (subject.kind === "register") checkRegister(subject.name);
  let target: SliceTarget | undefined;
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const slice = sliceBack(
    timeline,
    at,
    (machine) => target = targetOf(machine, subject, options.cpu),
    { ...DEFAULTS, ...given },
  );
  return { ...slice, target: target as SliceTarget };
}

/** One writer of what was asked about. */
export interface Writer {
  /** Which part of it: a register, or bytes of physical memory. */
  readonly what: string;
  /** Who wrote, or where it began. */
  readonly node: SliceNode;
  /** What was there before that instant; undefined where the run begins. */
  readonly before: bigint | undefined;
  /** What was there after it. */
  readonly after: bigint;
}

/** The last writers: several where parts of the memory asked about were written at different times. */
export interface LastWriters extends Why {
  /** From the last. */
  readonly writers: readonly Writer[];
}

/** Finds who wrote a register or memory last before an instant, with the values before and after. Throws as `why`. */
export function lastWriters(
  timeline: Timeline,
  subject: Subject,
  before: number,
  options: { readonly cpu?: number | undefined; readonly progress?: Progress } = {},
): LastWriters {
  const found = why(timeline, subject, before, {
    ...options,
    depth: 1,
    width: MOST_BYTES,
    address: false,
    control: false,
    patience: Infinity,
  });
  const value = (instant: number): bigint => {
    timeline.seek(instant, options.progress);
    return valueOf(timeline.machine, subject, found.target);
  };
  const byNode = Map.groupBy(found.root.sources, ({ node }) => node);
  const writers = [...byNode].map(([node, sources]) => {
    const what = sources.map((source) => source.what).join(", ");
    const isOrigin = ["image", "zero", "reset", "older"].includes(node.kind) &&
      node.instant === timeline.firstInstant;
    return {
      what,
      node,
      before: isOrigin ? undefined : value(node.instant),
      after: value(isOrigin ? node.instant : Math.min(node.instant + 1, timeline.lastInstant)),
    };
  });
  return { ...found, writers };
}
