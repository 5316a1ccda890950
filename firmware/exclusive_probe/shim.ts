/**
 * A hypervisor of a few instructions: enters a guest at EL1 with traps set, passes over what is trapped, and forwards its PSCI calls.
 *
 * Linked at SHIM_BASE with the guest SHIM_GUEST bytes above, entered at EL2 as a `-kernel` (`-M virt,virtualization=on`), needs
 * PSCI by SMC. It is A64 code, so that QEMU runs it too: the control of the monitors written in TypeScript.
 */
import type { Program } from "../../machine/a64/program.ts";
import { asm, bytes, label, org, part, program } from "../../machine/a64/program_parts.ts";
import { imageHeader } from "../image.ts";

/** Where the shim is linked, and where `-kernel` puts it. */
export const SHIM_BASE = 0x4020_0000n;

/** Bytes from the shim to its guest. */
export const SHIM_GUEST = 0x20_0000;

/** Bits of the registers at EL2 beside those that any guest needs. */
export interface ShimTraps {
  /** HCR_EL2, beside RW. */
  readonly hcr?: bigint;
  /** MDCR_EL2. */
  readonly mdcr?: bigint;
}

/** The most that a guest may occupy. */
const GUEST_MEMORY = 0x20_0000;

/** Puts a guest under the shim; it is entered at its first byte with x0 to x3 as at power-on. */
export function shimProgram(guest: Program, { hcr = 0n, mdcr = 0n }: ShimTraps): Program {
  const entry = label("shim"), guestAt = label("guest"), end = label("end"), vectors = label("shim_vectors");
  return program([
    imageHeader({ entry, size: end }),
    part(
      "shim",
      entry,
      asm`
        adr     x9, ${vectors}
        msr     vbar_el2, x9
        ldr     x9, =${(1n << 31n) | hcr}       // RW: EL1 is AArch64
        msr     hcr_el2, x9
        ldr     x9, =${mdcr}
        msr     mdcr_el2, x9
        mov     x9, #3                          // EL1PCTEN, EL1PCEN
        msr     cnthctl_el2, x9
        msr     cntvoff_el2, xzr
        ldr     x9, =0x30d00800                 // RES1 bits, MMU off
        msr     sctlr_el1, x9
        mov     x9, #0x33ff
        msr     cptr_el2, x9
        mov     x9, #0x3c5                      // EL1h, masked
        msr     spsr_el2, x9
        ldr     x9, =${SHIM_BASE + BigInt(SHIM_GUEST)}
        msr     elr_el2, x9
        isb
        eret
        .ltorg
        .balign 2048`,
      vectors,
      asm`
        .org    ${vectors} + 0x400
        msr     tpidr_el2, x9
        mrs     x9, esr_el2
        lsr     x9, x9, #26
        cmp     x9, #0x16                       // HVC
        b.eq    1f
        cmp     x9, #0x18                       // a trapped MSR or MRS
        b.ne    2f
        mrs     x9, elr_el2
        add     x9, x9, #4
        msr     elr_el2, x9
        mrs     x9, tpidr_el2
        eret
1:      mrs     x9, tpidr_el2
        smc     #0
        eret
2:      wfi                                     // nothing else is to come
        b       2b
        .org    ${vectors} + 0x800`,
    ),
    org(SHIM_GUEST),
    guestAt,
    bytes(guest.bytes),
    org(SHIM_GUEST + GUEST_MEMORY),
    end,
  ], { name: "shim", base: SHIM_BASE });
}
