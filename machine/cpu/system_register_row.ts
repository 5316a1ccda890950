/** What a row of the system register table is, and the builders that rows are written with. */
import type { Feature } from "../a64/feature.ts";
import { encodingOfSystemRegister } from "../a64/system_names.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { translationControlsChanged } from "./memory_access.ts";
import { readStackPointer, writeStackPointer } from "./stack_pointer.ts";
import { INDEX, type StoredRegister } from "./system_register_index.ts";
import type { TrapName } from "./system_register_traps.ts";

/** Lowest level that has an access: HIGHEST is the highest level that exists and no other, NEVER none. */
export type AccessLevel = 0 | 1 | 2 | 3 | typeof HIGHEST | typeof NEVER;
/** Only the highest level that exists. */
export const HIGHEST = 4;
/** No level. */
export const NEVER = 5;

/** Who may read and who may write; anyone else meets an UNDEFINED instruction. */
export interface Access {
  /** Lowest level that may read. */
  readonly read: AccessLevel;
  /** Lowest level that may write. */
  readonly write: AccessLevel;
}

/**
 * What must exist for a register to exist: EL3; `higher`, EL2 or EL3; or EL2. A register of EL2 reads as zero (or as
 * `withoutEl2` says) and ignores writes at EL3 when EL2 does not exist (Arm ARM rule R_RJFFP).
 */
export type Needs = "none" | "higher" | "el2" | "el3";

/** One system register. */
export interface SystemRegister {
  /** Name in the Arm ARM. */
  readonly name: string;
  /** As `systemEncoding` has it. */
  readonly encoding: number;
  /** Access by level. */
  readonly access: Access;
  /** When it exists. */
  readonly needs: Needs;
  /** Controls that trap accesses. */
  readonly traps: readonly TrapName[];
  /** Reads it, after all checks. */
  readonly read: (cpu: Cpu) => bigint;
  /** Writes it, after all checks. */
  readonly write: (cpu: Cpu, value: bigint) => void;
  /** What a look at it shows, when reading it changes something. */
  readonly peek?: (cpu: Cpu) => bigint;
  /** Extension that it belongs to; it exists in every CPU when absent. */
  readonly feature?: Feature;
  /** An access that privilege alone would allow is UNDEFINED. */
  readonly isUndefined?: (cpu: Cpu) => boolean;
  /** Where it is stored, if it is. */
  readonly index?: number;
  /** Value after reset, when it is stored. */
  readonly reset?: (cpu: Cpu) => bigint;
  /** Value at EL3 when EL2 does not exist; the default is zero. */
  readonly withoutEl2?: (cpu: Cpu) => bigint;
  /** What a write of a value leaves in storage, when it is stored. */
  readonly form?: (cpu: Cpu, value: bigint) => bigint;
  /** The register decides how addresses are translated. */
  readonly translates?: boolean;
}

/** A value, or how it follows from the CPU. */
export type Value = bigint | ((cpu: Cpu) => bigint);

// deno-fmt-ignore
const ACCESSES = {
  EL0_RW:        { read: 0, write: 0 },
  EL0_RO:        { read: 0, write: NEVER },
  EL0_WO:        { read: NEVER, write: 0 },
  EL0_RO_EL1_RW: { read: 0, write: 1 },
  EL1_RW:        { read: 1, write: 1 },
  EL1_RO:        { read: 1, write: NEVER },
  EL1_WO:        { read: NEVER, write: 1 },
  EL2_RW:        { read: 2, write: 2 },
  EL2_RO:        { read: 2, write: NEVER },
  EL3_RW:        { read: 3, write: 3 },
  EL3_RO:        { read: 3, write: NEVER },
} as const satisfies Record<string, Access>;

/** Name of a common access. */
export type AccessName = keyof typeof ACCESSES;

/** What a row says beside name and access. */
export interface RowOptions {
  /** Trap controls. */
  readonly traps?: readonly TrapName[];
  /** When it exists; the default follows from the access: `el2` for EL2, `el3` for EL3. */
  readonly needs?: Needs;
  /** Extension that it belongs to. */
  readonly feature?: Feature;
  /** Encoding of a register that has no name in the list of names. */
  readonly encoding?: string;
  /** See SystemRegister. */
  readonly isUndefined?: (cpu: Cpu) => boolean;
  /** See SystemRegister. */
  readonly withoutEl2?: (cpu: Cpu) => bigint;
}

/** What a stored row says beside name and access. */
export interface StoredOptions extends RowOptions {
  /** Value after reset; zero by default. */
  readonly reset?: Value;
  /** Bits that a write changes; all by default. */
  readonly writable?: Value;
  /** Bits that are one whatever is written. */
  readonly ones?: bigint;
  /** The register decides how addresses are translated. */
  readonly translates?: boolean;
  /** Called after a write. */
  readonly written?: (cpu: Cpu, value: bigint) => void;
}

const ALL_BITS = (1n << 64n) - 1n;

function needsOf(access: Access): Needs {
  return access.read === 3 ? "el3" : access.read === 2 ? "el2" : "none";
}

/** A row whose value is computed and whose write does something. */
export function computed(
  name: string,
  access: AccessName | Access,
  read: (cpu: Cpu) => bigint,
  write: (cpu: Cpu, value: bigint) => void,
  options: RowOptions = {},
): SystemRegister {
  const { traps = [], needs, encoding: text = name, feature, isUndefined, withoutEl2 } = options;
  const encoding = encodingOfSystemRegister(text);
  if (encoding === undefined) throw new RangeError(`Cannot encode the system register ${text}`);
  const levels: Access = typeof access === "string" ? ACCESSES[access] : access;
  return {
    name,
    encoding,
    access: levels,
    needs: needs ?? needsOf(levels),
    traps,
    read,
    write,
    ...(feature && { feature }),
    ...(isUndefined && { isUndefined }),
    ...(withoutEl2 && { withoutEl2 }),
  };
}

/** A row that reads a value and ignores what is written, where it can be written at all. */
export function constant(
  name: string,
  access: AccessName | Access,
  value: Value,
  options: RowOptions = {},
): SystemRegister {
  return computed(name, access, typeof value === "bigint" ? () => value : value, () => {}, options);
}

/** A row with storage in `cpu.registers.system`. */
export function stored(
  name: StoredRegister,
  access: AccessName | Access,
  options: StoredOptions = {},
): SystemRegister {
  const { reset = 0n, writable = ALL_BITS, ones = 0n, translates = false, written } = options;
  const index = INDEX[name];
  const form = (cpu: Cpu, value: bigint) =>
    (value & (typeof writable === "bigint" ? writable : writable(cpu))) | ones;
  const write = (cpu: Cpu, value: bigint) => {
    const { system } = cpu.registers;
    system[index] = form(cpu, value);
    if (translates) translationControlsChanged(cpu);
    written?.(cpu, system[index] as bigint);
  };
  return {
    ...computed(name, access, (cpu) => cpu.registers.system[index] as bigint, write, options),
    index,
    reset: typeof reset === "bigint" ? () => reset : reset,
    form,
    translates,
  };
}

/** The row of SP_ELn, which is live in slot 33 while it is selected. */
export function stackPointer(
  n: ExceptionLevel,
  access: AccessName,
  options: StoredOptions = {},
): SystemRegister {
  return {
    ...stored(`SP_EL${n}`, access, options),
    read: (cpu) => readStackPointer(cpu, n),
    write: (cpu, value) => writeStackPointer(cpu, n, value),
  };
}
