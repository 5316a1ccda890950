/** A64 code that a loader at EL3 leaves behind: PSCI for one CPU, on board `virt` with `secure=on`. */
import type { Source } from "../../machine/a64/program.ts";
import { FUNCTION } from "../../machine/psci.ts";

/**
 * `psci_vectors`, for VBAR_EL3 with the MMU off: SMC from below is answered as PSCI 1.0 (Arm DEN0022) for a machine of
 * one CPU, anything else parks. It is position-independent, changes x0 to x3 only and uses no memory but its own code.
 * Power goes off by the Secure PL061, line 0; line 1 resets.
 */
export const SECURE_FIRMWARE: Source = {
  name: "secure_firmware",
  text: `
        .equ    SECURE_GPIO, 0x090b0000
        .equ    GPIODIR, 0x400
        .equ    PSCI_NOT_SUPPORTED, -1
        .equ    PSCI_INVALID_PARAMETERS, -2
        .equ    PSCI_ALREADY_ON, -4
        .equ    EC_SMC64, 0x17

        .balign 2048
psci_vectors:
        .rept   8                               // from EL3 itself: nothing is expected
        b       psci_park
        .balign 128
        .endr
        b       psci_call                       // 0x400: synchronous, from below in AArch64
        .balign 128
        .rept   7
        b       psci_park
        .balign 128
        .endr

psci_call:
        mrs     x3, esr_el3
        lsr     x3, x3, #26
        cmp     x3, #EC_SMC64
        b.ne    psci_park
        ldr     w3, =${FUNCTION.PSCI_VERSION}
        cmp     w0, w3
        b.eq    psci_version
        ldr     w3, =${FUNCTION.SYSTEM_OFF}
        cmp     w0, w3
        b.eq    psci_off
        ldr     w3, =${FUNCTION.SYSTEM_RESET}
        cmp     w0, w3
        b.eq    psci_reset
        ldr     w3, =${FUNCTION.MIGRATE_INFO_TYPE}
        cmp     w0, w3
        b.eq    psci_migrate_info
        ldr     w3, =${FUNCTION.CPU_ON_64}
        cmp     w0, w3
        b.eq    psci_cpu_on
        ldr     w3, =${FUNCTION.PSCI_FEATURES}
        cmp     w0, w3
        b.eq    psci_features
        mov     x0, #PSCI_NOT_SUPPORTED
        eret
psci_version:
        mov     x0, #0x10000                    // 1.0
        eret
psci_migrate_info:
        mov     x0, #2                          // no Trusted OS
        eret
psci_cpu_on:
        mov     x0, #PSCI_INVALID_PARAMETERS    // there is one CPU, and it calls
        mov     x3, #PSCI_ALREADY_ON
        cmp     x1, #0
        csel    x0, x3, x0, eq
        eret
psci_features:                                  // the functions above have no flags
        mov     x0, #PSCI_NOT_SUPPORTED
        ldr     w3, =${FUNCTION.PSCI_VERSION}
        cmp     w1, w3
        csel    x0, xzr, x0, eq
        ldr     w3, =${FUNCTION.SYSTEM_OFF}
        cmp     w1, w3
        csel    x0, xzr, x0, eq
        ldr     w3, =${FUNCTION.SYSTEM_RESET}
        cmp     w1, w3
        csel    x0, xzr, x0, eq
        ldr     w3, =${FUNCTION.MIGRATE_INFO_TYPE}
        cmp     w1, w3
        csel    x0, xzr, x0, eq
        ldr     w3, =${FUNCTION.CPU_ON_64}
        cmp     w1, w3
        csel    x0, xzr, x0, eq
        eret
psci_off:
        mov     w1, #1
        b       psci_line
psci_reset:
        mov     w1, #2
psci_line:                                      // raises the lines of w1
        ldr     x0, =SECURE_GPIO
        str     w1, [x0, #GPIODIR]
        str     wzr, [x0, w1, uxtw #2]          // bits of the address select lines
        str     w1, [x0, w1, uxtw #2]
psci_park:
        wfi
        b       psci_park
        .ltorg
`,
};
