/** The distributor of a GICv2: configures interrupts and makes them pending (Arm IHI 0048B, section 4.3). */
import type { AccessContext, MappedDevice } from "../memory/physical.ts";
import { at, CPUS_MAX, lowestBit, PRIVATE_COUNT, SGI_COUNT, WORD_COUNT } from "./gic_interrupts.ts";
import type { GicV2Interrupts } from "./gic_v2_interrupts.ts";
import { constants, type RegisterAccess, registerMap } from "./register_map.ts";

/** What a distributor acts on. */
export interface GicV2DistributorOptions {
  /** Name of the device. */
  readonly name: string;
  /** The interrupts. */
  readonly interrupts: GicV2Interrupts;
  /** The controller has the Security Extensions. */
  readonly security: boolean;
  /** Tells that an interrupt was not pending and now is, and what made it so. */
  readonly raised: (cpu: number, interrupt: number, source: string) => void;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

/** Arrays that one register sets and another clears, bit by bit. */
type BitArray = "enabled" | "active";

const TARGET_LISTED = 0;
const TARGET_OTHERS = 1;
const TARGET_SELF = 2;

/** GICD. Bytes and halfwords may be accessed everywhere, as in QEMU; what the access leaves out keeps its value. */
export class GicV2Distributor implements MappedDevice {
  // deno-fmt-ignore
  static readonly #map = registerMap<GicV2Distributor>()([
    // offset name             access bits reset       behaviour
    [0x000, "GICD_CTLR",       "RW",  2, 0x0000_0000, { read: (gic, access) => gic.#readControl(access), write: (gic, value, access) => gic.#writeControl(value, access) }],
    [0x004, "GICD_TYPER",      "RO", 16, 0x0000_0008, { read: (gic) => gic.#type() }],
    [0x008, "GICD_IIDR",       "RO", 32, 0x0000_043b, { read: () => 0x43b }],
    [0x080, "GICD_IGROUPR",    "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readGroups(access), write: (gic, value, access) => gic.#writeGroups(value, access) }, WORD_COUNT],
    [0x100, "GICD_ISENABLER",  "RW", 32, 0x0000_ffff, { read: (gic, access) => gic.#readBits("enabled", access), write: (gic, value, access) => gic.#setBits("enabled", value, access) }, WORD_COUNT],
    [0x180, "GICD_ICENABLER",  "RW", 32, 0x0000_ffff, { read: (gic, access) => gic.#readBits("enabled", access), write: (gic, value, access) => gic.#clearBits("enabled", exceptSgis(value, access), access) }, WORD_COUNT],
    [0x200, "GICD_ISPENDR",    "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readPending(access), write: (gic, value, access) => gic.#setPending(value, access) }, WORD_COUNT],
    [0x280, "GICD_ICPENDR",    "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readPending(access), write: (gic, value, access) => gic.#clearPending(value, access) }, WORD_COUNT],
    [0x300, "GICD_ISACTIVER",  "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readBits("active", access), write: (gic, value, access) => gic.#setBits("active", value, access) }, WORD_COUNT],
    [0x380, "GICD_ICACTIVER",  "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readBits("active", access), write: (gic, value, access) => gic.#clearBits("active", value, access) }, WORD_COUNT],
    [0x400, "GICD_IPRIORITYR", "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readPriorities(access), write: (gic, value, access) => gic.#writePriorities(value, access) }, WORD_COUNT * 8],
    [0x800, "GICD_ITARGETSR",  "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readTargets(access), write: (gic, value, access) => gic.#writeTargets(value, access) }, WORD_COUNT * 8],
    [0xc00, "GICD_ICFGR",      "RW", 32, 0xaaaa_aaaa, { read: (gic, access) => gic.#readConfiguration(access), write: (gic, value, access) => gic.#writeConfiguration(value, access) }, WORD_COUNT * 2],
    [0xf00, "GICD_SGIR",       "WO", 32, 0x0000_0000, { write: (gic, value, access) => gic.#generateSgi(value, access) }],
    [0xf10, "GICD_CPENDSGIR",  "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readSgis(access), write: (gic, value, access) => gic.#clearSgis(value, access) }, 4],
    [0xf20, "GICD_SPENDSGIR",  "RW", 32, 0x0000_0000, { read: (gic, access) => gic.#readSgis(access), write: (gic, value, access) => gic.#setSgis(value, access) }, 4],
    [0xfd0, "GICD_ICPIDR",     "RO",  8, 0x0000_0004, constants([0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0x00]), 8],
    [0xff0, "GICD_ICCIDR",     "RO",  8, 0x0000_000d, constants([0x0d, 0xf0, 0x05, 0xb1]), 4],
  ]);

  /** Name of the device. */
  readonly name: string;
  readonly #options: GicV2DistributorOptions;
  readonly #interrupts: GicV2Interrupts;

  /** Holds no state of its own. */
  constructor(options: GicV2DistributorOptions) {
    this.name = options.name;
    this.#options = options;
    this.#interrupts = options.interrupts;
  }

  /** Reads a register, private ones of the CPU that makes the access. */
  read(offset: number, size: number, context: AccessContext): number {
    return GicV2Distributor.#map.read(this, {}, offset, size, byCpu(context));
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    GicV2Distributor.#map.write(this, {}, offset, size, value, byCpu(context));
    this.#options.changed();
  }

  #isNonSecure({ secure }: RegisterAccess): boolean {
    return this.#options.security && !secure;
  }

  #word({ cpu, index }: RegisterAccess): number {
    return this.#interrupts.word(cpu, index);
  }

  /** Whether an access may see an interrupt: a Non-secure one only those of Group 1. */
  #sees(interrupt: number, access: RegisterAccess): boolean {
    return !this.#isNonSecure(access) || this.#interrupts.group(access.cpu, interrupt) === 1;
  }

  /** The same for all interrupts of a word, as a mask. */
  #seen(access: RegisterAccess): number {
    return this.#isNonSecure(access) ? at(this.#interrupts.state.group, this.#word(access)) : -1;
  }

  #readControl(access: RegisterAccess): number {
    const { control } = this.#interrupts.state;
    return this.#isNonSecure(access) ? control >>> 1 : control;
  }

  #writeControl(value: number, access: RegisterAccess): void {
    const { state } = this.#interrupts;
    if (!(access.lanes & 3)) return;
    state.control = this.#isNonSecure(access) ? (state.control & 1) | ((value & 1) << 1) : value & 3;
  }

  #type(): number {
    return (WORD_COUNT - 1) | ((this.#interrupts.cpuCount - 1) << 5) | (this.#options.security ? 1 << 10 : 0);
  }

  #readGroups(access: RegisterAccess): number {
    return this.#isNonSecure(access) ? 0 : at(this.#interrupts.state.group, this.#word(access));
  }

  #writeGroups(value: number, access: RegisterAccess): void {
    if (this.#isNonSecure(access)) return;
    const { group } = this.#interrupts.state;
    const word = this.#word(access);
    group[word] = (at(group, word) & ~access.lanes) | value;
  }

  #readBits(name: BitArray, access: RegisterAccess): number {
    return at(this.#interrupts.state[name], this.#word(access)) & this.#seen(access);
  }

  #setBits(name: BitArray, value: number, access: RegisterAccess): void {
    this.#interrupts.state[name][this.#word(access)]! |= value & this.#seen(access);
  }

  #clearBits(name: BitArray, value: number, access: RegisterAccess): void {
    this.#interrupts.state[name][this.#word(access)]! &= ~(value & this.#seen(access));
  }

  #readPending(access: RegisterAccess): number {
    return this.#interrupts.pending(this.#word(access)) & this.#seen(access);
  }

  /** SGIs are made pending by GICD_SGIR and GICD_SPENDSGIR only. */
  #setPending(value: number, access: RegisterAccess): void {
    const { latched } = this.#interrupts.state;
    const word = this.#word(access);
    const set = exceptSgis(value & this.#seen(access), access);
    let raised = set & ~this.#interrupts.pending(word);
    latched[word]! |= set;
    for (; raised !== 0; raised &= raised - 1) {
      const bit = lowestBit(raised);
      this.#options.raised(access.cpu, access.index * 32 + bit, `cpu${access.cpu}`);
    }
  }

  #clearPending(value: number, access: RegisterAccess): void {
    this.#interrupts.state.latched[this.#word(access)]! &= ~exceptSgis(value & this.#seen(access), access);
  }

  /** A Non-secure access sees the priorities of Group 1 shifted, so that they fill its range. */
  #readPriorities(access: RegisterAccess): number {
    return this.#gather(access, (interrupt) => {
      const priority = at(this.#interrupts.state.priority, this.#interrupts.slot(access.cpu, interrupt));
      return this.#isNonSecure(access) ? (priority << 1) & 0xff : priority;
    });
  }

  #writePriorities(value: number, access: RegisterAccess): void {
    this.#scatter(value, access, (interrupt, byte) => {
      const priority = this.#isNonSecure(access) ? 0x80 | (byte >>> 1) : byte;
      this.#interrupts.state.priority[this.#interrupts.slot(access.cpu, interrupt)] = priority;
    });
  }

  /** With one CPU there is nothing to choose: reads as zero, writes ignored. */
  #readTargets(access: RegisterAccess): number {
    if (this.#interrupts.cpuCount === 1) return 0;
    return this.#gather(
      access,
      (interrupt) =>
        interrupt < PRIVATE_COUNT ? 1 << access.cpu : at(this.#interrupts.state.targets, interrupt),
    );
  }

  #writeTargets(value: number, access: RegisterAccess): void {
    if (this.#interrupts.cpuCount === 1) return;
    this.#scatter(value, access, (interrupt, byte) => {
      if (interrupt >= PRIVATE_COUNT) this.#interrupts.state.targets[interrupt] = byte & this.#allCpus();
    });
  }

  /** The upper bit of each pair: edge-triggered. */
  #readConfiguration(access: RegisterAccess): number {
    let value = 0;
    for (let field = 0; field < 16; field++) {
      const interrupt = access.index * 16 + field;
      const isEdge = this.#interrupts.test(this.#interrupts.state.edge, access.cpu, interrupt);
      if (isEdge && this.#sees(interrupt, access)) value |= 2 << (2 * field);
    }
    return value;
  }

  #writeConfiguration(value: number, access: RegisterAccess): void {
    for (let field = 0; field < 16; field++) {
      const interrupt = access.index * 16 + field;
      const bit = 2 << (2 * field);
      if (!(access.lanes & bit) || interrupt < SGI_COUNT || !this.#sees(interrupt, access)) continue;
      this.#interrupts.assign(this.#interrupts.state.edge, access.cpu, interrupt, (value & bit) !== 0);
    }
  }

  /**
   * Sends an SGI to the CPUs that TargetListFilter and CPUTargetList name (the reserved filter: all). With security,
   * it becomes pending where it is of Group 1 for Non-secure writes, and of the group that NSATT names for Secure ones.
   */
  #generateSgi(value: number, access: RegisterAccess): void {
    if (access.lanes >>> 0 !== 0xffff_ffff) return;
    const interrupt = value & 15;
    const filter = (value >>> 24) & 3;
    const self = 1 << access.cpu;
    const listed = filter === TARGET_LISTED ? value >>> 16 : filter === TARGET_SELF ? self : 0xff;
    const targets = listed & this.#allCpus() & (filter === TARGET_OTHERS ? ~self : 0xff);
    const group = this.#isNonSecure(access) ? 1 : (value >>> 15) & 1;
    for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
      const isTarget = (targets >>> cpu & 1) === 1;
      const isAllowed = !this.#options.security || this.#interrupts.group(cpu, interrupt) === group;
      if (isTarget && isAllowed) this.#send(cpu, interrupt, self, `cpu${access.cpu}`);
    }
  }

  #send(cpu: number, interrupt: number, sources: number, source: string): void {
    const wasPending = this.#interrupts.test(this.#interrupts.state.latched, cpu, interrupt);
    this.#interrupts.sendSgi(cpu, interrupt, sources);
    if (!wasPending && sources !== 0) this.#options.raised(cpu, interrupt, source);
  }

  #readSgis(access: RegisterAccess): number {
    const { sgiSources } = this.#interrupts.state;
    return this.#gather(access, (interrupt) => at(sgiSources, access.cpu * SGI_COUNT + interrupt));
  }

  #clearSgis(value: number, access: RegisterAccess): void {
    this.#scatter(
      value,
      access,
      (interrupt, byte) => this.#interrupts.withdrawSgi(access.cpu, interrupt, byte),
    );
  }

  #setSgis(value: number, access: RegisterAccess): void {
    const source = `cpu${access.cpu}`;
    this.#scatter(value, access, (interrupt, byte) => {
      this.#send(access.cpu, interrupt, byte & this.#allCpus(), source);
    });
  }

  #allCpus(): number {
    return (1 << this.#interrupts.cpuCount) - 1;
  }

  /** A word of four interrupts, one byte each, those that the access may not see as zero. */
  #gather(access: RegisterAccess, byteOf: (interrupt: number) => number): number {
    let value = 0;
    for (let byte = 0; byte < 4; byte++) {
      const interrupt = access.index * 4 + byte;
      if (this.#sees(interrupt, access)) value |= byteOf(interrupt) << (8 * byte);
    }
    return value;
  }

  /** Takes apart a word of four interrupts: those that the access touches and may see. */
  #scatter(value: number, access: RegisterAccess, take: (interrupt: number, byte: number) => void): void {
    for (let byte = 0; byte < 4; byte++) {
      const interrupt = access.index * 4 + byte;
      const isTouched = (access.lanes >>> (8 * byte) & 1) === 1;
      if (isTouched && this.#sees(interrupt, access)) take(interrupt, (value >>> (8 * byte)) & 0xff);
    }
  }
}

/** Accesses from outside the CPUs see the registers of CPU 0. */
export function byCpu({ cpu, secure }: AccessContext): AccessContext {
  return { cpu: Math.max(cpu, 0), secure };
}

function exceptSgis(value: number, { index }: RegisterAccess): number {
  return index === 0 ? value & 0xffff_0000 : value;
}
