/** Interrupts at a step boundary: which are pending, where they go and whether they are masked (Arm ARM D1.13). */
import { HCR, hypervisorBit, monitorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { Exception } from "./exception.ts";
import { untagPc } from "./memory_access.ts";
import { beginStep, pendingStep } from "./software_step.ts";
import { syndromeOf } from "./syndrome.ts";
import { isInHost, isSecureBelowEl3 } from "./translation_regime.ts";

/** PSTATE.A, I, F as bits of `cpu.daif`. */
const A = 4, I = 2, F = 1;

interface InterruptRow {
  readonly kind: "irq" | "fiq" | "serror";
  /** PSTATE bit that masks it at the level that takes it. */
  readonly mask: number;
  /** Bit of SCR_EL3 that routes the physical one to EL3. */
  readonly scr: number;
  /** Bit of HCR_EL2 that routes the physical one to EL2 and enables the virtual one. */
  readonly route: number;
  /** Bit of HCR_EL2 that makes the virtual one pending. */
  readonly virtual: number;
  /** The physical one waits. */
  readonly physicalLine: (cpu: Cpu) => boolean;
  /** The interrupt controller asks for the virtual one. */
  readonly virtualLine: (cpu: Cpu) => boolean;
}

/** An interrupt of Group 1 of a GICv3 is an IRQ in its own Security state and an FIQ elsewhere, as at EL3 (IHI 0069, 4.6.2). */
function isGroup1(cpu: Cpu, asFiq: boolean): boolean {
  const isSecure = isSecureBelowEl3(cpu);
  return (cpu.secureGroup1Line && (isSecure && cpu.el < 3) !== asFiq) ||
    (cpu.nonSecureGroup1Line && (isSecure || cpu.el === 3) === asFiq);
}

// deno-fmt-ignore
const FIQ: InterruptRow = {
  kind: "fiq", mask: F, scr: SCR.FIQ, route: HCR.FMO, virtual: HCR.VF,
  physicalLine: (cpu) => cpu.fiqLine || isGroup1(cpu, true), virtualLine: (cpu) => cpu.virtualFiqLine,
};
// deno-fmt-ignore
const IRQ: InterruptRow = {
  kind: "irq", mask: I, scr: SCR.IRQ, route: HCR.IMO, virtual: HCR.VI,
  physicalLine: (cpu) => cpu.irqLine || isGroup1(cpu, false), virtualLine: (cpu) => cpu.virtualIrqLine,
};
// deno-fmt-ignore
const SERROR: InterruptRow = {
  kind: "serror", mask: A, scr: SCR.EA, route: HCR.AMO, virtual: HCR.VSE,
  physicalLine: (cpu) => cpu.serrorPending, virtualLine: () => false,
};

/** Priority between interrupts is IMPLEMENTATION DEFINED (see implementation_defined.ts): the order of these lists. */
const PHYSICAL: readonly InterruptRow[] = [FIQ, IRQ, SERROR];
const VIRTUAL: readonly InterruptRow[] = [IRQ, FIQ, SERROR];

/** The level that a physical interrupt is taken to from the present state (Arm ARM D1.13). */
function physicalTarget(cpu: Cpu, { scr, route }: InterruptRow): 1 | 2 | 3 {
  if (monitorBit(cpu, scr)) return 3;
  return hypervisorBit(cpu, route) || hypervisorBit(cpu, HCR.TGE) ? 2 : 1;
}

/**
 * Taken at once: a level above EL1 that is higher than the present one cannot be masked, but for EL2 by applications of
 * its host; a lower one must wait.
 */
function isUnmasked(cpu: Cpu, target: number, mask: number): boolean {
  if (target < cpu.el) return false;
  if (target > cpu.el && target > 1 && !(target === 2 && isInHost(cpu))) return true;
  return (cpu.daif & mask) === 0;
}

/** A virtual interrupt exists for EL1 and EL0 below an enabled EL2 that routes the physical one to itself. */
function isVirtualPending(cpu: Cpu, row: InterruptRow): boolean {
  if (cpu.el > 1 || hypervisorBit(cpu, HCR.TGE) || !hypervisorBit(cpu, row.route)) return false;
  return hypervisorBit(cpu, row.virtual) || row.virtualLine(cpu);
}

/** ISR_EL1: A, I, F in bits 8–6, the virtual ones where EL1 sees those instead of the physical ones. */
export function interruptStatus(cpu: Cpu): bigint {
  let status = 0;
  for (const row of PHYSICAL) {
    const seesVirtual = cpu.el === 1 && hypervisorBit(cpu, row.route);
    if (seesVirtual ? isVirtualPending(cpu, row) : row.physicalLine(cpu)) status |= row.mask << 6;
  }
  return BigInt(status);
}

function exceptionOf(cpu: Cpu, { kind }: InterruptRow, target: 1 | 2 | 3): Exception {
  const syndrome = kind === "serror" ? syndromeOf("serror") : 0;
  return { kind, target, syndrome, returnAddress: cpu.pc };
}

/** The interrupt that would be taken now. */
function unmaskedInterrupt(cpu: Cpu): Exception | undefined {
  for (const row of PHYSICAL) {
    if (!row.physicalLine(cpu)) continue;
    const target = physicalTarget(cpu, row);
    if (isUnmasked(cpu, target, row.mask)) return exceptionOf(cpu, row, target);
  }
  for (const row of VIRTUAL) {
    if (isVirtualPending(cpu, row) && (cpu.daif & row.mask) === 0) return exceptionOf(cpu, row, 1);
  }
  return undefined;
}

/**
 * What is taken at a step boundary instead of an instruction: an unmasked interrupt, else a software step exception.
 * When there is none and the instruction is one to be stepped, `attention` is set so that the burst ends after it.
 */
export function pendingInterrupt(cpu: Cpu): Exception | undefined {
  const step = pendingStep(cpu);
  if (cpu.stepStarted) {
    cpu.singleStep = false;
    cpu.stepStarted = false;
  }
  const exception = unmaskedInterrupt(cpu) ?? step;
  if (exception === undefined) {
    beginStep(cpu);
    return undefined;
  }
  untagPc(cpu);
  return { ...exception, returnAddress: cpu.pc };
}

/** An interrupt is pending, masked or not: what ends WFI (Arm ARM D1.17). */
export function isInterruptPending(cpu: Cpu): boolean {
  return PHYSICAL.some((row) => row.physicalLine(cpu) || isVirtualPending(cpu, row));
}

/** True when a waiting CPU must go on: WFI on any pending interrupt, WFE on its event register or an unmasked one. */
export function hasWakeup(cpu: Cpu): boolean {
  if (cpu.waiting === "event") return cpu.eventRegister || unmaskedInterrupt(cpu) !== undefined;
  return isInterruptPending(cpu);
}
