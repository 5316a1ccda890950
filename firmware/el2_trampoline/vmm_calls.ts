/** The VMM in A64: calls of its guest. PSCI is a table, and the only other call gives the CPU to the vmkernel. */

/** Functions of PSCI that are answered by a number: identifier, result, and whether another CPU than the only one is refused. */
// deno-fmt-ignore
const FUNCTIONS: readonly (readonly [id: number, result: number, ofTarget: 0 | 1])[] = [
  [0x8000_0000, 0x1_0001, 0], // SMCCC_VERSION: 1.1
  [0x8400_0000, 0x1_0001, 0], // PSCI_VERSION: 1.1
  [0x8400_0003, -4,       1], // CPU_ON: ALREADY_ON
  [0xc400_0003, -4,       1],
  [0x8400_0004, 0,        1], // AFFINITY_INFO: ON
  [0xc400_0004, 0,        1],
  [0x8400_0006, 2,        0], // MIGRATE_INFO_TYPE: no Trusted OS
  [0x8400_0008, 0,        0], // SYSTEM_OFF
  [0x8400_0009, 0,        0], // SYSTEM_RESET
  [0x8400_000a, 0,        0], // PSCI_FEATURES
];

/** `vmm_call`. */
export const VMM_CALLS: string = `vmm_call:
        and     w1, w20, #0xffff
        cbz     w1, vmm_firmware_call
        cmp     w1, #CALL_YIELD
        mov     x0, #REASON_YIELD
        b.eq    vmm_leave
        mov     x0, #-1                         // the vmkernel's among them: here it is the guest's, and unknown
vmm_result:
        str     x0, [sp, #C_X]
        b       vmm_resume

vmm_firmware_call:
        ldr     w0, [sp, #C_X]
        ldr     x1, [sp, #8]
        bl      vmm_find
        cbz     x2, vmm_unknown
        ldr     w3, =0x84000008
        cmp     w0, w3
        mov     x4, #REASON_OFF
        b.eq    vmm_power
        add     w3, w3, #1
        cmp     w0, w3
        mov     x4, #REASON_RESET
        b.eq    vmm_power
        add     w3, w3, #1
        cmp     w0, w3
        b.eq    vmm_features
        ldrsw   x0, [x2, #4]
        ldr     w3, [x2, #8]
        cbz     w3, vmm_result
        and     x1, x1, #0xffffff
        cmp     x1, #0
        mov     x3, #-2                         // INVALID_PARAMETERS: there is no other CPU
        csel    x0, x0, x3, eq
        b       vmm_result
vmm_features:
        mov     w0, w1
        bl      vmm_find
        mov     x0, #0
        cbnz    x2, vmm_result
vmm_unknown:
        mov     x0, #-1
        b       vmm_result
vmm_power:
        mov     x0, x4
        b       vmm_leave

// x2 = the row of function w0, or 0. Changes x3.
vmm_find:
        adr     x2, vmm_functions
1:      ldr     w3, [x2]
        cbz     w3, 2f
        cmp     w3, w0
        b.eq    3f
        add     x2, x2, #12
        b       1b
2:      mov     x2, #0
3:      ret

`;

/** `vmm_functions`, the table. */
export const VMM_FUNCTIONS: string = `vmm_functions:
${FUNCTIONS.map((row) => `        .word   ${row.map((value) => value >>> 0).join(", ")}\n`).join("")}
        .word   0
`;
