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
  readonly ttbr1?: StoredRegister;
  readonly mair: StoredRegister;
}

// deno-fmt-ignore
const REGISTERS: Readonly<Record<Regime, RegimeRegisters>> = {
  "EL1&0": { sctlr: "SCTLR_EL1", tcr: "TCR_EL1", ttbr0: "TTBR0_EL1", ttbr1: "TTBR1_EL1", mair: "MAIR_EL1" },
  "EL2":   { sctlr: "SCTLR_EL2", tcr: "TCR_EL2", ttbr0: "TTBR0_EL2", mair: "MAIR_EL2" },
  "EL2&0": { sctlr: "SCTLR_EL2", tcr: "TCR_EL2", ttbr0: "TTBR0_EL2", ttbr1: "TTBR1_EL2", mair: "MAIR_EL2" },
  "EL3":   { sctlr: "SCTLR_EL3", tcr: "TCR_EL3", ttbr0: "TTBR0_EL3", mair: "MAIR_EL3" },
};

/** In the order in which they change most often. */
const REGISTER_NAMES: readonly (keyof TranslationRegisters)[] = [
  ...["ttbr0", "ttbr1", "sctlr", "hcr", "vttbr", "tcr", "mair", "vtcr", "sctlrEl2"] as const,
];

const SCR_NS = 0, SCR_SIF = 9, SCTLR_A = 1, SCTLR_E0E = 24, SCTLR_EE = 25;

function bit(cpu: Cpu, register: StoredRegister, number: number): boolean {
  return ((cpu.registers.systemHalves[INDEX[register] * 2] as number) >>> number & 1) === 1;
}

/** EL1, EL0 and whatever EL3 acts on for them are in Secure state. */
export function isSecureBelowEl3(cpu: Cpu): boolean {
  return cpu.features.el3 && !bit(cpu, "SCR_EL3", SCR_NS);
}

/** EL2 exists and is enabled in the present security state (Arm ARM EL2Enabled). */
export function isEl2Enabled(cpu: Cpu): boolean {
  return cpu.features.el2 && !isSecureBelowEl3(cpu);
}

const bits = (...numbers: number[]): bigint =>
  numbers.reduce((sum, number) => sum | 1n << BigInt(number), 0n);

const HCR_TGE = bits(27), HCR_E2H = bits(34);
/** FMO, IMO, AMO. */
const HCR_ROUTES = bits(3, 4, 5);
/** What TGE turns off: SWIO, PTW, VF, VI, VSE, FB, TID1, TID3, TSC, TACR, TSW, TTLB, TVM, HCD, TRVM. */
const OFF_WITH_TGE = bits(1, 2, 6, 7, 8, 9, 16, 18, 19, 21, 22, 25, 26, 29, 30);
/** What TGE and E2H together turn off: VM, the routes, BSU, DC, TWI, TWE, TID0, TID2, TPC, TPU, TDZ, CD, ID. */
const OFF_IN_HOST = OFF_WITH_TGE | HCR_ROUTES | bits(0, 10, 11, 12, 13, 14, 15, 17, 23, 24, 28, 32, 33);

/** HCR_EL2 as it acts: zero where EL2 is not enabled, and without what TGE turns off (Arm ARM D13.2, HCR_EL2). */
export function effectiveHcr(cpu: Cpu): bigint {
  const hcr = isEl2Enabled(cpu) ? cpu.registers.system[INDEX.HCR_EL2] as bigint : 0n;
  if ((hcr & HCR_TGE) === 0n) return hcr;
  return (hcr & HCR_E2H) === 0n ? (hcr | HCR_ROUTES) & ~OFF_WITH_TGE : hcr & ~OFF_IN_HOST;
}

/** HCR_EL2.E2H acts: EL2 is made for a host operating system (FEAT_VHE). */
export function isHost(cpu: Cpu): boolean {
  return isEl2Enabled(cpu) && (effectiveHcr(cpu) & HCR_E2H) !== 0n;
}

/** HCR_EL2.E2H and TGE: EL0 runs applications of the host at EL2 (Arm ARM ELIsInHost(EL0)). */
export function isInHost(cpu: Cpu): boolean {
  return isEl2Enabled(cpu) && (effectiveHcr(cpu) & (HCR_E2H | HCR_TGE)) === (HCR_E2H | HCR_TGE);
}

/** The regime of an exception level (Arm ARM TranslationRegime). */
export function regimeOf(cpu: Cpu, level: ExceptionLevel): Regime {
  switch (level) {
    case 0:
      return isInHost(cpu) ? "EL2&0" : "EL1&0";
    case 1:
      return "EL1&0";
    case 2:
      return isHost(cpu) ? "EL2&0" : "EL2";
    case 3:
      return "EL3";
  }
}

/** The SCTLR_ELx that controls the present level. */
export function controlRegister(cpu: Cpu): StoredRegister {
  return REGISTERS[regimeOf(cpu, cpu.el)].sctlr;
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
    ttbr1: names.ttbr1 === undefined ? 0n : read(names.ttbr1),
    mair: read(names.mair),
    hcr: el2 ? effectiveHcr(cpu) : 0n,
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

/** What the controls of a level are made of. */
interface Situation {
  readonly level: ExceptionLevel;
  readonly regime: Regime;
  readonly security: Security;
  readonly pan: boolean;
  readonly registers: TranslationRegisters;
}

function isSame(a: AccessControls, { regime, security, pan, registers }: Situation): boolean {
  const { stage1 } = a.translation;
  for (const name of REGISTER_NAMES) if (a.registers[name] !== registers[name]) return false;
  return a.pan === pan && stage1.regime === regime && stage1.secure === security.secure &&
    stage1.secureFetchOnly === security.secureFetchOnly;
}

/** The controls of accesses made at an exception level, from the TLB's memory of them when it has one. */
export function accessControls(cpu: Cpu, level: ExceptionLevel): AccessControls {
  const { tlb } = cpu;
  const known = tlb.levels[level];
  if (known !== undefined) return known;
  const regime = regimeOf(cpu, level);
  const registers = registersOf(cpu, regime), security = securityOf(cpu, regime);
  const pan = cpu.pan && level > 0 && REGISTERS[regime].ttbr1 !== undefined;
  const situation = { level, regime, security, pan, registers };
  const controls = tlb.recall(level, (other) => isSame(other, situation)) ?? newControls(cpu, situation);
  tlb.enforce(level, controls);
  return controls;
}

const BASE = (1n << 48n) - 1n;

/** Address space identifiers are left out of what tells contexts apart: entries of equal tables are equal. */
function newControls(cpu: Cpu, { level, regime, security, pan, registers }: Situation): AccessControls {
  const { ttbr0, ttbr1, ...others } = registers;
  const { secure, secureFetchOnly } = security;
  // A strict TLB has entries of an address space identifier, whatever the tables.
  const spaces = cpu.surroundings.strict?.tlbs === undefined ? [] : [ttbr0 & ~BASE, ttbr1 & ~BASE];
  const common = [level, regime, pan, secure, secureFetchOnly, ...Object.values(others), ...spaces].join();
  const [lowerContext, upperContext] = cpu.tlb.contextsOf(
    `${common}:lower:${ttbr0 & BASE}`,
    `${common}:upper:${ttbr1 & BASE}`,
  );
  const { sctlr } = registers;
  return {
    registers,
    translation: build(cpu, regime, security, registers),
    privileged: level > 0,
    pan,
    bigEndian: field(sctlr, level === 0 ? SCTLR_E0E : SCTLR_EE, 1) === 1,
    alignmentChecked: field(sctlr, SCTLR_A, 1) === 1,
    lowerContext,
    upperContext,
  };
}
