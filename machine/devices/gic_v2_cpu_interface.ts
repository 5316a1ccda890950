/** A CPU interface of a GICv2, physical or virtual: masks, acknowledges and ends interrupts (Arm IHI 0048B, 4.4, 5.5). */
import { u16, u8, type ValueOf } from "../layout.ts";
import { words } from "./fixed_arrays.ts";
import { SPURIOUS } from "./gic_interrupts.ts";
import { type Candidate, ENABLE_GROUP, GROUP1_PENDING } from "./gic_v2_interrupts.ts";
import { type RegisterAccess, type RegisterMap, registerMap } from "./register_map.ts";

/** What a CPU interface acts on: the distributor's interrupts, or the list registers. */
export interface InterruptSource {
  /** The most urgent interrupt that is forwarded to the interface. */
  highest(): Candidate | undefined;
  /** The interrupt's number with its sender, as GICC_IAR shows it. */
  identify(interrupt: number): number;
  /** Makes the interrupt active and no longer pending. */
  acknowledge(interrupt: number): void;
  /** Group of an interrupt; undefined when the source has no such interrupt, which makes its end a no-op. */
  group(interrupt: number): 0 | 1 | undefined;
  /** Makes the interrupt inactive. */
  deactivate(interrupt: number): void;
  /** An end of interrupt named one that the source does not have, after the priority was dropped or with `DIR`. */
  unknownEnded(): void;
}

/** What distinguishes one kind of CPU interface from another. */
export interface CpuInterfaceOptions {
  /** Where interrupts come from. */
  readonly source: InterruptSource;
  /** A virtual machine's interface, GICV: 5 bits of priority instead of 8, and active priorities in one register. */
  readonly virtual: boolean;
  /** The controller has the Security Extensions. */
  readonly security: boolean;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

/** Section fields of a CPU interface, in layout order. */
// deno-fmt-ignore
export const CPU_INTERFACE_FIELDS = {
  control:                   u16,
  priorityMask:              u8,
  binaryPoint:               u8,
  aliasedBinaryPoint:        u8,
  activePriorities:          words(4),
  nonSecureActivePriorities: words(4),
} as const;

/** State of a CPU interface. */
export type CpuInterfaceState = ValueOf<typeof CPU_INTERFACE_FIELDS>;

const ACK_CTL = 1 << 2;
const FIQ_EN = 1 << 3;
const CBPR = 1 << 4;
const EOI_MODE_S = 1 << 9;
const EOI_MODE_NS = 1 << 10;
const CONTROL_BITS = ENABLE_GROUP[0] | ENABLE_GROUP[1] | ACK_CTL | FIQ_EN | CBPR | EOI_MODE_S;
/** No interrupt is active. */
const IDLE = 0x100;
const ID_BITS = 0x3ff;
/** The first number that is not an interrupt's. */
const RESERVED = 1020;

/** One CPU interface. */
export class GicV2CpuInterface {
  // deno-fmt-ignore
  /** Registers, at their offsets from GICC or GICV. */
  static readonly map: RegisterMap<GicV2CpuInterface, never> = registerMap<GicV2CpuInterface>()([
    // offset name       access bits reset   behaviour
    [0x0000, "GICC_CTLR",   "RW", 11, 0,          { read: (it, access) => it.#readControl(access), write: (it, value, access) => it.#writeControl(value, access) }],
    [0x0004, "GICC_PMR",    "RW",  8, 0,          { read: (it, access) => it.#readPriorityMask(access), write: (it, value, access) => it.#writePriorityMask(value, access) }],
    [0x0008, "GICC_BPR",    "RW",  3, 0,          { read: (it, access) => it.#readBinaryPoint(access), write: (it, value, access) => it.#writeBinaryPoint(value, access) }],
    [0x000c, "GICC_IAR",    "RO", 13, SPURIOUS,   { read: (it, access) => it.#acknowledge(it.#isNonSecure(access)) }],
    [0x0010, "GICC_EOIR",   "WO", 13, 0,          { write: (it, value, access) => it.#end(value & ID_BITS, it.#isNonSecure(access), access) }],
    [0x0014, "GICC_RPR",    "RO",  8, 0xff,       { read: (it, access) => it.#runningPriorityView(access) }],
    [0x0018, "GICC_HPPIR",  "RO", 13, SPURIOUS,   { read: (it, access) => it.#pendingView(it.#isNonSecure(access)) }],
    [0x001c, "GICC_ABPR",   "RW",  3, 1,          { read: (it, access) => it.#isNonSecure(access) ? 0 : it.state.aliasedBinaryPoint, write: (it, value, access) => it.#writeAliasedBinaryPoint(value, access) }],
    [0x0020, "GICC_AIAR",   "RO", 13, SPURIOUS,   { read: (it, access) => it.#isNonSecure(access) ? 0 : it.#acknowledge(true) }],
    [0x0024, "GICC_AEOIR",  "WO", 13, 0,          { write: (it, value, access) => it.#isNonSecure(access) || it.#end(value & ID_BITS, true, access) }],
    [0x0028, "GICC_AHPPIR", "RO", 13, SPURIOUS,   { read: (it, access) => it.#isNonSecure(access) ? 0 : it.#pendingView(true) }],
    [0x00d0, "GICC_APR",    "RW", 32, 0,          { read: (it, access) => it.#readActivePriorities(access), write: (it, value, access) => it.#writeActivePriorities(value, access) }, 4],
    [0x00e0, "GICC_NSAPR",  "RW", 32, 0,          { read: (it, access) => it.#readNonSecureActivePriorities(access), write: (it, value, access) => it.#writeNonSecureActivePriorities(value, access) }, 4],
    [0x00fc, "GICC_IIDR",   "RO", 32, 0x2043b,    { read: () => 0x2043b }],
    [0x1000, "GICC_DIR",    "WO", 13, 0,          { write: (it, value, access) => it.#deactivate(value & ID_BITS, access) }],
  ]);

  /** Everything that is saved. */
  state: CpuInterfaceState;
  readonly #options: CpuInterfaceOptions;
  readonly #minimumBinaryPoint: number;

  /** Starts in the power-on state. */
  constructor(options: CpuInterfaceOptions) {
    this.#options = options;
    this.#minimumBinaryPoint = options.virtual ? 2 : 0;
    this.state = this.#initialState();
  }

  #initialState(): CpuInterfaceState {
    return {
      control: 0,
      priorityMask: 0,
      binaryPoint: this.#minimumBinaryPoint,
      aliasedBinaryPoint: this.#minimumBinaryPoint + 1,
      activePriorities: new Uint32Array(4),
      nonSecureActivePriorities: new Uint32Array(4),
    };
  }

  /** Power-on state. */
  reset(): void {
    this.state = this.#initialState();
  }

  /** Takes the parts of a guest's interface that its hypervisor writes, with the same limits as the guest's writes. */
  load(
    { control, aliasedBinaryPoint, binaryPoint, priorityMask }: Pick<
      CpuInterfaceState,
      "control" | "aliasedBinaryPoint" | "binaryPoint" | "priorityMask"
    >,
  ): void {
    this.state.control = control & CONTROL_BITS;
    this.state.aliasedBinaryPoint = Math.max(aliasedBinaryPoint, this.#minimumBinaryPoint + 1);
    this.state.binaryPoint = Math.max(binaryPoint, this.#minimumBinaryPoint);
    this.state.priorityMask = priorityMask;
  }

  #isNonSecure({ secure }: RegisterAccess): boolean {
    return this.#options.security && !secure;
  }

  /** The interrupt that the interface signals to its CPU, and how. */
  output(): "none" | "irq" | "fiq" {
    const candidate = this.#unmasked();
    if (candidate === undefined || candidate.priority >= this.#runningPriority()) return "none";
    if (!(this.state.control & ENABLE_GROUP[candidate.group])) return "none";
    return candidate.group === 0 && this.state.control & FIQ_EN ? "fiq" : "irq";
  }

  /** The most urgent interrupt, when it passes the priority mask and either group is enabled. */
  #unmasked(): Candidate | undefined {
    if (!(this.state.control & (ENABLE_GROUP[0] | ENABLE_GROUP[1]))) return undefined;
    const candidate = this.#options.source.highest();
    return candidate !== undefined && candidate.priority < this.state.priorityMask ? candidate : undefined;
  }

  /** The most urgent interrupt if this kind of access may see it, or why not. */
  #visible(group1Only: boolean): Candidate | number {
    const candidate = this.#unmasked();
    if (candidate === undefined) return SPURIOUS;
    if (group1Only) return candidate.group === 1 ? candidate : SPURIOUS;
    return candidate.group === 1 && !(this.state.control & ACK_CTL) ? GROUP1_PENDING : candidate;
  }

  #pendingView(group1Only: boolean): number {
    const visible = this.#visible(group1Only);
    return typeof visible === "number" ? visible : this.#options.source.identify(visible.interrupt);
  }

  #acknowledge(group1Only: boolean): number {
    const visible = this.#visible(group1Only);
    if (typeof visible === "number") return visible;
    const { interrupt, priority, group } = visible;
    if (priority >= this.#runningPriority() || !(this.state.control & ENABLE_GROUP[group])) return SPURIOUS;
    this.#raisePriority(this.#groupPriority(priority, group), group);
    const identity = this.#options.source.identify(interrupt);
    this.#options.source.acknowledge(interrupt);
    this.#options.changed();
    return identity;
  }

  /** The part of a priority that decides preemption. */
  #groupPriority(priority: number, group: 0 | 1): number {
    const { control, binaryPoint, aliasedBinaryPoint } = this.state;
    const point = group === 1 && !(control & CBPR) ? aliasedBinaryPoint - 1 : binaryPoint;
    return priority & (-2 << point);
  }

  /** The active priorities in which a group is counted; a virtual interface has one register for both. */
  #activePrioritiesOf(group: 0 | 1): Uint32Array {
    const { activePriorities, nonSecureActivePriorities } = this.state;
    return group === 1 && !this.#options.virtual ? nonSecureActivePriorities : activePriorities;
  }

  #raisePriority(groupPriority: number, group: 0 | 1): void {
    const level = groupPriority >>> (this.#minimumBinaryPoint + 1);
    this.#activePrioritiesOf(group)[level >>> 5]! |= 1 << (level & 31);
  }

  #dropPriority(group: 0 | 1): void {
    const priorities = this.#activePrioritiesOf(group);
    const index = priorities.findIndex((bits) => bits !== 0);
    if (index >= 0) priorities[index]! &= priorities[index]! - 1;
  }

  #runningPriority(): number {
    const { activePriorities, nonSecureActivePriorities } = this.state;
    for (let index = 0; index < 4; index++) {
      const bits = activePriorities[index]! | nonSecureActivePriorities[index]!;
      if (bits === 0) continue;
      return (index * 32 + 31 - Math.clz32(bits & -bits)) << (this.#minimumBinaryPoint + 1);
    }
    return IDLE;
  }

  #runningPriorityView(access: RegisterAccess): number {
    const running = this.#runningPriority();
    if (running === IDLE) return 0xff;
    if (!this.#isNonSecure(access)) return running;
    return running & 0x80 ? (running << 1) & 0xff : 0;
  }

  #splitsEnd(access: RegisterAccess): boolean {
    return (this.state.control & (this.#isNonSecure(access) ? EOI_MODE_NS : EOI_MODE_S)) !== 0;
  }

  /** GICC_EOIR, and GICC_AEOIR, which goes by EOImodeS too though it is about Group 1 only. */
  #end(interrupt: number, group1Only: boolean, access: RegisterAccess): void {
    const { source, virtual, changed } = this.#options;
    const wasIdle = this.#runningPriority() === IDLE;
    const group = source.group(interrupt);
    if (!virtual && (wasIdle || group === undefined)) return;
    if (interrupt >= RESERVED || (group1Only && group === 0)) return;
    this.#dropPriority(group ?? 0);
    if (!this.#splitsEnd(access)) {
      if (group !== undefined) source.deactivate(interrupt);
      else if (!wasIdle) source.unknownEnded();
    }
    changed();
  }

  #deactivate(interrupt: number, access: RegisterAccess): void {
    const { source, changed } = this.#options;
    const group = source.group(interrupt);
    const isHidden = this.#isNonSecure(access) && group === 0;
    if (interrupt >= RESERVED || !this.#splitsEnd(access) || isHidden) return;
    if (group === undefined) source.unknownEnded();
    else source.deactivate(interrupt);
    changed();
  }

  #readControl(access: RegisterAccess): number {
    const { control } = this.state;
    return this.#isNonSecure(access) ? (control & (ENABLE_GROUP[1] | EOI_MODE_NS)) >>> 1 : control;
  }

  #writeControl(value: number, access: RegisterAccess): void {
    if (this.#isNonSecure(access)) {
      const mask = ENABLE_GROUP[1] | EOI_MODE_NS;
      this.state.control = (this.state.control & ~mask) | ((value << 1) & mask);
    } else {
      this.state.control = value & (CONTROL_BITS | (this.#options.security ? EOI_MODE_NS : 0));
    }
    this.#options.changed();
  }

  #readPriorityMask(access: RegisterAccess): number {
    const { priorityMask } = this.state;
    if (!this.#isNonSecure(access)) return priorityMask;
    return priorityMask & 0x80 ? (priorityMask << 1) & 0xff : 0;
  }

  #writePriorityMask(value: number, access: RegisterAccess): void {
    if (!this.#isNonSecure(access)) this.state.priorityMask = value & (this.#options.virtual ? 0xf8 : 0xff);
    else if (this.state.priorityMask & 0x80) this.state.priorityMask = 0x80 | (value >>> 1);
    this.#options.changed();
  }

  #readBinaryPoint(access: RegisterAccess): number {
    const { control, binaryPoint, aliasedBinaryPoint } = this.state;
    if (!this.#isNonSecure(access)) return binaryPoint;
    return control & CBPR ? Math.min(binaryPoint + 1, 7) : aliasedBinaryPoint;
  }

  #writeBinaryPoint(value: number, access: RegisterAccess): void {
    if (!this.#isNonSecure(access)) this.state.binaryPoint = Math.max(value, this.#minimumBinaryPoint);
    else if (!(this.state.control & CBPR)) {
      this.state.aliasedBinaryPoint = Math.max(value, this.#minimumBinaryPoint + 1);
    }
    this.#options.changed();
  }

  #writeAliasedBinaryPoint(value: number, access: RegisterAccess): void {
    if (this.#isNonSecure(access)) return;
    this.state.aliasedBinaryPoint = Math.max(value, this.#minimumBinaryPoint + 1);
    this.#options.changed();
  }

  /** A Non-secure access sees the lower half of the priorities of Group 1, which are the upper half in Secure terms. */
  #readActivePriorities(access: RegisterAccess): number {
    const { activePriorities, nonSecureActivePriorities } = this.state;
    if (!this.#isNonSecure(access)) return activePriorities[access.index]!;
    return access.index < 2 ? nonSecureActivePriorities[access.index + 2]! : 0;
  }

  #writeActivePriorities(value: number, access: RegisterAccess): void {
    const { activePriorities, nonSecureActivePriorities } = this.state;
    if (!this.#isNonSecure(access)) {
      if (access.index === 0 || !this.#options.virtual) activePriorities[access.index] = value;
    } else if (access.index < 2) nonSecureActivePriorities[access.index + 2] = value;
    this.#options.changed();
  }

  #readNonSecureActivePriorities(access: RegisterAccess): number {
    return this.#isNonSecure(access) ? 0 : this.state.nonSecureActivePriorities[access.index]!;
  }

  #writeNonSecureActivePriorities(value: number, access: RegisterAccess): void {
    if (this.#isNonSecure(access) || this.#options.virtual) return;
    this.state.nonSecureActivePriorities[access.index] = value;
    this.#options.changed();
  }
}
