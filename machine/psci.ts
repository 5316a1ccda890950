/** PSCI 1.1 as the board's built-in firmware answers it, where no guest firmware owns the calls (Arm DEN 0022). */
import type { EventHub } from "./events.ts";

/** How PSCI is called; `none` when software inside the machine owns that level. */
export type PsciConduit = "none" | "hvc" | "smc";

/** Function identifiers: PSCI 1.1, and those of PSCI 0.1, which QEMU chose itself. */
// deno-fmt-ignore
export const FUNCTION = {
  PSCI_VERSION:        0x8400_0000,
  CPU_SUSPEND:         0x8400_0001,
  CPU_OFF:             0x8400_0002,
  CPU_ON:              0x8400_0003,
  AFFINITY_INFO:       0x8400_0004,
  MIGRATE:             0x8400_0005,
  MIGRATE_INFO_TYPE:   0x8400_0006,
  SYSTEM_OFF:          0x8400_0008,
  SYSTEM_RESET:        0x8400_0009,
  PSCI_FEATURES:       0x8400_000a,
  CPU_SUSPEND_64:      0xc400_0001,
  CPU_ON_64:           0xc400_0003,
  AFFINITY_INFO_64:    0xc400_0004,
  MIGRATE_64:          0xc400_0005,
  CPU_SUSPEND_0_1:     0x95c1_ba5e,
  CPU_OFF_0_1:         0x95c1_ba5f,
  CPU_ON_0_1:          0x95c1_ba60,
} as const;

/** Results, as signed numbers (DEN 0022, section 5.2.2). */
// deno-fmt-ignore
export const PSCI_RESULT = {
  SUCCESS:             0n,
  NOT_SUPPORTED:      -1n,
  INVALID_PARAMETERS: -2n,
  ALREADY_ON:         -4n,
  ON_PENDING:         -5n,
} as const;

/** The version that PSCI_VERSION gives: 1.1. */
const VERSION = 0x1_0001n;
/** MIGRATE_INFO_TYPE: no trusted system that would need migration. */
const MIGRATION_NOT_REQUIRED = 2n;
/** AFFINITY_INFO. */
const ON = 0n;
const OFF = 1n;
/** CPU_SUSPEND: bits of the power state that are not a state identifier: power level and reserved bits. */
const POWER_LEVEL_BITS = 0xfffe_0000n;

/** What PSCI does to the machine's CPUs and power; CPUs are numbered by affinity 0. */
export interface PowerController {
  /** Number of CPUs. */
  readonly cpuCount: number;
  /**
   * Turns a CPU on at `entry`, with `context` in X0, in the state of `nonSecureEntry` (boot.ts); `pending` when that
   * was asked for already and has not come about.
   */
  startCpu(index: number, entry: bigint, context: bigint): "ok" | "alreadyOn" | "pending";
  /** Turns a CPU off after the present step. */
  stopCpu(index: number): void;
  /** True when a CPU is on. */
  isOn(index: number): boolean;
  /** Makes a CPU wait for an interrupt, as WFI does, after the present step. */
  suspend(index: number): void;
  /** Ends the run. */
  powerOff(exitCode: number): void;
  /** Resets the machine. */
  reset(): void;
}

/**
 * The conduit that the board offers, by QEMU 7.2's rule: none when firmware of the user's runs at EL3, SMC when EL2
 * belongs to the guest, HVC otherwise.
 */
export function boardConduit(secure: boolean, virtualization: boolean, hasFirmware: boolean): PsciConduit {
  if (secure && hasFirmware) return "none";
  return virtualization ? "smc" : "hvc";
}

/** The conduit that is left when the guest starts at `level`: none when a call would target that level or one below. */
export function conduitFrom(conduit: PsciConduit, level: number): PsciConduit {
  const target = conduit === "hvc" ? 2 : 3;
  return level >= target ? "none" : conduit;
}

/** What a call comes to: its result, and what happens to the caller after it. */
interface Outcome {
  readonly result: bigint;
  readonly then?: () => void;
}

interface Call {
  readonly power: PowerController;
  readonly cpu: number;
  /** X1–X3, or W1–W3 of a 32-bit function. */
  readonly arguments: readonly [bigint, bigint, bigint];
}

function isCpu({ power }: Call, affinity: bigint): boolean {
  return affinity < BigInt(power.cpuCount);
}

function cpuOn(call: Call): Outcome {
  const [target, entry, context] = call.arguments;
  if ((entry & 3n) !== 0n || !isCpu(call, target)) return { result: PSCI_RESULT.INVALID_PARAMETERS };
  const started = call.power.startCpu(Number(target), entry, context);
  if (started === "ok") return { result: PSCI_RESULT.SUCCESS };
  return { result: started === "pending" ? PSCI_RESULT.ON_PENDING : PSCI_RESULT.ALREADY_ON };
}

/** There is no power-down: a suspended CPU waits for an interrupt and goes on after the call. */
function cpuSuspend({ power, cpu, arguments: [powerState] }: Call): Outcome {
  if ((powerState & POWER_LEVEL_BITS) !== 0n) return { result: PSCI_RESULT.INVALID_PARAMETERS };
  return { result: PSCI_RESULT.SUCCESS, then: () => power.suspend(cpu) };
}

/** Everything above affinity level 0 is on. */
function affinityInfo(call: Call): Outcome {
  const [target, level] = call.arguments;
  if (level !== 0n) return { result: ON };
  if (!isCpu(call, target)) return { result: PSCI_RESULT.INVALID_PARAMETERS };
  return { result: call.power.isOn(Number(target)) ? ON : OFF };
}

function cpuOff({ power, cpu }: Call): Outcome {
  return { result: PSCI_RESULT.SUCCESS, then: () => power.stopCpu(cpu) };
}

/** A function asked about is there, by its identifier, when this table has it. */
function features({ arguments: [id] }: Call): Outcome {
  return {
    result: HANDLERS.has(Number(id & 0xffff_ffffn)) ? PSCI_RESULT.SUCCESS : PSCI_RESULT.NOT_SUPPORTED,
  };
}

/** Every function that is there; MIGRATE and all others are not supported. */
// deno-fmt-ignore
const HANDLERS: ReadonlyMap<number, (call: Call) => Outcome> = new Map([
  [FUNCTION.PSCI_VERSION,      () => ({ result: VERSION })],
  [FUNCTION.MIGRATE_INFO_TYPE, () => ({ result: MIGRATION_NOT_REQUIRED })],
  [FUNCTION.PSCI_FEATURES,     features],
  [FUNCTION.AFFINITY_INFO,     affinityInfo],
  [FUNCTION.AFFINITY_INFO_64,  affinityInfo],
  [FUNCTION.CPU_ON,            cpuOn],
  [FUNCTION.CPU_ON_64,         cpuOn],
  [FUNCTION.CPU_ON_0_1,        cpuOn],
  [FUNCTION.CPU_OFF,           cpuOff],
  [FUNCTION.CPU_OFF_0_1,       cpuOff],
  [FUNCTION.CPU_SUSPEND,       cpuSuspend],
  [FUNCTION.CPU_SUSPEND_64,    cpuSuspend],
  [FUNCTION.CPU_SUSPEND_0_1,   cpuSuspend],
  // Nothing comes after either, so the caller is off at once.
  [FUNCTION.SYSTEM_OFF,        ({ power, cpu }) => ({ result: 0n, then: () => { power.stopCpu(cpu); power.powerOff(0); } })],
  [FUNCTION.SYSTEM_RESET,      ({ power, cpu }) => ({ result: 0n, then: () => { power.stopCpu(cpu); power.reset(); } })],
] as [number, (call: Call) => Outcome][]);

/** The firmware behind the conduit. */
export class Psci {
  /** `conduit` is the one that is left after `conduitFrom`. */
  constructor(
    readonly conduit: PsciConduit,
    private readonly power: PowerController,
    private readonly events: EventHub,
  ) {}

  /**
   * Answers an HVC or SMC of a CPU with X0–X3 as given; the result is the new X0. Undefined when the instruction is
   * not the conduit: then it does what the architecture says. With the conduit, no call traps or is undefined.
   */
  call(
    cpu: number,
    conduit: "hvc" | "smc",
    x: readonly [bigint, bigint, bigint, bigint],
  ): bigint | undefined {
    if (conduit !== this.conduit) return undefined;
    const id = Number(x[0] & 0xffff_ffffn);
    const outcome = this.#dispatch(cpu, id, x);
    const result = BigInt.asUintN(64, outcome.result);
    this.events.emit("firmwareCalled", cpu, { conduit, function: id, arguments: x.slice(1), result });
    outcome.then?.();
    return result;
  }

  #dispatch(cpu: number, id: number, [, a, b, c]: readonly [bigint, bigint, bigint, bigint]): Outcome {
    const handler = HANDLERS.get(id);
    if (handler === undefined) return { result: PSCI_RESULT.NOT_SUPPORTED };
    const width = isNarrow(id) ? 32 : 64;
    const narrowed = [BigInt.asUintN(width, a), BigInt.asUintN(width, b), BigInt.asUintN(width, c)] as const;
    return handler({ power: this.power, cpu, arguments: narrowed });
  }
}

/** Functions of the 32-bit convention take W registers (Arm DEN 0028, section 2.5); PSCI 0.1 is older than that. */
function isNarrow(id: number): boolean {
  const isPsci01 = id >= FUNCTION.CPU_SUSPEND_0_1 && id <= FUNCTION.CPU_ON_0_1;
  return !isPsci01 && (id & 0x4000_0000) === 0;
}
