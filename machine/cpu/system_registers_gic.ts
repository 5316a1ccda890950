/** Registers of a GICv3's CPU interface, in front of the device that has them (Arm IHI 0069, sections 12.2 to 12.4). */
import type { Cpu } from "./cpu.ts";
import { HCR, hypervisorBit, monitorBit, SCR } from "./controls.ts";
import type { GicAccess, GicRegister } from "./gic_interface.ts";
import {
  type AccessName,
  computed,
  constant,
  type RowOptions,
  type SystemRegister,
} from "./system_register_row.ts";
import type { TrapName } from "./system_register_traps.ts";
import { isEl2Enabled, isSecureBelowEl3 } from "./translation_regime.ts";

/** Without a GICv3 there are no such registers; what looks at them nevertheless sees zero. */
const isUndefined = (cpu: Cpu): boolean => cpu.surroundings.gic === undefined;

/** Who makes the present access. */
export function gicAccessOf(cpu: Cpu): GicAccess {
  const secureBank = isSecureBelowEl3(cpu);
  return {
    level: cpu.el,
    secure: secureBank || cpu.el === 3,
    secureBank,
    fiqToMonitor: monitorBit(cpu, SCR.FIQ),
    irqToMonitor: monitorBit(cpu, SCR.IRQ),
    fiqToHypervisor: hypervisorBit(cpu, HCR.FMO),
    irqToHypervisor: hypervisorBit(cpu, HCR.IMO),
  };
}

/** Registers by what decides who traps them and whether a guest means the virtual interface. */
interface Kind {
  readonly traps: readonly TrapName[];
  /** Any of these bits of HCR_EL2 gives EL1 the virtual interface. */
  readonly redirects: readonly number[];
}

// deno-fmt-ignore
const KINDS = {
  group0:  { traps: ["TALL0", "ICC_FIQ"],         redirects: [HCR.FMO] },
  group1:  { traps: ["TALL1", "ICC_IRQ"],         redirects: [HCR.IMO] },
  common:  { traps: ["TC", "ICC_BOTH"],           redirects: [HCR.FMO, HCR.IMO] },
  end:     { traps: ["TC", "TDIR", "ICC_BOTH"],   redirects: [HCR.FMO, HCR.IMO] },
  send:    { traps: ["TC", "ICC_SGI", "ICC_BOTH"], redirects: [] },
  control: { traps: [],                           redirects: [] },
} as const satisfies Record<string, Kind>;

/** The register that a name leads to at the present level. */
function target(cpu: Cpu, name: GicRegister, { redirects }: Kind): GicRegister {
  const isGuest = cpu.el === 1 && isEl2Enabled(cpu) && redirects.some((bit) => hypervisorBit(cpu, bit));
  return isGuest ? name.replace("ICC", "ICV") as GicRegister : name;
}

function read(cpu: Cpu, register: GicRegister): bigint {
  return cpu.surroundings.gic?.read(register, gicAccessOf(cpu)) ?? 0n;
}

function row(
  name: GicRegister,
  access: AccessName,
  kind: keyof typeof KINDS,
  options: RowOptions = {},
): SystemRegister {
  return computed(
    name,
    access,
    (cpu) => read(cpu, target(cpu, name, KINDS[kind])),
    (cpu, value) => cpu.surroundings.gic?.write(target(cpu, name, KINDS[kind]), value, gicAccessOf(cpu)),
    { traps: KINDS[kind].traps, isUndefined, ...options },
  );
}

/** A register that acknowledges when it is read; a look at it shows what it would acknowledge. */
function acknowledging(name: GicRegister, pending: GicRegister, kind: keyof typeof KINDS): SystemRegister {
  const peek = (cpu: Cpu) => read(cpu, target(cpu, pending, KINDS[kind]));
  return { ...row(name, "EL1_RO", kind), peek };
}

/** ICC_SRE_ELx: the registers are always there and there is no bypass, so that all bits are one. */
const SRE_EL1 = 0x7n, SRE_EL2 = 0xfn;

/** Registers of the GICv3. */
// deno-fmt-ignore
export const GIC_REGISTERS: readonly SystemRegister[] = [
  row("ICC_PMR_EL1",     "EL1_RW", "common"),
  acknowledging("ICC_IAR0_EL1", "ICC_HPPIR0_EL1", "group0"),
  row("ICC_EOIR0_EL1",   "EL1_WO", "group0"),
  row("ICC_HPPIR0_EL1",  "EL1_RO", "group0"),
  row("ICC_BPR0_EL1",    "EL1_RW", "group0"),
  row("ICC_AP0R0_EL1",   "EL1_RW", "group0"),
  row("ICC_AP1R0_EL1",   "EL1_RW", "group1"),
  row("ICC_DIR_EL1",     "EL1_WO", "end"),
  row("ICC_RPR_EL1",     "EL1_RO", "common"),
  row("ICC_SGI1R_EL1",   "EL1_WO", "send"),
  row("ICC_ASGI1R_EL1",  "EL1_WO", "send"),
  row("ICC_SGI0R_EL1",   "EL1_WO", "send"),
  acknowledging("ICC_IAR1_EL1", "ICC_HPPIR1_EL1", "group1"),
  row("ICC_EOIR1_EL1",   "EL1_WO", "group1"),
  row("ICC_HPPIR1_EL1",  "EL1_RO", "group1"),
  row("ICC_BPR1_EL1",    "EL1_RW", "group1"),
  row("ICC_CTLR_EL1",    "EL1_RW", "common"),
  constant("ICC_SRE_EL1", "EL1_RW", SRE_EL1, { isUndefined }),
  row("ICC_IGRPEN0_EL1", "EL1_RW", "group0"),
  row("ICC_IGRPEN1_EL1", "EL1_RW", "group1"),
  constant("ICC_SRE_EL2", "EL2_RW", SRE_EL2, { isUndefined }),
  row("ICC_CTLR_EL3",    "EL3_RW", "control"),
  constant("ICC_SRE_EL3", "EL3_RW", SRE_EL2, { isUndefined }),
  row("ICC_IGRPEN1_EL3", "EL3_RW", "control"),
  row("ICH_AP0R0_EL2",   "EL2_RW", "control"),
  row("ICH_AP1R0_EL2",   "EL2_RW", "control"),
  row("ICH_HCR_EL2",     "EL2_RW", "control"),
  row("ICH_VTR_EL2",     "EL2_RO", "control"),
  row("ICH_MISR_EL2",    "EL2_RO", "control"),
  row("ICH_EISR_EL2",    "EL2_RO", "control"),
  row("ICH_ELRSR_EL2",   "EL2_RO", "control"),
  row("ICH_VMCR_EL2",    "EL2_RW", "control"),
  row("ICH_LR0_EL2",     "EL2_RW", "control"),
  row("ICH_LR1_EL2",     "EL2_RW", "control"),
  row("ICH_LR2_EL2",     "EL2_RW", "control"),
  row("ICH_LR3_EL2",     "EL2_RW", "control"),
];
