/** The table of trap controls: each bit that sends an access to a system register or instruction to another level. */
import { hasBit, HCR, hypervisorBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { FLOATING_POINT_SYNDROME } from "./syndrome.ts";
import type { StoredRegister } from "./system_register_index.ts";
import { isEl2Enabled } from "./translation_regime.ts";

/** One control. */
export interface TrapControl {
  /** Levels whose accesses it traps, one bit each. */
  readonly from: number;
  /** Level that takes the trap; controls of a lower level come first (Arm ARM D1.12). */
  readonly to: 1 | 2 | 3;
  /** Direction of the accesses it traps; SYS instructions are writes. */
  readonly access: "read" | "write" | "both";
  /** The control asks for a trap. */
  readonly isSet: (cpu: Cpu) => boolean;
  /** Syndrome when it is not that of a system access. */
  readonly syndrome?: number;
}

const E0 = 1, E1 = 2, E2 = 4, E3 = 8;
const E01 = E0 | E1, E12 = E1 | E2, E012 = E0 | E1 | E2;

type Access = TrapControl["access"];

function set(
  register: StoredRegister,
  bit: number,
  from: number,
  to: 1 | 2 | 3,
  access: Access,
): TrapControl {
  return { from, to, access, isSet: (cpu) => hasBit(cpu, register, bit) };
}

function clear(
  register: StoredRegister,
  bit: number,
  from: number,
  to: 1 | 2 | 3,
  access: Access,
): TrapControl {
  return { from, to, access, isSet: (cpu) => !hasBit(cpu, register, bit) };
}

/** Traps to EL1 from EL0 while none of the bits of the register is set. */
function noneOf(register: StoredRegister, bits: readonly number[], access: Access): TrapControl {
  return { from: E0, to: 1, access, isSet: (cpu) => bits.every((bit) => !hasBit(cpu, register, bit)) };
}

/** A debug trap of MDCR_EL2, which TDE and HCR_EL2.TGE imply. */
function debug(bit: number): TrapControl {
  const isSet = (cpu: Cpu) =>
    hasBit(cpu, "MDCR_EL2", bit) || hasBit(cpu, "MDCR_EL2", TDE) || hypervisorBit(cpu, HCR.TGE);
  return { from: E01, to: 2, access: "both", isSet };
}

const TDE = 8;
/** PMUSERENR_EL0. */
const EN = 0, SW = 1, CR = 2, ER = 3;

/** CPACR_EL1.FPEN: 0b01 traps EL0 only, 0b11 nothing, the others EL0 and EL1. */
function isFpenTrapping(cpu: Cpu): boolean {
  return !hasBit(cpu, "CPACR_EL1", 20) || (cpu.el === 0 && !hasBit(cpu, "CPACR_EL1", 21));
}

const syndrome = FLOATING_POINT_SYNDROME;

/** Every control, by the name of its bit (with the register's where the name is not unique). */
// deno-fmt-ignore
export const TRAPS = {
  // EL0 to EL1.
  UCT:            clear("SCTLR_EL1", 15, E0, 1, "both"),
  UMA:            clear("SCTLR_EL1", 9, E0, 1, "both"),
  DZE:            clear("SCTLR_EL1", 14, E0, 1, "both"),
  UCI:            clear("SCTLR_EL1", 26, E0, 1, "both"),
  TDCC:           set("MDSCR_EL1", 12, E0, 1, "both"),
  EL0PTEN:        clear("CNTKCTL_EL1", 9, E0, 1, "both"),
  EL0VTEN:        clear("CNTKCTL_EL1", 8, E0, 1, "both"),
  EL0PCTEN:       clear("CNTKCTL_EL1", 0, E0, 1, "both"),
  EL0VCTEN:       clear("CNTKCTL_EL1", 1, E0, 1, "both"),
  EL0FRQ:         noneOf("CNTKCTL_EL1", [0, 1], "both"),
  EN:             noneOf("PMUSERENR_EL0", [EN], "both"),
  EN_SW:          noneOf("PMUSERENR_EL0", [EN, SW], "both"),
  EN_ER:          noneOf("PMUSERENR_EL0", [EN, ER], "both"),
  EN_CR_read:     noneOf("PMUSERENR_EL0", [EN, CR], "read"),
  EN_ER_read:     noneOf("PMUSERENR_EL0", [EN, ER], "read"),
  EN_write:       noneOf("PMUSERENR_EL0", [EN], "write"),
  FPEN:           { from: E01, to: 1, access: "both", isSet: isFpenTrapping, syndrome },
  // To EL2.
  TID1:           set("HCR_EL2", HCR.TID1, E1, 2, "read"),
  TID2:           set("HCR_EL2", HCR.TID2, E01, 2, "both"),
  TID3:           set("HCR_EL2", HCR.TID3, E1, 2, "read"),
  TIDCP:          set("HCR_EL2", HCR.TIDCP, E1, 2, "both"),
  TACR:           set("HCR_EL2", HCR.TACR, E1, 2, "both"),
  TSW:            set("HCR_EL2", HCR.TSW, E1, 2, "both"),
  TPC:            set("HCR_EL2", HCR.TPC, E01, 2, "both"),
  TPU:            set("HCR_EL2", HCR.TPU, E01, 2, "both"),
  TTLB:           set("HCR_EL2", HCR.TTLB, E1, 2, "both"),
  TDZ:            set("HCR_EL2", HCR.TDZ, E01, 2, "both"),
  TVM:            set("HCR_EL2", HCR.TVM, E1, 2, "write"),
  TRVM:           set("HCR_EL2", HCR.TRVM, E1, 2, "read"),
  TCPAC_EL2:      set("CPTR_EL2", 31, E1, 2, "both"),
  TFP_EL2:        { ...set("CPTR_EL2", 10, E012, 2, "both"), syndrome },
  TDRA:           debug(11),
  TDOSA_EL2:      debug(10),
  TDA_EL2:        debug(9),
  TPM_EL2:        set("MDCR_EL2", 6, E01, 2, "both"),
  TPMCR:          set("MDCR_EL2", 5, E01, 2, "both"),
  EL1PCTEN:       clear("CNTHCTL_EL2", 0, E01, 2, "both"),
  EL1PCEN:        clear("CNTHCTL_EL2", 1, E01, 2, "both"),
  // To EL3.
  ST:             clear("SCR_EL3", 11, E1, 3, "both"),
  TCPAC_EL3:      set("CPTR_EL3", 31, E12, 3, "both"),
  TFP_EL3:        { ...set("CPTR_EL3", 10, E012 | E3, 3, "both"), syndrome },
  TDOSA_EL3:      set("MDCR_EL3", 10, E12, 3, "both"),
  TDA_EL3:        set("MDCR_EL3", 9, E012, 3, "both"),
  TPM_EL3:        set("MDCR_EL3", 6, E012, 3, "both"),
} as const satisfies Record<string, TrapControl>;

/** Name of a trap control. */
export type TrapName = keyof typeof TRAPS;

function applies(cpu: Cpu, control: TrapControl, isRead: boolean): boolean {
  if ((control.from >> cpu.el & 1) === 0) return false;
  if (control.access === (isRead ? "write" : "read")) return false;
  if (control.to === 2 && !isEl2Enabled(cpu)) return false;
  return (control.to < 3 || cpu.features.el3) && control.isSet(cpu);
}

/** The control that traps an access from the present level: of those that apply, the first of the lowest level. */
export function trapOf(cpu: Cpu, names: readonly TrapName[], isRead: boolean): TrapControl | undefined {
  let found: TrapControl | undefined;
  for (const name of names) {
    const control: TrapControl = TRAPS[name];
    if (found !== undefined && control.to >= found.to) continue;
    if (applies(cpu, control, isRead)) found = control;
  }
  return found;
}
