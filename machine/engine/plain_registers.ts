/** System instructions that generated code executes itself: where nothing traps or is pending they do little or nothing. */
import { type CpuModel, hasFeature } from "../a64/feature.ts";
import { SYSTEM_INSTRUCTIONS, SYSTEM_REGISTERS, systemEncoding } from "../a64/system_names.ts";
import { OFFSET_SYSTEM, SLOT_DAIF } from "../cpu/registers.ts";
import { INDEX, type StoredRegister } from "../cpu/system_register_index.ts";
import { CACHE_TYPE, ZEROING_TYPE } from "../cpu/system_registers_id.ts";
import type { IrNode } from "../ir/operations.ts";
import { SHARED } from "./threaded_layout.ts";

/** What an instruction relies on beside the page of its operand: a word of SHARED that must not be 0. */
export type Condition =
  | "privileged"
  | "quiet"
  | "settled"
  | "kernel"
  | "floatEnabled"
  | "pointerKeys"
  | "untrapped"
  | "physicalCount"
  | "virtualCount"
  | "setWay"
  | "currentLevel";

/** A register that generated code reads and writes. */
export interface PlainRegister {
  /** Byte offset in the CPU's state of a register that is only stored, and from which bit on the register shows it. */
  readonly stored?: { readonly offset: number; readonly shift: number; readonly mask: bigint };
  /** The offset of a view of the system counter: a place in SHARED. */
  readonly counterOffset?: number;
  /** The place in SHARED of a register of 4 bytes that depends on the level alone. */
  readonly shared?: number;
  /** What it always is otherwise. */
  readonly value?: bigint;
  /** Conditions of a read. */
  readonly read: readonly Condition[];
  /** Conditions of a write; it is not written when there are none. */
  readonly write?: readonly Condition[];
}

const ALL_BITS = (1n << 64n) - 1n;

/** Byte offset of a register within a CPU's state. */
export function systemOffset(register: StoredRegister): number {
  return OFFSET_SYSTEM + INDEX[register] * 8;
}

function register(name: StoredRegister): Required<PlainRegister>["stored"] {
  return { offset: systemOffset(name), shift: 0, mask: ALL_BITS };
}

/** Keys of pointer authentication; kernels have their own, and one for each process. */
const KEYS = ["IA", "IB", "DA", "DB", "GA"].flatMap((key) =>
  ["Lo", "Hi"].map((half) => `AP${key}Key${half}_EL1` as StoredRegister)
);

const COUNTERS = { CNTPCT_EL0: systemEncoding(3, 3, 14, 0, 1), CNTVCT_EL0: systemEncoding(3, 3, 14, 0, 2) };
/** With FEAT_ECV they have names whose reads are in program order, as all are here. */
const SYNCHRONIZED_COUNTERS: ReadonlyMap<number, number> = new Map([
  [systemEncoding(3, 3, 14, 0, 5), COUNTERS.CNTPCT_EL0],
  [systemEncoding(3, 3, 14, 0, 6), COUNTERS.CNTVCT_EL0],
]);

/** Those that kernels use all the time, by encoding; FEAT_FGT may trap them all, which `quiet` and `kernel` rule out. */
// deno-fmt-ignore
const REGISTERS: ReadonlyMap<number, PlainRegister> = new Map<number, PlainRegister>([
  [systemEncoding(3, 0, 4, 1, 0),  { stored: register("SP_EL0"), read: ["privileged"], write: ["privileged", "quiet"] }],
  [systemEncoding(3, 0, 13, 0, 4), { stored: register("TPIDR_EL1"), read: ["privileged"], write: ["quiet"] }],
  [systemEncoding(3, 3, 13, 0, 2), { stored: register("TPIDR_EL0"), read: [], write: ["quiet"] }],
  [systemEncoding(3, 0, 4, 0, 0),  { stored: register("SPSR_EL1"), read: ["kernel"], write: ["kernel"] }],
  [systemEncoding(3, 0, 4, 0, 1),  { stored: register("ELR_EL1"), read: ["kernel"], write: ["kernel"] }],
  [systemEncoding(3, 0, 5, 2, 0),  { stored: register("ESR_EL1"), read: ["kernel"] }],
  [systemEncoding(3, 0, 6, 0, 0),  { stored: register("FAR_EL1"), read: ["kernel"] }],
  [systemEncoding(3, 3, 13, 0, 3), { stored: register("TPIDRRO_EL0"), read: [], write: ["quiet"] }],
  [systemEncoding(3, 3, 4, 2, 1),  { stored: { offset: SLOT_DAIF * 8, shift: 6, mask: 15n }, read: ["quiet"], write: ["quiet"] }],
  ...KEYS.map((name): [number, PlainRegister] => [SYSTEM_REGISTERS[name] as number, { stored: register(name), read: ["kernel", "pointerKeys"], write: ["kernel", "pointerKeys"] }]),
  [systemEncoding(3, 0, 4, 2, 2),  { shared: SHARED.currentLevel, read: ["currentLevel"] }],
  [COUNTERS.CNTPCT_EL0,            { counterOffset: SHARED.physicalOffset, read: ["physicalCount"] }],
  [COUNTERS.CNTVCT_EL0,            { counterOffset: SHARED.virtualOffset, read: ["virtualCount"] }],
  [systemEncoding(3, 3, 0, 0, 1),  { value: CACHE_TYPE, read: ["quiet"] }],
  [systemEncoding(3, 3, 0, 0, 7),  { value: ZEROING_TYPE, read: ["quiet"] }],
]);

/** Maintenance that does nothing where its address is mapped: caches are invisible without strict models. */
const MAINTENANCE: ReadonlySet<unknown> = encodingsOf("dc cvac, dc cvau, dc civac, ic ivau");
/** The same of all addresses. */
const MAINTENANCE_BY_SET: ReadonlySet<unknown> = encodingsOf("dc isw, dc csw, dc cisw");
/** What does nothing at all where it does not trap. */
const INVALIDATIONS: ReadonlySet<unknown> = encodingsOf(
  "tlbi vmalle1, tlbi vae1, tlbi aside1, tlbi vaae1, tlbi vale1, tlbi vaale1, " +
    "tlbi vmalle1is, tlbi vae1is, tlbi aside1is, tlbi vaae1is, tlbi vale1is, tlbi vaale1is",
);

function encodingsOf(names: string): ReadonlySet<unknown> {
  return new Set(names.split(", ").map((name) => SYSTEM_INSTRUCTIONS[name]?.encoding));
}

/** The register of a readSystemRegister or writeSystemRegister. */
export function plainRegister(encoding: number): PlainRegister | undefined {
  return REGISTERS.get(encoding);
}

/** Stands for all maintenance of caches by set and way. */
export const BY_SET = 1;

/** op1 and op2 of MSR DAIFSet and DAIFClr. */
const DAIF_OP1 = 3, DAIF_SET = 6, DAIF_CLEAR = 7;

/** The masks that an MSR (immediate) sets or clears; undefined for other fields. */
export function masksChanged(node: IrNode): { readonly isSet: boolean; readonly masks: number } | undefined {
  const [name, op1, op2, masks] = node.immediates;
  if (name !== "writePstateField" || op1 !== DAIF_OP1 || (op2 !== DAIF_SET && op2 !== DAIF_CLEAR)) {
    return undefined;
  }
  return { isSet: op2 === DAIF_SET, masks: masks as number };
}

/** Helpers that compute codes of pointers. */
const POINTER_CODES: ReadonlySet<unknown> = new Set(["addPac", "authenticate", "stripPac", "genericPac"]);

/** True for a node as `withoutTarget` leaves those that generated code executes itself. */
export function isPlain(node: IrNode): boolean {
  const { immediates: [name, , third] } = node;
  const isTargeted = name === "readSystemRegister" || name === "writeSystemRegister" ||
    name === "maintainCache" ||
    name === "systemInstruction";
  if (POINTER_CODES.has(name)) return third === undefined;
  return isTargeted ? third === undefined : masksChanged(node) !== undefined;
}

/**
 * Plain instructions do not say which general register they use: only a trap would tell. What does the same whatever
 * it maintains does not say what that is, so that all such instructions have one handler.
 */
export function withoutTarget(model: CpuModel, node: IrNode): IrNode {
  const { op, immediates: [name, encoding] } = node;
  if (op !== "helper") return node;
  const kept = plainImmediates(model, name as string, encoding as number);
  return kept === undefined ? node : { ...node, immediates: kept };
}

function plainImmediates(model: CpuModel, name: string, encoding: number): (string | number)[] | undefined {
  const synchronized = hasFeature(model, "ECV") ? SYNCHRONIZED_COUNTERS.get(encoding) : undefined;
  const found = REGISTERS.get(synchronized ?? encoding);
  switch (name) {
    case "readSystemRegister":
      return found === undefined ? undefined : [name, synchronized ?? encoding];
    case "writeSystemRegister":
      return found?.write === undefined ? undefined : [name, encoding];
    case "maintainCache":
      if (MAINTENANCE_BY_SET.has(encoding)) return [name, BY_SET];
      return MAINTENANCE.has(encoding) ? [name, 0] : undefined;
    case "systemInstruction":
      return INVALIDATIONS.has(encoding) ? [name, 0] : undefined;
    default: // The algorithm of FEAT_PACIMP is not generated: such nodes get a third immediate, and are not plain.
      if (!POINTER_CODES.has(name) || !hasFeature(model, "PACIMP")) return undefined;
      return [name, encoding ?? 0, "hash"];
  }
}

/** Conditions of a read of a register on machines that have FEAT_FGT. */
export function readConditions({ read }: PlainRegister): readonly Condition[] {
  return read.includes("quiet") || read.includes("kernel") ? read : [...read, "untrapped"];
}
