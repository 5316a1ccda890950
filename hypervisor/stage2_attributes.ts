/** What a stage 2 descriptor says of a page beside its address (Arm ARM D8.3.2, VMSAv8-64 stage 2 descriptors). */

/** Type of memory and permissions. */
export interface Stage2Attributes {
  /** `normal` is Write-Back, inner shareable; `device` is Device-nGnRE. */
  readonly memory: "normal" | "device";
  /** S2AP[0]: guests read it, and walks of their tables. */
  readonly read: boolean;
  /** S2AP[1]: guests write it. */
  readonly write: boolean;
  /** XN is clear: guests execute it. */
  readonly execute: boolean;
}

/** The permissions alone. */
export type Stage2Permissions = Pick<Stage2Attributes, "read" | "write" | "execute">;

/** Memory without restrictions. */
export const MEMORY_RWX: Stage2Attributes = { memory: "normal", read: true, write: true, execute: true };
/** Memory that cannot be executed. */
export const MEMORY_RW: Stage2Attributes = { ...MEMORY_RWX, execute: false };
/** Memory that cannot be written. */
export const MEMORY_RX: Stage2Attributes = { ...MEMORY_RWX, write: false };
/** Registers of a physical device. */
export const DEVICE_RW: Stage2Attributes = { memory: "device", read: true, write: true, execute: false };

/** MemAttr[3:0] in bits 5–2, SH in bits 9–8: Normal inner and outer Write-Back is inner shareable. */
const NORMAL = 0b1111n << 2n | 0b11n << 8n,
  DEVICE_NGNRE = 0b0001n << 2n | 0b10n << 8n,
  MEMORY_TYPE = 0b1100n << 2n;
const READ = 1n << 6n, WRITE = 1n << 7n, ACCESSED = 1n << 10n, NEVER_EXECUTED = 1n << 54n;

/** The bits of a block or page descriptor without its address and its type. */
export function descriptorBits({ memory, read, write, execute }: Stage2Attributes): bigint {
  return (memory === "normal" ? NORMAL : DEVICE_NGNRE) | ACCESSED | (read ? READ : 0n) |
    (write ? WRITE : 0n) |
    (execute ? 0n : NEVER_EXECUTED);
}

/** What the bits of a block or page descriptor say. */
export function attributesOf(descriptor: bigint): Stage2Attributes {
  return {
    memory: (descriptor & MEMORY_TYPE) === 0n ? "device" : "normal",
    read: (descriptor & READ) !== 0n,
    write: (descriptor & WRITE) !== 0n,
    execute: (descriptor & NEVER_EXECUTED) === 0n,
  };
}
