/** The registers that GICD and GICR have in common: one bit, two or eight for each interrupt (Arm IHI 0069, 12.9 to 12.11). */
import type { AccessContext, MappedDevice } from "../memory/physical.ts";
import { at, lowestBit, SGI_COUNT } from "./gic_interrupts.ts";
import type { GicV3Interrupts } from "./gic_v3_interrupts.ts";
import { type RegisterAccess, RegisterMap, type RegisterRow } from "./register_map.ts";

/** What frames of registers act on. */
export interface GicV3FrameOptions {
  /** The interrupts. */
  readonly interrupts: GicV3Interrupts;
  /** The board has an ITS, and so LPIs. */
  readonly hasLpis: boolean;
  /** Tells that an interrupt was not pending and now is, and what made it so. */
  readonly raised: (cpu: number, interrupt: number, source: string) => void;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

/** Arrays that one register sets and another clears, bit by bit. */
type BitArray = "enabled" | "active";

/** GICD_PIDR4 to GICD_CIDR3; parts differ in GICx_PIDR0. */
const IDENTIFICATION = [0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
const PIDR0 = 4;

/** GICD_IIDR and GICR_IIDR: Arm, r0p0 of product 0, as QEMU 7.2. */
export const IIDR = 0x43b;

/** Offset of the bytes that may be accessed as bytes. */
const PRIORITIES = 0x400, PRIORITIES_END = 0x800;

/** Interrupts of some words; `index` of an access counts words from the frame's first. */
export abstract class GicV3Frame {
  /** The interrupts. */
  protected readonly interrupts: GicV3Interrupts;

  /** Holds no state of its own. */
  constructor(protected readonly options: GicV3FrameOptions) {
    this.interrupts = options.interrupts;
  }

  /** The word of state behind word `index` of the frame. */
  abstract wordOf(index: number): number;

  /** Tells that interrupts of word `index` were made pending by a write. */
  abstract raised(index: number, bit: number, writer: number): void;

  /** A Non-secure access while there are two Security states. */
  isNonSecure({ secure }: AccessContext): boolean {
    return !secure && !this.interrupts.isSingleState;
  }

  /** The interrupts of a word that an access may see; those beyond Group 1 that NSACR lets it, from `grant` on. */
  #seen(access: RegisterAccess, index: number, grant = 4): number {
    if (!this.isNonSecure(access)) return -1;
    const word = this.wordOf(index);
    return at(this.interrupts.state.group, word) | this.granted(word, grant);
  }

  /** Interrupts of a word whose field of NSACR is at least `grant`; redistributors have no such exceptions. */
  protected granted(_word: number, _grant: number): number {
    return 0;
  }

  /** IGROUPR; IGRPMODR too, while there are two Security states. */
  readGroups(name: "group" | "groupModifier", access: RegisterAccess): number {
    if (this.isNonSecure(access) || (name === "groupModifier" && this.interrupts.isSingleState)) return 0;
    return at(this.interrupts.state[name], this.wordOf(access.index));
  }

  /** Writes IGROUPR or IGRPMODR. */
  writeGroups(name: "group" | "groupModifier", value: number, access: RegisterAccess): void {
    if (this.isNonSecure(access) || (name === "groupModifier" && this.interrupts.isSingleState)) return;
    this.interrupts.state[name][this.wordOf(access.index)] = value;
  }

  /** ISENABLER, ICENABLER, ISACTIVER, ICACTIVER. */
  readBits(name: BitArray, access: RegisterAccess): number {
    const seen = this.#seen(access, access.index, name === "active" ? 2 : undefined);
    return at(this.interrupts.state[name], this.wordOf(access.index)) & seen;
  }

  /** ISENABLER, ISACTIVER. */
  setBits(name: BitArray, value: number, access: RegisterAccess): void {
    this.interrupts.state[name][this.wordOf(access.index)]! |= value & this.#seen(access, access.index);
  }

  /** ICENABLER, ICACTIVER. */
  clearBits(name: BitArray, value: number, access: RegisterAccess): void {
    this.interrupts.state[name][this.wordOf(access.index)]! &= ~(value & this.#seen(access, access.index));
  }

  /** ISPENDR, which NSACR opens from 1 on, and ICPENDR, from 2 on. */
  readPending(grant: number, access: RegisterAccess): number {
    return this.interrupts.pending(this.wordOf(access.index)) & this.#seen(access, access.index, grant);
  }

  /** ISPENDR. */
  setPending(value: number, access: RegisterAccess): void {
    const word = this.wordOf(access.index);
    const set = value & this.#seen(access, access.index, 1);
    let raised = set & ~this.interrupts.pending(word);
    this.interrupts.state.latched[word]! |= set;
    for (; raised !== 0; raised &= raised - 1) this.raised(access.index, lowestBit(raised), access.cpu);
  }

  /** ICPENDR. */
  clearPending(value: number, access: RegisterAccess): void {
    const seen = this.#seen(access, access.index, 2);
    this.interrupts.state.latched[this.wordOf(access.index)]! &= ~(value & seen);
  }

  /** IPRIORITYR: a Non-secure access sees the upper half of the priorities as all there are. */
  readPriorities(access: RegisterAccess): number {
    const slot = this.#slotOf(access), seen = this.#seen(access, access.index >>> 3);
    let value = 0;
    for (let byte = 0; byte < 4; byte++) {
      if (!(seen >>> ((slot + byte) & 31) & 1)) continue;
      const priority = at(this.interrupts.state.priority, slot + byte);
      value |= (this.isNonSecure(access) ? (priority << 1) & 0xff : priority) << (8 * byte);
    }
    return value;
  }

  /** Writes IPRIORITYR, the bytes that the access touches. */
  writePriorities(value: number, access: RegisterAccess): void {
    const slot = this.#slotOf(access), seen = this.#seen(access, access.index >>> 3);
    for (let byte = 0; byte < 4; byte++) {
      const isTouched = (access.lanes >>> (8 * byte) & 1) === 1;
      if (!isTouched || !(seen >>> ((slot + byte) & 31) & 1)) continue;
      const written = value >>> (8 * byte) & 0xff;
      this.interrupts.state.priority[slot + byte] = this.isNonSecure(access) ? 0x80 | written >>> 1 : written;
    }
  }

  #slotOf({ index }: RegisterAccess): number {
    return this.wordOf(index >>> 3) * 32 + (index & 7) * 4;
  }

  /** ICFGR: the upper bit of each pair, edge-triggered. */
  readConfiguration(access: RegisterAccess): number {
    const index = access.index >>> 1;
    const edges = at(this.interrupts.state.edge, this.wordOf(index)) & this.#seen(access, index);
    return spread(edges >>> (16 * (access.index & 1)) & 0xffff) << 1;
  }

  /** Writes ICFGR; SGIs stay edge-triggered. */
  writeConfiguration(value: number, access: RegisterAccess): void {
    const index = access.index >>> 1, word = this.wordOf(index), half = access.index & 1;
    const { edge } = this.interrupts.state;
    const sgis = this.hasSgis && half === 0;
    const mask = sgis ? 0 : this.#seen(access, index) & (0xffff << (16 * half));
    edge[word] = (at(edge, word) & ~mask) | (gather(value >>> 1) << (16 * half) & mask);
  }

  /** The frame's first 16 interrupts are SGIs. */
  protected readonly hasSgis: boolean = false;

  /** NSACR, Secure software's while there are two Security states; one of PPIs there is not. */
  readNonSecureAccess(access: RegisterAccess): number {
    if (this.isNonSecure(access) || this.interrupts.isSingleState || this.#isOfPpis(access)) return 0;
    return at(this.interrupts.state.nonSecureAccess, this.#accessWord(access));
  }

  /** Writes NSACR. */
  writeNonSecureAccess(value: number, access: RegisterAccess): void {
    if (this.isNonSecure(access) || this.interrupts.isSingleState || this.#isOfPpis(access)) return;
    this.interrupts.state.nonSecureAccess[this.#accessWord(access)] = value;
  }

  #isOfPpis({ index }: RegisterAccess): boolean {
    return this.hasSgis && index === 1;
  }

  #accessWord({ index }: RegisterAccess): number {
    return this.wordOf(index >>> 1) * 2 + (index & 1);
  }
}

/** The registers of `count` words from `first` on, at their offsets from `base`. */
// deno-fmt-ignore
export function interruptRows(prefix: string, base: number, first: number, count: number): RegisterRow<GicV3Frame>[] {
  const row = (offset: number, size: number, name: string, behaviour: RegisterRow<GicV3Frame>[5]): RegisterRow<GicV3Frame> =>
    [base + offset + first * size * 4, `${prefix}_${name}`, "RW", 32, 0, behaviour as object, count * size];
  return [
    // offset words name     behaviour
    row(0x080, 1, "IGROUPR",   { read: (it, access) => it.readGroups("group", access),  write: (it, value, access) => it.writeGroups("group", value, access) }),
    row(0x100, 1, "ISENABLER", { read: (it, access) => it.readBits("enabled", access),  write: (it, value, access) => it.setBits("enabled", value, access) }),
    row(0x180, 1, "ICENABLER", { read: (it, access) => it.readBits("enabled", access),  write: (it, value, access) => it.clearBits("enabled", value, access) }),
    row(0x200, 1, "ISPENDR",   { read: (it, access) => it.readPending(1, access),       write: (it, value, access) => it.setPending(value, access) }),
    row(0x280, 1, "ICPENDR",   { read: (it, access) => it.readPending(2, access),       write: (it, value, access) => it.clearPending(value, access) }),
    row(0x300, 1, "ISACTIVER", { read: (it, access) => it.readBits("active", access),   write: (it, value, access) => it.setBits("active", value, access) }),
    row(0x380, 1, "ICACTIVER", { read: (it, access) => it.readBits("active", access),   write: (it, value, access) => it.clearBits("active", value, access) }),
    row(0x400, 8, "IPRIORITYR", { read: (it, access) => it.readPriorities(access),      write: (it, value, access) => it.writePriorities(value, access) }),
    row(0xc00, 2, "ICFGR",     { read: (it, access) => it.readConfiguration(access),    write: (it, value, access) => it.writeConfiguration(value, access) }),
    row(0xd00, 1, "IGRPMODR",  { read: (it, access) => it.readGroups("groupModifier", access), write: (it, value, access) => it.writeGroups("groupModifier", value, access) }),
    row(0xe00, 2, "NSACR",     { read: (it, access) => it.readNonSecureAccess(access),  write: (it, value, access) => it.writeNonSecureAccess(value, access) }),
  ];
}

/** GICx_PIDR4 to GICx_CIDR3; `part` is GICx_PIDR0. */
export function identificationRow(prefix: string, part: number): RegisterRow<unknown> {
  const read = (_: unknown, { index }: RegisterAccess): number =>
    index === PIDR0 ? part : IDENTIFICATION[index] as number;
  return [0xffd0, `${prefix}_PIDR4`, "RO", 8, 0, { read }, IDENTIFICATION.length];
}

/** A frame on the bus: words, and bytes where priorities are; what else is accessed reads zero and ignores writes. */
export function onBus<D extends GicV3Frame>(
  name: string,
  map: RegisterMap<D, never>,
  frameAt: (offset: number) => { readonly frame: D; readonly offset: number } | undefined,
  changed: () => void,
): MappedDevice {
  const isPossible = (offset: number, size: number): boolean => {
    const at = offset & 0xffff;
    return size === 4 || (size === 1 && at >= PRIORITIES && at < PRIORITIES_END);
  };
  return {
    name,
    read: (offset, size, context) => {
      const found = frameAt(offset);
      if (found === undefined || !isPossible(offset, size)) return 0;
      return map.read(found.frame, {}, found.offset, size, context);
    },
    write: (offset, size, value, context) => {
      const found = frameAt(offset);
      if (found === undefined || !isPossible(offset, size)) return;
      map.write(found.frame, {}, found.offset, size, value, context);
      changed();
    },
  };
}

/** The map of a frame; no register holds a value of its own. */
export function frameMap<D extends GicV3Frame>(rows: readonly RegisterRow<D>[]): RegisterMap<D, never> {
  return new RegisterMap<D, never>(rows);
}

/** Sixteen bits as the even bits of a word. */
function spread(bits: number): number {
  let value = 0;
  for (let bit = 0; bit < SGI_COUNT; bit++) value |= (bits >>> bit & 1) << (2 * bit);
  return value;
}

/** The even bits of a word as sixteen bits. */
export function gather(value: number): number {
  let bits = 0;
  for (let bit = 0; bit < SGI_COUNT; bit++) bits |= (value >>> (2 * bit) & 1) << bit;
  return bits;
}
