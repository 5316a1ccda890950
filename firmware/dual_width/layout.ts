/**
 * Where things are in the address spaces of the dual-width kernel, as numbers for the builder and equates for the kernel.
 */

/** First address past what EL0 can name: TCR_EL1.T0SZ = 17 leaves 47 bits (Arm ARM D8.1.5). */
export const USER_LIMIT: bigint = 1n << 47n;

/** Bytes of a page and of a translation table: the 4 KiB granule. */
export const PAGE = 4096;

/** Physical address of the kernel's linear window, the start of the board's RAM. */
export const WINDOW_BASE = 0x4000_0000;

/** Bytes of RAM in the linear window when a builder is not told: everything that the kernel may own. */
export const WINDOW_SIZE = 0x80_0000;

/** Physical address of the image: where `-kernel` puts a flat one. */
export const IMAGE_BASE = 0x4008_0000;

/** The page of EL1 vectors, the last one that EL0 and EL1 can name. */
export const SHIM: bigint = USER_LIMIT - BigInt(PAGE);

/** First address past a process's stack; an unmapped page lies between it and the shim. */
export const STACK_TOP: bigint = SHIM - BigInt(PAGE);

/** Bytes of a stack, mapped from the start. */
export const STACK_SIZE = 0x1_0000;

/** First address past the area of mmap, which grows down. */
export const MMAP_TOP: bigint = STACK_TOP - 0x1000_0000n;

/** Bytes that brk may add to a process's data. */
export const BRK_MAXIMUM = 0x1000_0000n;

/** Most processes. */
export const PROCESSES = 4;

/** How the kernel runs: at EL2 with HCR_EL2.E2H = 0, or with FEAT_VHE as a host. */
export type KernelForm = "el2" | "vhe";

/** First address of the kernel's half, where the linear window is. */
export const KERNEL_BASE: Readonly<Record<KernelForm, bigint>> = {
  el2: USER_LIMIT,
  vhe: 0xffff_8000_0000_0000n,
};

/** Distance from a physical address to the kernel's linear address. */
export function linearOffset(form: KernelForm): bigint {
  return KERNEL_BASE[form] - BigInt(WINDOW_BASE);
}

/** Distance from a device's physical address to the kernel's. */
export function deviceOffset(form: KernelForm): bigint {
  return KERNEL_BASE[form] + 0x40_0000_0000n;
}

/** Physical addresses of the pages of devices that the kernel uses: the UART, GICD and GICC. */
export const DEVICE_PAGES: readonly number[] = [0x0900_0000, 0x0800_0000, 0x0801_0000];

/** Bytes of a process block. */
export const PROCESS_SIZE = 4096;

/** Offsets in a process block. */
// deno-fmt-ignore
export const PROCESS = {
  X:         0,    // X0–X30
  SP:        248,  // SP_EL0
  PC:        256,  // and SPSR behind it
  PSTATE:    264,
  TPIDR:     272,  // TPIDR_EL0
  FPSR:      280,  // and FPCR behind it
  FPCR:      288,
  V:         304,  // V0–V31
  ROOT:      816,  // physical address of the level 0 table
  BRK_START: 824,
  BRK:       832,
  MMAP_NEXT: 840,  // the lowest address that mmap gave
  STATE:     848,  // 0: none, 1: can run, 2: ended
  PID:       856,
  EXIT:      864,  // exit code, or 128 + signal
  RANDOM:    872,  // state of getrandom
  SIGMASK:   880,  // blocked signals
  PENDING:   888,  // blocked signals that were sent
  COMM:      896,  // 16 characters, for prctl
  NAME:      912,  // path of the executable, zero-terminated
  NAME_END:  1024,
  ACTIONS:   1024, // 64 × { handler, flags, restorer, mask }
} as const;

/** Bits of descriptors at level 3 (Arm ARM D8.3). AttrIndx 0 is Device-nGnRnE, 1 Normal write-back. */
// deno-fmt-ignore
export const DESCRIPTOR = {
  PAGE:      0b11n,
  NORMAL:    1n << 2n,
  EL0:       1n << 6n,  // AP[1]: RES1 in the EL2 translation regime
  READ_ONLY: 1n << 7n,  // AP[2]
  INNER:     3n << 8n,  // SH
  AF:        1n << 10n,
  PXN:       1n << 53n, // RES0 in the EL2 translation regime
  XN:        1n << 54n, // XN of the EL2 regime, UXN of EL1&0 and EL2&0
  OWNED:     1n << 55n, // software: the page belongs to the process, valid or not
} as const;

/** Equates of what is above. */
export function layoutEquates(form: KernelForm): string {
  const equates: Record<string, bigint | number> = {
    VHE: form === "vhe" ? 1 : 0,
    LINEAR: linearOffset(form),
    UART: deviceOffset(form) + BigInt(DEVICE_PAGES[0] as number),
    GICD: deviceOffset(form) + BigInt(DEVICE_PAGES[1] as number),
    GICC: deviceOffset(form) + BigInt(DEVICE_PAGES[2] as number),
    UART_PA: DEVICE_PAGES[0] as number,
    USER_LIMIT,
    SHIM,
    STACK_SIZE,
    BRK_MAXIMUM,
    PROCESSES,
    PROCESS_SIZE,
  };
  for (const [name, offset] of Object.entries(PROCESS)) equates[`P_${name}`] = offset;
  for (const [name, bits] of Object.entries(DESCRIPTOR)) equates[`D_${name}`] = bits;
  return Object.entries(equates).map(([name, value]) => `        .equ    ${name}, 0x${value.toString(16)}\n`)
    .join("");
}
