/** Which registers control an exception level's accesses, and their values taken apart (Arm ARM D8.1). */
import {
  field,
  type Regime,
  type TranslationControls,
  translationControls,
  type TranslationRegisters,
} from "../memory/translation_controls.ts";
import type { AccessControls } from "../memory/tlb.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { MODELS } from "./model.ts";
import { INDEX, type StoredRegister } from "./system_register_index.ts";

interface RegimeRegisters {
  readonly sctlr: StoredRegister;
  readonly tcr: StoredRegister;
  readonly ttbr0: StoredRegister;
  readonly mair: StoredRegister;
}

// deno-fmt-ignore
const REGISTERS: Readonly<Record<Regime, RegimeRegisters>> = {
  "EL1&0": { sctlr: "SCTLR_EL1", tcr: "TCR_EL1", ttbr0: "TTBR0_EL1", mair: "MAIR_EL1" },
  "EL2":   { sctlr: "SCTLR_EL2", tcr: "TCR_EL2", ttbr0: "TTBR0_EL2", mair: "MAIR_EL2" },
  "EL3":   { sctlr: "SCTLR_EL3", tcr: "TCR_EL3", ttbr0: "TTBR0_EL3", mair: "MAIR_EL3" },
};

const REGIME_OF_LEVEL: readonly Regime[] = ["EL1&0", "EL1&0", "EL2", "EL3"];

/** In the order in which they change most often. */
const REGISTER_NAMES: readonly (keyof TranslationRegisters)[] = [
  ...["ttbr0", "ttbr1", "sctlr", "hcr", "vttbr", "tcr", "mair", "vtcr", "sctlrEl2"] as const,
];

const SCR_NS = 0, SCR_SIF = 9, SCTLR_A = 1, SCTLR_E0E = 24, SCTLR_EE = 25;

function bit(cpu: Cpu, register: StoredRegister, number: number): boolean {
  return field(cpu.registers.system[INDEX[register]] as bigint, number, 1) === 1;
}

/** EL1, EL0 and whatever EL3 acts on for them are in Secure state. */
export function isSecureBelowEl3(cpu: Cpu): boolean {
  return cpu.features.el3 && !bit(cpu, "SCR_EL3", SCR_NS);
}

/** EL2 exists and is enabled in the present security state (Arm ARM EL2Enabled). */
export function isEl2Enabled(cpu: Cpu): boolean {
  return cpu.features.el2 && !isSecureBelowEl3(cpu);
}

function registersOf(cpu: Cpu, regime: Regime): TranslationRegisters {
  const { system } = cpu.registers;
  const names = REGISTERS[regime];
  const read = (name: StoredRegister) => system[INDEX[name]] as bigint;
  const el2 = regime === "EL1&0" && isEl2Enabled(cpu);
  return {
    sctlr: read(names.sctlr),
    tcr: read(names.tcr),
    ttbr0: read(names.ttbr0),
    ttbr1: regime === "EL1&0" ? read("TTBR1_EL1") : 0n,
    mair: read(names.mair),
    hcr: el2 ? read("HCR_EL2") : 0n,
    vtcr: el2 ? read("VTCR_EL2") : 0n,
    vttbr: el2 ? read("VTTBR_EL2") : 0n,
    sctlrEl2: el2 ? read("SCTLR_EL2") : 0n,
  };
}

/** Security state of a regime's lookups, and SCR_EL3.SIF where it acts. */
interface Security {
  readonly secure: boolean;
  readonly secureFetchOnly: boolean;
}

function securityOf(cpu: Cpu, regime: Regime): Security {
  const secure = regime === "EL3" || (regime === "EL1&0" && isSecureBelowEl3(cpu));
  return { secure, secureFetchOnly: secure && bit(cpu, "SCR_EL3", SCR_SIF) };
}

function build(
  cpu: Cpu,
  regime: Regime,
  { secure, secureFetchOnly }: Security,
  registers: TranslationRegisters,
): TranslationControls {
  return translationControls(regime, secure, secureFetchOnly, registers, MODELS[cpu.features.model].limits);
}

/** The controls of a regime as the system registers stand. */
export function controlsOf(cpu: Cpu, regime: Regime): TranslationControls {
  return build(cpu, regime, securityOf(cpu, regime), registersOf(cpu, regime));
}

function isSame(a: AccessControls, { secure, secureFetchOnly }: Security, b: TranslationRegisters): boolean {
  const { registers, translation: { stage1 } } = a;
  for (const name of REGISTER_NAMES) if (registers[name] !== b[name]) return false;
  return stage1.secure === secure && stage1.secureFetchOnly === secureFetchOnly;
}

/** The controls of accesses made at an exception level, from the TLB's memory of them when it has one. */
export function accessControls(cpu: Cpu, level: ExceptionLevel): AccessControls {
  const { tlb } = cpu;
  const known = tlb.levels[level];
  if (known !== undefined) return known;
  const regime = REGIME_OF_LEVEL[level] as Regime;
  const registers = registersOf(cpu, regime), security = securityOf(cpu, regime);
  const controls = tlb.recall(level, (other) => isSame(other, security, registers)) ??
    newControls(cpu, level, regime, security, registers);
  tlb.enforce(level, controls);
  return controls;
}

const BASE = (1n << 48n) - 1n;

/** Address space identifiers are left out of what tells contexts apart: entries of equal tables are equal. */
function newControls(
  cpu: Cpu,
  level: ExceptionLevel,
  regime: Regime,
  security: Security,
  registers: TranslationRegisters,
): AccessControls {
  const { ttbr0, ttbr1, ...others } = registers;
  const common = [level, security.secure, security.secureFetchOnly, ...Object.values(others)].join();
  const [lowerContext, upperContext] = cpu.tlb.contextsOf(
    `${common}:lower:${ttbr0 & BASE}`,
    `${common}:upper:${ttbr1 & BASE}`,
  );
  const { sctlr } = registers;
  return {
    registers,
    translation: build(cpu, regime, security, registers),
    privileged: level > 0,
    bigEndian: field(sctlr, level === 0 ? SCTLR_E0E : SCTLR_EE, 1) === 1,
    alignmentChecked: field(sctlr, SCTLR_A, 1) === 1,
    lowerContext,
    upperContext,
  };
}
