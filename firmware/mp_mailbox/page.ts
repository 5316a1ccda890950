/** The mailbox page of a secondary CPU: what the operating system has of it, and what stays the firmware's. */

/** Bytes of a page; the upper half is the firmware's (Multi-processor Startup for ARM Platforms, section 4.1). */
export const MAILBOX_SIZE = 4096;

/** Offsets in a page. */
// deno-fmt-ignore
export const MAILBOX = {
  /** u32: all ones until the operating system writes the CPU's interface number. */
  ID:      0x000,
  /** u64: where the CPU goes on; the firmware clears it. It is the release word of `spin-table`, too. */
  ADDRESS: 0x008,
  /** The pen's code: where PSCI starts the CPU. */
  PEN:     0x800,
  /** u32: the number that the CPU waits for. */
  OWN_ID:  0xf80,
  /** u32: what the CPU waits by, of `WAITS`. */
  WAITS:   0xf84,
  /** u64: GICC, the CPU interface of a GICv2, or 0. */
  GICC:    0xf88,
  /** u64: GICR, the CPU's frame of a GICv3, or 0. */
  GICR:    0xf90,
  /** u64: 1 when the CPU is in the pen. */
  STATE:   0xf98,
} as const;

/** What a CPU in the pen waits by. */
export const WAITS = { parking: 0, spinTable: 1 } as const;

/** The value of `MAILBOX.ID` before the operating system has written it. */
export const NO_ID = 0xffff_ffff;

/** The offsets as equates. */
export const MAILBOX_EQUATES: string = Object.entries(MAILBOX)
  .map(([name, value]) => `        .equ    MAILBOX_${name}, ${value}\n`)
  .join("") +
  `        .equ    MAILBOX_SIZE, ${MAILBOX_SIZE}\n        .equ    WAITS_SPIN, ${WAITS.spinTable}\n`;
