/** Accesses to registers of the PL031 and the PL011 by the instructions that there are, for the guest of el3-simdev. */

/** One access: an instruction with its address in x1 and values in x2 and x3. */
export interface RegisterAccess {
  /** The instruction; it may be several, with `;`. */
  readonly text: string;
  /** x1. */
  readonly address: number;
  /** x2. */
  readonly value?: number;
  /** x3. */
  readonly other?: number;
  /** Done with stage 1 on only. */
  readonly isNormal?: boolean;
}

/** Addresses of the devices (board `virt`). */
export const RTC = 0x0901_0000, UART = 0x0900_0000;

/** RTCMR, RTCLR, RTCIMSC; UARTIBRD, UARTLCR_H, UARTIFLS, UARTIMSC. */
const MR = RTC + 4,
  LR = RTC + 8,
  IMSC = RTC + 0x10,
  IBRD = UART + 0x24,
  LCR_H = UART + 0x2c,
  IFLS = UART + 0x34;
const ID = RTC + 0xfe0, CELL = UART + 0xff0;

/** Loads and stores of one register, which a monitor does; their results do not depend on when they are done. */
// deno-fmt-ignore
export const SINGLE_ACCESSES: readonly RegisterAccess[] = [
  { text: "str w2, [x1]",             address: MR,   value: 0x8765_4321 },
  { text: "ldr w2, [x1]",             address: MR },
  { text: "ldrh w2, [x1]",            address: MR },
  { text: "ldrb w2, [x1]",            address: MR },
  { text: "ldrsb w2, [x1]",           address: MR },
  { text: "ldrsb x2, [x1]",           address: MR },
  { text: "ldrsh x2, [x1]",           address: MR },
  { text: "ldrsh w2, [x1]",           address: MR },
  { text: "ldrsw x2, [x1]",           address: MR },
  { text: "ldr x2, [x1]",             address: ID },
  { text: "ldur w2, [x1, #4]",        address: ID },
  { text: "ldr w2, [x1, #8]",         address: ID },
  { text: "ldr w2, [x1], #4",         address: ID },
  { text: "ldr w2, [x1, #8]!",        address: ID },
  { text: "ldr w2, [x1, #-16]!",      address: CELL },
  { text: "ldr w2, [x1, x3]",         address: CELL, other: 12 },
  { text: "ldr w2, [x1, w3, uxtw #2]", address: CELL, other: 2 },
  { text: "ldr w2, [x1, w3, sxtw]",   address: CELL, other: -16 },
  { text: "ldar w2, [x1]",            address: CELL },
  { text: "ldarb w2, [x1]",           address: CELL },
  { text: "ldarh w2, [x1]",           address: CELL },
  { text: "ldtr w2, [x1, #4]",        address: CELL },
  { text: "ldr wzr, [x1]",            address: CELL, value: 5 },
  { text: "mov x4, sp; mov sp, x1; ldr w2, [sp], #8; mov x1, sp; mov sp, x4", address: ID },
  { text: "strh w2, [x1]",            address: IBRD, value: 0x1234 },
  { text: "ldr w2, [x1]",             address: IBRD },
  { text: "strb w2, [x1]",            address: IFLS, value: 0x2d },
  { text: "ldr w2, [x1]",             address: IFLS },
  { text: "stlr w2, [x1]",            address: LCR_H, value: 0x70 },
  { text: "ldr w2, [x1]",             address: LCR_H },
  { text: "sttr w2, [x1, #-12]",      address: LCR_H + 0x10, value: 0x55 },
  { text: "str w2, [x1], #-8",        address: IFLS, value: 0x12 },
  { text: "ldr w2, [x1]",             address: UART + 0x18 },
  { text: "str w2, [x1, #-4]!",       address: LR,   value: 0x7000_0000 },
  { text: "ldr w2, [x1]",             address: MR },
  { text: "stur wzr, [x1, #12]",      address: MR },
  { text: "ldr w2, [x1]",             address: IMSC },
];

/** What a monitor leaves alone: more than one register or none, nothing there, a fetch. */
// deno-fmt-ignore
export const REFUSED_ACCESSES: readonly RegisterAccess[] = [
  { text: "ldp w2, w3, [x1]",         address: ID },
  { text: "ldp x2, x3, [x1], #16",    address: ID },
  { text: "ldpsw x2, x3, [x1]",       address: ID },
  { text: "ldnp x2, x3, [x1]",        address: ID },
  { text: "stp w2, w3, [x1, #-8]!",   address: MR, value: 1 },
  { text: "ldr q0, [x1]",             address: ID },
  { text: "str d0, [x1]",             address: MR & ~7 },
  { text: "ld1 {v0.4s}, [x1]",        address: ID },
  { text: "ldxr w2, [x1]",            address: ID },
  { text: "ldaxp w2, w3, [x1]",       address: ID },
  { text: "ldr w2, [x1]",             address: RTC + 0x1000 },
  { text: "strb w2, [x1]",            address: 0x0905_0000, value: 3 },
  { text: "ldr x2, [x1, #-8]!",       address: 0x0c00_0008 },
  { text: "blr x1",                   address: RTC },
  { text: "blr x1",                   address: 0x0905_0000 },
  { text: "ldr w2, [x1]",             address: RTC + 0xffe, isNormal: true },
  { text: "ldr x2, [x1]",             address: RTC + 0xff9, isNormal: true },
  { text: "str x2, [x1]",             address: RTC - 4, value: 1, isNormal: true },
];

/** Unaligned accesses within a device, which the bus does byte by byte. */
// deno-fmt-ignore
export const UNALIGNED_ACCESSES: readonly RegisterAccess[] = [
  { text: "ldr w2, [x1]",             address: ID + 1, isNormal: true },
  { text: "ldrh w2, [x1]",            address: CELL + 3, isNormal: true },
  { text: "ldr x2, [x1]",             address: CELL + 3, isNormal: true },
];
