/** The physical CPU interface of a GICv3: ICC registers (Arm IHI 0069, sections 4.6 to 4.8 and 12.2). */
import type { GicAccess, GicCpuInterface, GicRegister } from "../cpu/gic_interface.ts";
import { u8, type ValueOf } from "../layout.ts";
import { octets, words } from "./fixed_arrays.ts";
import { at, INTERRUPT_COUNT, SPURIOUS } from "./gic_interrupts.ts";
import { type Candidate, GROUP, type Group, IDLE } from "./gic_v3_interrupts.ts";
import { LPI_BASE } from "./gic_v3_lpi.ts";
import {
  activeBit,
  CONTROL_CBPR,
  CONTROL_EOIMODE,
  CONTROL_FIXED,
  groupPriority,
  INTID_BITS,
  isSpecial,
  MINIMUM_BINARY_POINT,
  PRIORITY_MASK,
  runningPriority,
} from "./gic_v3_priorities.ts";
import { mayDeactivate, mayEnd, pendingOfGroup0, pendingOfGroup1 } from "./gic_v3_security.ts";
import { GicV3VirtualInterface } from "./gic_v3_virtual.ts";

/** What a CPU interface acts on. */
export interface CpuInterfaceOptions {
  /** The virtual interface of the same CPU. */
  readonly virtual: GicV3VirtualInterface;
  /** The CPU has EL3, and the controller the Security Extensions. */
  readonly security: boolean;
  /** The most urgent interrupt forwarded to the CPU. */
  readonly highest: () => Candidate | undefined;
  /** The group of an interrupt that is no LPI. */
  readonly groupOf: (interrupt: number) => Group;
  /** GICD_CTLR.DS. */
  readonly isSingleState: () => boolean;
  /** The board has LPIs. */
  readonly hasLpis: boolean;
  /** Makes an interrupt active and no longer pending. */
  readonly acknowledge: (interrupt: number) => void;
  /** Makes an interrupt that is no LPI inactive. */
  readonly deactivate: (interrupt: number) => void;
  /** Sends an SGI as ICC_SGI1R_EL1 and its like ask for. */
  readonly sendSgi: (request: bigint, group: Group, isSecure: boolean) => void;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

/** Section fields of a CPU interface, in layout order; arrays have an element for each group. */
// deno-fmt-ignore
export const CPU_INTERFACE_FIELDS = {
  /** CBPR and EOImode of ICC_CTLR_EL1, of Secure and of Non-secure state. */
  controls:         octets(2),
  /** EOImode_EL3 of ICC_CTLR_EL3. */
  monitorControl:   u8,
  priorityMask:     u8,
  binaryPoints:     octets(3),
  enabled:          octets(3),
  activePriorities: words(3),
} as const;

/** State of a CPU interface. */
export type CpuInterfaceState = ValueOf<typeof CPU_INTERFACE_FIELDS>;

/** The copies of ICC_CTLR_EL1. */
const SECURE = 0, NON_SECURE = 1;
/** Bits of ICC_CTLR_EL3; nDS says that EL3 cannot make Group 1 one group. */
const EL3 = { CBPR_EL1S: 1, CBPR_EL1NS: 2, EOIMODE_EL3: 4, EOIMODE_EL1S: 8, EOIMODE_EL1NS: 16, NDS: 1 << 17 };
/** The levels of priority that Non-secure software may raise, from 0x80 on, as bits of an active priorities register. */
const NON_SECURE_LEVELS = 0xffff_0000;

type Behaviour = {
  readonly read?: (it: GicV3CpuInterface, access: GicAccess) => number;
  readonly write?: (it: GicV3CpuInterface, value: number, access: GicAccess, whole: bigint) => void;
};

/** One CPU interface. */
export class GicV3CpuInterface implements GicCpuInterface {
  // deno-fmt-ignore
  /** What the registers do. */
  static readonly registers: Readonly<Partial<Record<GicRegister, Behaviour>>> = {
    ICC_PMR_EL1:     { read: (it, access) => it.#shown(it.state.priorityMask, access), write: (it, value, access) => it.#writePriorityMask(value, access) },
    ICC_IAR0_EL1:    { read: (it, access) => it.#acknowledge(it.#pending0(access)) },
    ICC_IAR1_EL1:    { read: (it, access) => it.#acknowledge(it.#pending1(access)) },
    ICC_EOIR0_EL1:   { write: (it, value, access) => it.#end(true, value & INTID_BITS, access) },
    ICC_EOIR1_EL1:   { write: (it, value, access) => it.#end(false, value & INTID_BITS, access) },
    ICC_HPPIR0_EL1:  { read: (it, access) => it.#pending0(access) },
    ICC_HPPIR1_EL1:  { read: (it, access) => it.#pending1(access) },
    ICC_BPR0_EL1:    { read: (it) => at(it.state.binaryPoints, GROUP.zero), write: (it, value) => it.#writeBinaryPoint(GROUP.zero, value) },
    ICC_BPR1_EL1:    { read: (it, access) => it.#readBinaryPoint1(access), write: (it, value, access) => it.#writeBinaryPoint1(value, access) },
    ICC_AP0R0_EL1:   { read: (it) => at(it.state.activePriorities, GROUP.zero), write: (it, value) => (it.state.activePriorities[GROUP.zero] = value) },
    ICC_AP1R0_EL1:   { read: (it, access) => at(it.state.activePriorities, bankOf(access)), write: (it, value, access) => it.#writeActivePriorities1(value, access) },
    ICC_DIR_EL1:     { write: (it, value, access) => it.#deactivate(value & INTID_BITS, access) },
    ICC_RPR_EL1:     { read: (it, access) => it.#shown(it.#runningPriority(), access) },
    ICC_SGI1R_EL1:   { write: (it, _, access, whole) => it.#options.sendSgi(whole, access.secure ? GROUP.secure : GROUP.nonSecure, access.secure) },
    ICC_ASGI1R_EL1:  { write: (it, _, access, whole) => it.#options.sendSgi(whole, access.secure ? GROUP.nonSecure : GROUP.secure, access.secure) },
    ICC_SGI0R_EL1:   { write: (it, _, access, whole) => it.#options.sendSgi(whole, GROUP.zero, access.secure) },
    ICC_CTLR_EL1:    { read: (it, access) => CONTROL_FIXED | at(it.state.controls, copyOf(access)), write: (it, value, access) => it.#writeControl(value, access) },
    ICC_IGRPEN0_EL1: { read: (it) => at(it.state.enabled, GROUP.zero), write: (it, value) => (it.state.enabled[GROUP.zero] = value & 1) },
    ICC_IGRPEN1_EL1: { read: (it, access) => at(it.state.enabled, bankOf(access)), write: (it, value, access) => (it.state.enabled[bankOf(access)] = value & 1) },
    ICC_CTLR_EL3:    { read: (it) => it.#readMonitorControl(), write: (it, value) => it.#writeMonitorControl(value) },
    ICC_IGRPEN1_EL3: { read: (it) => at(it.state.enabled, GROUP.nonSecure) | at(it.state.enabled, GROUP.secure) << 1, write: (it, value) => it.#writeEnables(value) },
  };

  /** Everything that is saved beside the virtual interface. */
  state: CpuInterfaceState = initialState();
  readonly #options: CpuInterfaceOptions;

  /** Starts in the reset state. */
  constructor(options: CpuInterfaceOptions) {
    this.#options = options;
  }

  /** The reset state, of the virtual interface too. */
  reset(): void {
    this.state = initialState();
    this.#options.virtual.reset();
    this.#options.changed();
  }

  /** ICH_HCR_EL2. */
  get hypervisorControl(): number {
    return this.#options.virtual.control;
  }

  /** Reads a register; zero where it cannot be read. */
  read(register: GicRegister, access: GicAccess): bigint {
    const value = GicV3CpuInterface.registers[register]?.read?.(this, access) ??
      GicV3VirtualInterface.registers[register]?.read?.(this.#options.virtual) ?? 0;
    return typeof value === "bigint" ? value : BigInt(value >>> 0);
  }

  /** Writes a register; ignored where it cannot be written. */
  write(register: GicRegister, value: bigint, access: GicAccess): void {
    const low = Number(BigInt.asUintN(32, value));
    const own = GicV3CpuInterface.registers[register]?.write;
    if (own !== undefined) own(this, low, access, value);
    else GicV3VirtualInterface.registers[register]?.write?.(this.#options.virtual, low, value);
    this.#options.changed();
  }

  /** The group of the interrupt that is signalled to the CPU, if one is. */
  output(): Group | undefined {
    const candidate = this.#enabledHighest();
    return candidate !== undefined && this.#preempts(candidate) ? candidate.group : undefined;
  }

  /** The most urgent interrupt, if its group is enabled. */
  #enabledHighest(): Candidate | undefined {
    const candidate = this.#options.highest();
    return candidate !== undefined && at(this.state.enabled, candidate.group) === 1 ? candidate : undefined;
  }

  #preempts({ priority, group }: Candidate): boolean {
    if (priority >= this.state.priorityMask) return false;
    const running = this.#runningPriority();
    return running === IDLE || this.#groupPriority(priority, group) < this.#groupPriority(running, group);
  }

  #runningPriority(): number {
    const { activePriorities } = this.state;
    return runningPriority(at(activePriorities, 0) | at(activePriorities, 1) | at(activePriorities, 2));
  }

  /** The part of a priority that decides preemption. */
  #groupPriority(priority: number, group: Group): number {
    const { binaryPoints, controls } = this.state;
    const isCommon = group !== GROUP.zero &&
      at(controls, group === GROUP.secure ? SECURE : NON_SECURE) & CONTROL_CBPR;
    const own = isCommon ? GROUP.zero : group;
    return groupPriority(priority, at(binaryPoints, own) - (own === GROUP.nonSecure ? 1 : 0));
  }

  /** Non-secure software that has no Group 0 sees the upper half of the priorities as all there are. */
  #seesHalf({ secure, fiqToMonitor }: GicAccess): boolean {
    return this.#options.security && !secure && fiqToMonitor;
  }

  #shown(priority: number, access: GicAccess): number {
    if (!this.#seesHalf(access)) return priority;
    if ((priority & 0x80) === 0) return 0;
    return priority === IDLE ? IDLE : priority << 1 & 0xff;
  }

  #writePriorityMask(value: number, access: GicAccess): void {
    const isHalf = this.#seesHalf(access);
    if (isHalf && (this.state.priorityMask & 0x80) === 0) return;
    this.state.priorityMask = (isHalf ? (value & 0xff) >>> 1 | 0x80 : value) & PRIORITY_MASK;
  }

  #pending0(access: GicAccess): number {
    return pendingOfGroup0(this.#enabledHighest(), access, this.#options.isSingleState());
  }

  #pending1(access: GicAccess): number {
    return pendingOfGroup1(this.#enabledHighest(), access, this.#options.isSingleState());
  }

  #acknowledge(interrupt: number): number {
    const candidate = this.#enabledHighest();
    if (candidate === undefined || !this.#preempts(candidate)) return SPURIOUS;
    if (isSpecial(interrupt)) return interrupt;
    const { priority, group } = candidate;
    this.state.activePriorities[group]! |= activeBit(this.#groupPriority(priority, group));
    this.#options.acknowledge(interrupt);
    this.#options.changed();
    return interrupt;
  }

  /** The group whose active priority is the most urgent: of equals 0, then Secure 1. */
  #activeGroup(): Group | undefined {
    const { activePriorities } = this.state;
    const running = this.#runningPriority();
    if (running === IDLE) return undefined;
    const bit = activeBit(running);
    return ([GROUP.zero, GROUP.secure] as const).find((group) => at(activePriorities, group) & bit) ??
      GROUP.nonSecure;
  }

  #end(isGroup0: boolean, interrupt: number, access: GicAccess): void {
    const isLpi = interrupt >= LPI_BASE;
    if (isLpi ? !this.#options.hasLpis : interrupt >= INTERRUPT_COUNT) return;
    const group = this.#activeGroup();
    if (group === undefined || !mayEnd(group, isGroup0, access, this.#options.isSingleState())) return;
    const bits = at(this.state.activePriorities, group);
    this.state.activePriorities[group] = bits & bits - 1;
    if (!isLpi && !this.#splitsEnd(access)) this.#options.deactivate(interrupt);
  }

  #splitsEnd(access: GicAccess): boolean {
    const { monitorControl, controls } = this.state;
    return (access.level === 3 ? monitorControl : at(controls, copyOf(access)) & CONTROL_EOIMODE) !== 0;
  }

  #deactivate(interrupt: number, access: GicAccess): void {
    if (interrupt >= INTERRUPT_COUNT || !this.#splitsEnd(access)) return;
    const { groupOf, isSingleState } = this.#options;
    if (mayDeactivate(groupOf(interrupt), access, isSingleState())) this.#options.deactivate(interrupt);
  }

  /** Secure EL1 with CBPR uses ICC_BPR0_EL1; Non-secure software then reads one more, and does not write. */
  #readBinaryPoint1(access: GicAccess): number {
    const { binaryPoints } = this.state, bank = bankOf(access);
    if (access.level === 3 || !(at(this.state.controls, copyOf(access)) & CONTROL_CBPR)) {
      return at(binaryPoints, bank);
    }
    const common = at(binaryPoints, GROUP.zero);
    return bank === GROUP.nonSecure ? Math.min(common + 1, 7) : common;
  }

  #writeBinaryPoint1(value: number, access: GicAccess): void {
    const bank = bankOf(access);
    const isCommon = access.level < 3 && at(this.state.controls, copyOf(access)) & CONTROL_CBPR;
    if (!isCommon) this.#writeBinaryPoint(bank, value);
    else if (bank === GROUP.secure) this.#writeBinaryPoint(GROUP.zero, value);
  }

  #writeBinaryPoint(group: Group, value: number): void {
    const least = MINIMUM_BINARY_POINT + (group === GROUP.nonSecure ? 1 : 0);
    this.state.binaryPoints[group] = Math.max(value & 7, least);
  }

  /** Where EL3 exists, Non-secure Group 1 is never active at a priority of the Secure half. */
  #writeActivePriorities1(value: number, access: GicAccess): void {
    const bank = bankOf(access);
    const isHalf = bank === GROUP.nonSecure && this.#options.security;
    this.state.activePriorities[bank] = isHalf ? value & NON_SECURE_LEVELS : value;
  }

  /** CBPR is EL3's where there are two Security states. */
  #writeControl(value: number, access: GicAccess): void {
    const isFixed = this.#options.security && !this.#options.isSingleState();
    const writable = isFixed ? CONTROL_EOIMODE : CONTROL_CBPR | CONTROL_EOIMODE, copy = copyOf(access);
    this.state.controls[copy] = (at(this.state.controls, copy) & ~writable) | (value & writable);
  }

  #readMonitorControl(): number {
    const { controls, monitorControl } = this.state;
    const secure = at(controls, SECURE), nonSecure = at(controls, NON_SECURE);
    return CONTROL_FIXED | EL3.NDS | monitorControl |
      (secure & CONTROL_CBPR ? EL3.CBPR_EL1S : 0) | (secure & CONTROL_EOIMODE ? EL3.EOIMODE_EL1S : 0) |
      (nonSecure & CONTROL_CBPR ? EL3.CBPR_EL1NS : 0) |
      (nonSecure & CONTROL_EOIMODE ? EL3.EOIMODE_EL1NS : 0);
  }

  #writeMonitorControl(value: number): void {
    const control = (commonPoint: number, mode: number) =>
      (value & commonPoint ? CONTROL_CBPR : 0) | (value & mode ? CONTROL_EOIMODE : 0);
    this.state.controls[SECURE] = control(EL3.CBPR_EL1S, EL3.EOIMODE_EL1S);
    this.state.controls[NON_SECURE] = control(EL3.CBPR_EL1NS, EL3.EOIMODE_EL1NS);
    this.state.monitorControl = value & EL3.EOIMODE_EL3;
  }

  #writeEnables(value: number): void {
    this.state.enabled[GROUP.nonSecure] = value & 1;
    this.state.enabled[GROUP.secure] = value >>> 1 & 1;
  }
}

/** The group that registers of Group 1 are about. */
function bankOf({ secureBank }: GicAccess): 1 | 2 {
  return secureBank ? GROUP.secure : GROUP.nonSecure;
}

function copyOf({ secureBank }: GicAccess): number {
  return secureBank ? SECURE : NON_SECURE;
}

function initialState(): CpuInterfaceState {
  return {
    controls: new Uint8Array(2),
    monitorControl: 0,
    priorityMask: 0,
    binaryPoints: Uint8Array.of(MINIMUM_BINARY_POINT, MINIMUM_BINARY_POINT, MINIMUM_BINARY_POINT + 1),
    enabled: new Uint8Array(3),
    activePriorities: new Uint32Array(3),
  };
}
