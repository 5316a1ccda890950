/** What a client sees of a CPU: scopes and, in them, registers. */
import { hex } from "../../machine/address.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { generalRegisters, powerText, pstateText, systemRegisters, vectorRegisters } from "../cpu_view.ts";
import type { SymbolTable } from "../symbols.ts";
import { grouped, hex64, secondsText } from "../text.ts";
import type { Frame } from "./frames.ts";

/** A row of a client's view. */
export interface Variable {
  /** Name. */
  readonly name: string;
  /** Value as it is shown. */
  readonly value: string;
  /** Number of what is within; 0 for nothing. */
  readonly variablesReference: number;
  /** Address that it may be, to look at memory there. */
  readonly memoryReference?: string;
  /** The expression that gives it. */
  readonly evaluateName?: string;
}

/** A scope: its name, whether it takes long, and what is in it. */
interface ScopeRow {
  readonly name: string;
  readonly hint?: "registers";
  readonly isDear: boolean;
  readonly list: (cpu: Cpu, symbols: SymbolTable) => readonly Variable[];
}

function register(name: string, value: bigint, symbols: SymbolTable): Variable {
  const isPointer = value >= 0x1000n && value < 2n ** 64n;
  return {
    name,
    value: hex64(value) + symbols.pointerLabel(value),
    variablesReference: 0,
    evaluateName: name,
    ...(isPointer ? { memoryReference: hex(value) } : {}),
  };
}

const text = (name: string, value: string): Variable => ({ name, value, variablesReference: 0 });

/** A vector register's lanes: as hexadecimal, then as two doubles and four singles. */
function vector(name: string, value: bigint): Variable {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  view.setBigUint64(8, value >> 64n, true);
  const doubles = [0, 8].map((at) => view.getFloat64(at, true));
  const singles = [0, 4, 8, 12].map((at) => view.getFloat32(at, true));
  const lanes = value === 0n ? "" : `  d {${doubles.join(", ")}}  s {${singles.join(", ")}}`;
  return {
    name,
    value: `0x${value.toString(16).padStart(32, "0")}${lanes}`,
    variablesReference: 0,
    evaluateName: name,
  };
}

function general(cpu: Cpu, symbols: SymbolTable): Variable[] {
  return [
    ...generalRegisters(cpu).map(([name, value]) => register(name, value, symbols)),
    text("pstate", pstateText(cpu)),
    text("power", powerText(cpu)),
  ];
}

function run({ surroundings: { clock } }: Cpu): Variable[] {
  return [
    { ...text("instant", grouped(clock.instant)), evaluateName: "instant" },
    { ...text("time", secondsText(clock.now)), evaluateName: "time" },
  ];
}

// deno-fmt-ignore
const SCOPES: readonly ScopeRow[] = [
  { name: "Registers",        hint: "registers", isDear: false, list: general },
  { name: "FP/SIMD",          hint: "registers", isDear: true,  list: (cpu) => vectorRegisters(cpu).map(([name, value]) => vector(name, value)) },
  { name: "System registers", hint: "registers", isDear: true,  list: (cpu, symbols) => systemRegisters(cpu).map(([name, value]) => register(name, value, symbols)) },
  { name: "Run",              isDear: false, list: run },
];

/** Numbers of scopes for each CPU. */
const REFERENCES_PER_CPU = 16;
/** Numbers of callers' scopes follow those of CPUs. */
const FIRST_CALLER = 1 << 16;

/** The scopes of a CPU's innermost frame. */
export function scopesOf(cpu: Cpu): object[] {
  return SCOPES.map(({ name, hint, isDear }, at) => ({
    name,
    ...(hint === undefined ? {} : { presentationHint: hint }),
    variablesReference: 1 + cpu.index * REFERENCES_PER_CPU + at,
    expensive: isDear,
  }));
}

/** The scope of a caller, whose frame has a number. */
export function callerScopes(frameId: number): object[] {
  return [{ name: "Caller", variablesReference: FIRST_CALLER + frameId, expensive: false }];
}

/** What is in a scope; undefined for a number that is none. */
export function variablesOf(
  reference: number,
  cpus: readonly Cpu[],
  callers: (frameId: number) => Frame | undefined,
  symbols: SymbolTable,
): readonly Variable[] | undefined {
  if (reference > FIRST_CALLER) {
    const frame = callers(reference - FIRST_CALLER);
    if (frame === undefined) return undefined;
    return [register("pc", frame.pc, symbols), register("x29", frame.record, symbols)];
  }
  const cpu = cpus[Math.floor((reference - 1) / REFERENCES_PER_CPU)];
  const scope = SCOPES[(reference - 1) % REFERENCES_PER_CPU];
  return cpu === undefined || scope === undefined ? undefined : scope.list(cpu, symbols);
}
