/** Which registers control an exception level's accesses, and their values taken apart (Arm ARM D8.1). */
import {
  field,
  type Regime,
  type TranslationControls,
  translationControls,
  type TranslationLimits,
  type TranslationRegisters,
} from "../memory/translation_controls.ts";
import type { AccessControls } from "../memory/tlb.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
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

/** Physical address size and granules by CPU model, as QEMU 7.2 gives them in ID_AA64MMFR0_EL1. */
// deno-fmt-ignore
const LIMITS: Readonly<Record<string, TranslationLimits>> = {
  "cortex-a57": { physicalSize: 44, granule16K: false },
  "max":        { physicalSize: 48, granule16K: true },
};

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

/** The controls of a regime as the system registers stand. */
export function controlsOf(cpu: Cpu, regime: Regime): TranslationControls {
  return build(cpu, regime, registersOf(cpu, regime));
}

function build(cpu: Cpu, regime: Regime, registers: TranslationRegisters): TranslationControls {
  const secure = regime === "EL3" || (regime === "EL1&0" && isSecureBelowEl3(cpu));
  const limits = LIMITS[cpu.features.model] ?? LIMITS["cortex-a57"] as TranslationLimits;
  return translationControls(regime, secure, bit(cpu, "SCR_EL3", SCR_SIF), registers, limits);
}

const BASE = (1n << 48n) - 1n;

/** The controls of accesses made at an exception level, from the TLB's memory of them when it has one. */
export function accessControls(cpu: Cpu, level: ExceptionLevel): AccessControls {
  const { tlb } = cpu;
  const known = tlb.levels[level];
  if (known !== undefined) return known;
  const regime = REGIME_OF_LEVEL[level] as Regime;
  const registers = registersOf(cpu, regime);
  const { ttbr0, ttbr1, sctlr, tcr, mair, hcr, vtcr, vttbr, sctlrEl2 } = registers;
  const translation = build(cpu, regime, registers);
  const { secure, secureFetchOnly } = translation.stage1;
  // Address space identifiers are left out: entries of equal tables are equal.
  const common =
    `${level}:${secure}:${secureFetchOnly}:${sctlr}:${tcr}:${mair}:${hcr}:${vtcr}:${vttbr}:${sctlrEl2}`;
  const [lowerContext, upperContext] = tlb.contextsOf(
    `${common}:lower:${ttbr0 & BASE}`,
    `${common}:upper:${ttbr1 & BASE}`,
  );
  const bigEndian = field(sctlr, level === 0 ? SCTLR_E0E : SCTLR_EE, 1) === 1;
  const controls: AccessControls = {
    translation,
    privileged: level > 0,
    bigEndian,
    alignmentChecked: field(sctlr, SCTLR_A, 1) === 1,
    lowerContext,
    upperContext,
  };
  tlb.levels[level] = controls;
  if (!bigEndian) {
    tlb.contexts[level * 2] = lowerContext;
    tlb.contexts[level * 2 + 1] = upperContext;
  }
  return controls;
}
