/** Priorities and controls as the physical and the virtual CPU interface of a GICv3 both have them (Arm IHI 0069, section 4.8). */
import { lowestBit, SPURIOUS } from "./gic_interrupts.ts";
import { IDLE } from "./gic_v3_interrupts.ts";

/** Priorities and group priorities have this many bits. */
export const PRIORITY_BITS = 5;
/** The least binary point, by which no bit of priority is left out. */
export const MINIMUM_BINARY_POINT: number = 7 - PRIORITY_BITS;
/** The bits of a priority that there are. */
export const PRIORITY_MASK: number = 0x100 - 2 ** (8 - PRIORITY_BITS);

/** ICC_CTLR_EL1 and ICV_CTLR_EL1 but for CBPR and EOImode: affinity 3, 24 bits of INTIDs, bits of priority. */
export const CONTROL_FIXED: number = 1 << 15 | 1 << 11 | (PRIORITY_BITS - 1) << 8;
/** Their bits that can be written. */
export const CONTROL_CBPR = 1, CONTROL_EOIMODE = 2;

/** Bits of a register that are an INTID. */
export const INTID_BITS = 0xff_ffff;

/** INTIDs 1020 to 1023 are no interrupts. */
export const isSpecial = (interrupt: number): boolean => interrupt >= 1020 && interrupt <= SPURIOUS;

/** The bit of an active priorities register that stands for a group priority. */
export const activeBit = (priority: number): number => 1 << (priority >>> (8 - PRIORITY_BITS));

/** The most urgent of the priorities that bits of active priorities registers stand for; IDLE without any. */
export const runningPriority = (bits: number): number =>
  bits === 0 ? IDLE : lowestBit(bits) << (8 - PRIORITY_BITS);

/** The part of a priority that decides preemption, by the binary point of Group 0: that of Group 1 less one. */
export const groupPriority = (priority: number, binaryPoint: number): number =>
  priority & (-2 << binaryPoint);
