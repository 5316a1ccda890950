/** The table of trap controls: each bit that sends an access to a system register or instruction to another level. */
import { hasBit, HCR, hypervisorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { FLOATING_POINT_SYNDROME, POINTER_AUTHENTICATION_SYNDROME } from "./syndrome.ts";
import type { StoredRegister } from "./system_register_index.ts";
import { controlRegister, isEl2Enabled, isHost, isInHost } from "./translation_regime.ts";

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

/** Traps from EL0 while a bit of the SCTLR_ELx of EL0's regime is clear. */
function allowedBySctlr(bit: number): TrapControl {
  return { from: E0, to: 1, access: "both", isSet: (cpu) => !hasBit(cpu, controlRegister(cpu), bit) };
}

/** Traps of counters and timers from EL0 while none of the bits is set: of CNTKCTL_EL1, or of EL2's in its host. */
function allowedByKernel(...bits: readonly number[]): TrapControl {
  const isSet = (cpu: Cpu) => {
    const register = isInHost(cpu) ? "CNTHCTL_EL2" : "CNTKCTL_EL1";
    return bits.every((bit) => !hasBit(cpu, register, bit));
  };
  return { from: E0, to: 1, access: "both", isSet };
}

/** Traps of the physical counter or timer below EL2, unless EL0 is the host's; E2H moves the bit. */
function allowedByHypervisor(bit: number, hostBit: number): TrapControl {
  const isSet = (cpu: Cpu) =>
    !(cpu.el === 0 && isInHost(cpu)) && !hasBit(cpu, "CNTHCTL_EL2", isHost(cpu) ? hostBit : bit);
  return { from: E01, to: 2, access: "both", isSet };
}

/** Traps of the virtual counter or timer below EL2 that FEAT_ECV adds to CNTHCTL_EL2. */
function counterTrap(bit: number): TrapControl {
  const isSet = (cpu: Cpu) =>
    hasBit(cpu, "CNTHCTL_EL2", bit) && cpu.implements("ECV") && !(cpu.el === 0 && isInHost(cpu));
  return { from: E01, to: 2, access: "both", isSet };
}

/** Traps to EL1 from EL0 while none of the bits of the register is set. */
function noneOf(register: StoredRegister, bits: readonly number[], access: Access): TrapControl {
  return { from: E0, to: 1, access, isSet: (cpu) => bits.every((bit) => !hasBit(cpu, register, bit)) };
}

/** A trap of HCR_EL2, where the bit acts. */
function hypervisor(bit: number, from: number, access: Access): TrapControl {
  return { from, to: 2, access, isSet: (cpu) => hypervisorBit(cpu, bit) };
}

/** A debug trap of MDCR_EL2, which TDE and HCR_EL2.TGE imply. */
function debug(bit: number): TrapControl {
  const isSet = (cpu: Cpu) =>
    hasBit(cpu, "MDCR_EL2", bit) || hasBit(cpu, "MDCR_EL2", TDE) || hypervisorBit(cpu, HCR.TGE);
  return { from: E01, to: 2, access: "both", isSet };
}

/** A trap of the debug communications channel that FEAT_FGT adds to MDCR_ELx. */
function channelTrap(register: "MDCR_EL2" | "MDCR_EL3", from: number, to: 2 | 3): TrapControl {
  return { from, to, access: "both", isSet: (cpu) => hasBit(cpu, register, 27) && cpu.implements("FGT") };
}

/** A trap of ICH_HCR_EL2, of the guest's accesses to the CPU interface of a GICv3. */
function interruptTrap(bit: number): TrapControl {
  const isSet = (cpu: Cpu) => ((cpu.surroundings.gic?.hypervisorControl ?? 0) >>> bit & 1) === 1;
  return { from: E1, to: 2, access: "both", isSet };
}

/** Accesses to the CPU interface while all the bits of SCR_EL3 are set, unless EL1 has the virtual one by HCR_EL2. */
function interruptToMonitor(all: readonly number[], redirects: readonly number[]): TrapControl {
  const isSet = (cpu: Cpu) =>
    all.every((bit) => hasBit(cpu, "SCR_EL3", bit)) &&
    !(cpu.el === 1 && redirects.some((bit) => hypervisorBit(cpu, bit)));
  return { from: E12, to: 3, access: "both", isSet };
}

const TDE = 8;
/** PMUSERENR_EL0. */
const EN = 0, SW = 1, CR = 2, ER = 3;

/** FPEN, bits 21–20 of a register: 0b01 traps EL0 only, 0b11 nothing, the others all. */
function isFpenTrapping(cpu: Cpu, register: "CPACR_EL1" | "CPTR_EL2", trapsEl0: boolean): boolean {
  return !hasBit(cpu, register, 20) || (cpu.el === 0 && trapsEl0 && !hasBit(cpu, register, 21));
}

/** CPTR_EL2.TFP, or FPEN for a host, where 0b01 traps the EL0 of the host only. */
function isFloatingPointHypervisors(cpu: Cpu): boolean {
  return isHost(cpu) ? isFpenTrapping(cpu, "CPTR_EL2", isInHost(cpu)) : hasBit(cpu, "CPTR_EL2", 10);
}

/** CPACR_EL1.FPEN, which is not for the EL0 of a host. */
function isFloatingPointKernels(cpu: Cpu): boolean {
  return !isInHost(cpu) && isFpenTrapping(cpu, "CPACR_EL1", true);
}

/** HCR_EL2.API, which is not for the EL0 of a host. */
function isAuthenticationHypervisors(cpu: Cpu): boolean {
  return !hasBit(cpu, "HCR_EL2", HCR.API) && !(cpu.el === 0 && isInHost(cpu));
}

const syndrome = FLOATING_POINT_SYNDROME;

/** Every control, by the name of its bit (with the register's where the name is not unique). */
// deno-fmt-ignore
export const TRAPS = {
  // EL0 to EL1.
  UCT:            allowedBySctlr(15),
  UMA:            allowedBySctlr(9),
  DZE:            allowedBySctlr(14),
  UCI:            allowedBySctlr(26),
  TDCC:           set("MDSCR_EL1", 12, E0, 1, "both"),
  EL0PTEN:        allowedByKernel(9),
  EL0VTEN:        allowedByKernel(8),
  EL0PCTEN:       allowedByKernel(0),
  EL0VCTEN:       allowedByKernel(1),
  EL0FRQ:         allowedByKernel(0, 1),
  EN:             noneOf("PMUSERENR_EL0", [EN], "both"),
  EN_SW:          noneOf("PMUSERENR_EL0", [EN, SW], "both"),
  EN_ER:          noneOf("PMUSERENR_EL0", [EN, ER], "both"),
  EN_CR_read:     noneOf("PMUSERENR_EL0", [EN, CR], "read"),
  EN_ER_read:     noneOf("PMUSERENR_EL0", [EN, ER], "read"),
  EN_write:       noneOf("PMUSERENR_EL0", [EN], "write"),
  FPEN:           { from: E01, to: 1, access: "both", isSet: isFloatingPointKernels, syndrome },
  // To EL2.
  TID1:           hypervisor(HCR.TID1, E1, "read"),
  TID2:           hypervisor(HCR.TID2, E01, "both"),
  TID3:           hypervisor(HCR.TID3, E1, "read"),
  TIDCP:          hypervisor(HCR.TIDCP, E1, "both"),
  TACR:           hypervisor(HCR.TACR, E1, "both"),
  TSW:            hypervisor(HCR.TSW, E1, "both"),
  TPC:            hypervisor(HCR.TPC, E01, "both"),
  TPU:            hypervisor(HCR.TPU, E01, "both"),
  TTLB:           hypervisor(HCR.TTLB, E1, "both"),
  TDZ:            hypervisor(HCR.TDZ, E01, "both"),
  TVM:            hypervisor(HCR.TVM, E1, "write"),
  TRVM:           hypervisor(HCR.TRVM, E1, "read"),
  TCPAC_EL2:      set("CPTR_EL2", 31, E1, 2, "both"),
  TFP_EL2:        { from: E012, to: 2, access: "both", isSet: isFloatingPointHypervisors, syndrome },
  TDRA:           debug(11),
  TDOSA_EL2:      debug(10),
  TDA_EL2:        debug(9),
  TDCC_EL2:       channelTrap("MDCR_EL2", E01, 2),
  TPM_EL2:        set("MDCR_EL2", 6, E01, 2, "both"),
  TPMCR:          set("MDCR_EL2", 5, E01, 2, "both"),
  EL1PCTEN:       allowedByHypervisor(0, 10),
  EL1PCEN:        allowedByHypervisor(1, 11),
  EL1TVT:         counterTrap(13),
  EL1TVCT:        counterTrap(14),
  TC:             interruptTrap(10),
  TALL0:          interruptTrap(11),
  TALL1:          interruptTrap(12),
  TDIR:           interruptTrap(14),
  ICC_SGI:        { from: E1, to: 2, access: "both", isSet: (cpu) => hypervisorBit(cpu, HCR.FMO) || hypervisorBit(cpu, HCR.IMO) },
  APK_EL2:        clear("HCR_EL2", HCR.APK, E1, 2, "both"),
  API_EL2:        { from: E01, to: 2, access: "both", isSet: isAuthenticationHypervisors, syndrome: POINTER_AUTHENTICATION_SYNDROME },
  // To EL3.
  APK_EL3:        clear("SCR_EL3", SCR.APK, E12, 3, "both"),
  API_EL3:        { ...clear("SCR_EL3", SCR.API, E012, 3, "both"), syndrome: POINTER_AUTHENTICATION_SYNDROME },
  FGTEn:          clear("SCR_EL3", SCR.FGTEn, E2, 3, "both"),
  ECVEn:          clear("SCR_EL3", SCR.ECVEn, E2, 3, "both"),
  ST:             clear("SCR_EL3", 11, E1, 3, "both"),
  ICC_FIQ:        interruptToMonitor([SCR.FIQ], [HCR.FMO]),
  ICC_IRQ:        interruptToMonitor([SCR.IRQ], [HCR.IMO]),
  ICC_BOTH:       interruptToMonitor([SCR.FIQ, SCR.IRQ], [HCR.FMO, HCR.IMO]),
  TCPAC_EL3:      set("CPTR_EL3", 31, E12, 3, "both"),
  TFP_EL3:        { ...set("CPTR_EL3", 10, E012 | E3, 3, "both"), syndrome },
  TDOSA_EL3:      set("MDCR_EL3", 10, E12, 3, "both"),
  TDA_EL3:        set("MDCR_EL3", 9, E012, 3, "both"),
  TDCC_EL3:       channelTrap("MDCR_EL3", E012, 3),
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
