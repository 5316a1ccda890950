/** Where things are in memory and in the two address spaces of EL2, and the numbers that the parts agree on. */
import {
  LOADER_MAIR,
  physicalSizeShift,
  translationControl,
  type TranslationLayout,
} from "../loader/translation_layout.ts";

/** The variants of the family: which state tells the two components of the hypervisor apart, and what a switch costs. */
export type SwitchForm = "plain" | "tags" | "redirection";

/** Who runs the guest: A64 code, or a part of `hypervisor/` that takes exceptions while VBAR_EL2 has its vectors. */
export type VmmKind = "a64" | "typescript";

/** Where `-kernel` puts the image, which has a kernel's header. */
export const IMAGE_BASE = 0x4020_0000;

/** Physical addresses of what is behind the code: the save areas, and the tables. */
// deno-fmt-ignore
export const PLACES = {
  HOST_CONTEXT:  0x4027_0000,
  GUEST_CONTEXT: 0x4027_1000,
  SMALL_MAP:     0x4028_0000,
  VMM_MAP:       0x4028_8000,
  KERNEL_MAP:    0x4029_0000,
  STAGE2:        0x4029_8000,
  END:           0x402a_0000,
} as const;

/** Tables of one map, at most. */
export const TABLES_OF_A_MAP = 8;

/** Virtual address of the save area of whoever's tables TTBR0_EL2 has: the same in both, and another page. */
export const CONTEXT: bigint = 0x10_0000_0000n;

/** Offsets in a save area. */
// deno-fmt-ignore
export const CONTEXT_AT = {
  X:      0,    // X0–X30
  PC:     248,  // ELR_EL2, and SPSR_EL2 behind it
  PSTATE: 256,
  V:      272,  // V0–V31
  SYSTEM: 784,  // WORLD_REGISTERS
  GICD:   2048, // the guest's GICD_CTLR
} as const;

/** Offsets in the description of a world: its values of the registers that only EL2 has. */
// deno-fmt-ignore
export const WORLD_AT = { TTBR: 0, VBAR: 8, HCR: 16, VTTBR: 24, VTCR: 32, MDCR: 40, CNTHCTL: 48, ENTRY: 56 } as const;

/** Immediates of HVC: the vmkernel's request, and the guest's "let the vmkernel run"; 0 is the SMC calling convention. */
export const CALL = { ENTER: 1, YIELD: 0x10 } as const;

/** What the vmkernel gets in X0: why its guest stopped. */
// deno-fmt-ignore
export const REASON = { IRQ: 1, YIELD: 2, OFF: 3, RESET: 4, SERROR: 5 } as const;

/** What a request that there is not comes to: SMCCC's NOT_SUPPORTED. */
export const NOT_SUPPORTED = -1n;

/** Interrupts of the vmkernel: EL1's physical timer, and a shared one. All other shared ones and PPI 27 are the guest's. */
export const INTERRUPTS = { TIMER: 30, DOORBELL: 100, GUEST_TIMER: 27 } as const;

/** Priorities: the vmkernel's interrupts come before the guest's, which its mask keeps out. */
// deno-fmt-ignore
export const PRIORITY = { VMKERNEL: 0x40, VMKERNEL_MASK: 0x80, GUEST: 0xa0, GUEST_MASK: 0xf0 } as const;

/** Frames of the GICv2, and the UART. */
// deno-fmt-ignore
export const DEVICES = {
  GICD: 0x0800_0000, GICC: 0x0801_0000, GICH: 0x0803_0000, GICV: 0x0804_0000, UART: 0x0900_0000, RTC: 0x0901_0000,
} as const;

/** All maps: 39 bits, pages of 4 KiB, walks from level 1. */
export const MAP_LAYOUT: TranslationLayout = { granule: 12, inputBits: 39 };

/** First intermediate physical address of a guest's memory. */
export const GUEST_RAM = 0x4000_0000;

const bits = (...numbers: readonly bigint[]): bigint =>
  numbers.reduce((sum, number) => sum | 1n << number, 0n);

/** PhysicalAddressSize 40 bits, in TCR_ELx and VTCR_EL2. */
const SIZE_40 = 2n;
/** RES1 bits of SCTLR_EL2, and I, C and M; RES1 bits of SCTLR_EL1. */
const SCTLR_EL2_ON = 0x30c5_0830n | 0x1005n, SCTLR_EL1_OFF = 0x30d0_0800n;
/** HCR_EL2: RW, API and APK. */
const HCR_RW = bits(31n), HCR_PAUTH = bits(40n, 41n), HCR_E2H = bits(34n);
/** HCR_EL2 of a guest: VM, SWIO, FMO, IMO, AMO, FB, TSC, TIDCP. */
const HCR_GUEST = bits(0n, 1n, 3n, 4n, 5n, 9n, 19n, 20n);
/** MDCR_EL2: HPMN = 6; TPMCR, TPM, TDA, TDOSA and TDRA trap. */
const MDCR = 6n, MDCR_TRAPS = bits(5n, 6n, 9n, 10n, 11n);
/** CNTHCTL_EL2: EL1PCTEN, EL1PCEN; with E2H they are bits 10 and 11. */
const COUNTER = bits(0n), TIMER = bits(1n), HOST_SHIFT = 10n;
/** Tags: ASIDs of the two spaces, VMID of the guest. */
const HOST_ASID = 1n << 48n, VMM_ASID = 2n << 48n, GUEST_VMID = 1n << 48n;

/** What builds differ in. */
export interface ControlOptions {
  /** The variant. */
  readonly form: SwitchForm;
  /** The CPU has FEAT_PAuth. */
  readonly pauth: boolean;
}

/** Values of control registers as equates. */
export function layoutEquates({ form, pauth }: ControlOptions): string {
  const isHost = form === "tags", shift = isHost ? HOST_SHIFT : 0n;
  const common = HCR_RW | (pauth ? HCR_PAUTH : 0n) | (isHost ? HCR_E2H : 0n);
  const el1Control = translationControl(1, MAP_LAYOUT) | SIZE_40 << BigInt(physicalSizeShift(1));
  const el2Control = isHost
    ? el1Control
    : translationControl(2, MAP_LAYOUT) | SIZE_40 << BigInt(physicalSizeShift(2));
  const groups: Record<string, Readonly<Record<string, bigint | number>>> = {
    "": {
      CONTEXT,
      IS_HOST: isHost ? 1 : 0,
      IS_REDIRECTION: form === "redirection" ? 1 : 0,
      MAIR: LOADER_MAIR,
      TCR_EL1_VALUE: el1Control,
      TCR_EL2_VALUE: el2Control,
      SCTLR_EL1_OFF,
      SCTLR_EL1_ON: SCTLR_EL1_OFF | 0x1005n,
      SCTLR_EL2_ON,
      CPTR_VALUE: isHost ? bits(20n, 21n) : 0x33ffn,
      HOST_TTBR: BigInt(PLACES.SMALL_MAP) | (isHost ? HOST_ASID : 0n),
      HOST_HCR: common,
      HOST_MDCR: MDCR,
      HOST_CNTHCTL: (COUNTER | TIMER) << shift,
      GUEST_TTBR: BigInt(PLACES.VMM_MAP) | (isHost ? VMM_ASID : 0n),
      GUEST_HCR: common | HCR_GUEST,
      GUEST_VTTBR: BigInt(PLACES.STAGE2) | GUEST_VMID,
      GUEST_VTCR: 25n | 1n << 6n | 1n << 8n | 1n << 10n | 3n << 12n | SIZE_40 << 16n | bits(31n),
      GUEST_MDCR: MDCR | MDCR_TRAPS,
      GUEST_CNTHCTL: COUNTER << shift,
    },
    AT_: PLACES,
    C_: CONTEXT_AT,
    W_: WORLD_AT,
    CALL_: CALL,
    REASON_: REASON,
    INTERRUPT_: INTERRUPTS,
    PRIORITY_: PRIORITY,
    DEVICE_: DEVICES,
  };
  return Object.entries(groups).flatMap(([prefix, values]) =>
    Object.entries(values).map(([name, value]) =>
      `        .equ    ${prefix}${name}, 0x${value.toString(16)}\n`
    )
  ).join("");
}
