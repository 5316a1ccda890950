/**
 * The loader's ESXBootInfo: the list of typed elements that a management hypervisor gets the address of in X1, with the magic
 * number 0x1BADB005 in X0. {command line, number of elements}, then elements that begin with {type: 4 bytes, size: 8}: ranges of
 * memory, modules, and a measurement log of each segment before the list (layout: esxbootinfo.h of VMware's esx-boot).
 */

/** Equates of the list, for whoever reads it, too. */
export const INFO_LIST_EQUATES = `
        .equ    EBI_MAGIC, 0x1badb005
        .equ    EBI_COMMAND_LINE, 0
        .equ    EBI_COUNT, 8
        .equ    EBI_ELEMENTS, 16
        .equ    EBI_TYPE, 0
        .equ    EBI_SIZE, 4
        .equ    EBI_MEMORY_RANGE, 1
        .equ    EBI_MODULE, 2
        .equ    EBI_TPM, 7
        .equ    EBI_RANGE_START, 12
        .equ    EBI_RANGE_BYTES, 20
        .equ    EBI_RANGE_TYPE, 28              // 1 = memory, 2 = reserved
        .equ    EBI_RANGE_SIZE, 32
        .equ    EBI_MODULE_TEXT, 12
        .equ    EBI_MODULE_BYTES, 20
        .equ    EBI_MODULE_RANGES, 28
        .equ    EBI_MODULE_PAGE, 32
        .equ    EBI_MODULE_PAGES, 40
        .equ    EBI_MODULE_SIZE, 48
        .equ    EBI_TPM_FLAGS, 12
        .equ    EBI_TPM_BYTES, 16
        .equ    EBI_TPM_LOG, 20                 // {SHA-256, name of 16 bytes} each
        .equ    EBI_LOG_SIZE, 48
        .equ    EBI_MEASURED_V1, 2
`;

/** `make_info` and `relocate_info`: the list is made before its address is known. */
export const INFO_LIST = String.raw`
${INFO_LIST_EQUATES}
// x19 = place in the list.
make_info:
        stp     x29, x30, [sp, #-48]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        ldr     x19, =list_memory
        ldr     x0, =info
        adr     x1, name_info
        stp     x1, xzr, [x0]
        str     x19, [x0, #M_DATA]
        mov     x0, #6                          // 2 ranges, 3 modules, the log
        stp     xzr, x0, [x19], #EBI_ELEMENTS
        // RAM for everybody, and the hypervisor's.
        ldr     x0, =ram_base
        ldr     x0, [x0]
        ldr     x1, =final_place
        ldr     x1, [x1]
        mov     w2, #1
        bl      put_range
        ldr     x0, =final_place
        ldr     x0, [x0]
        ldr     x1, =ram_end
        ldr     x1, [x1]
        mov     w2, #2
        bl      put_range
        ldr     x0, =kernel
        bl      put_info_module
        ldr     x0, =initrd
        bl      put_info_module
        ldr     x0, =tree
        bl      put_info_module
        ldr     x0, =tree
        bl      take_digest
        mov     w0, #EBI_TPM
        str     w0, [x19]
        mov     x0, #(4 * EBI_LOG_SIZE)
        add     x1, x0, #EBI_TPM_LOG
        str     x1, [x19, #EBI_SIZE]
        mov     w1, #EBI_MEASURED_V1
        str     w1, [x19, #EBI_TPM_FLAGS]
        str     w0, [x19, #EBI_TPM_BYTES]
        add     x19, x19, #EBI_TPM_LOG
        ldr     x20, =hypervisor
        mov     x21, #4
1:      ldp     x0, x1, [x20, #M_DIGEST]
        stp     x0, x1, [x19]
        ldp     x0, x1, [x20, #(M_DIGEST + 16)]
        stp     x0, x1, [x19, #16]
        ldr     x0, [x20, #M_NAME]
        add     x1, x19, #32
2:      ldrb    w2, [x0], #1
        strb    w2, [x1], #1
        cbnz    w2, 2b
        add     x19, x19, #EBI_LOG_SIZE
        add     x20, x20, #M_BYTES
        subs    x21, x21, #1
        b.ne    1b
        // Texts, by their offsets as yet.
        ldr     x20, =list_memory
        sub     x0, x19, x20
        str     x0, [x20, #EBI_COMMAND_LINE]
        ldr     x0, =hypervisor
        ldr     x0, [x0, #M_ARGUMENTS]
        bl      put_info_text
        add     x21, x20, #(EBI_ELEMENTS + 2 * EBI_RANGE_SIZE)
        ldr     x22, =kernel
3:      sub     x0, x19, x20
        str     x0, [x21, #EBI_MODULE_TEXT]
        ldr     x0, [x22, #M_NAME]
        bl      put_info_text
        ldr     x1, [x22, #M_ARGUMENTS]
        cbz     x1, 4f
        mov     w0, #' '                        // NAME ARGUMENTS
        strb    w0, [x19, #-1]
        mov     x0, x1
        bl      put_info_text
4:      add     x21, x21, #EBI_MODULE_SIZE
        add     x22, x22, #M_BYTES
        ldr     x0, =info
        cmp     x22, x0
        b.ne    3b
        sub     x1, x19, x20
        str     x1, [x0, #M_SIZE]
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret

put_range:
        mov     w3, #EBI_MEMORY_RANGE
        str     w3, [x19, #EBI_TYPE]
        mov     x3, #EBI_RANGE_SIZE
        str     x3, [x19, #EBI_SIZE]
        sub     x1, x1, x0
        str     x0, [x19, #EBI_RANGE_START]
        str     x1, [x19, #EBI_RANGE_BYTES]
        str     w2, [x19, #EBI_RANGE_TYPE]
        add     x19, x19, #EBI_RANGE_SIZE
        ret

// Module x0: one range of pages.
put_info_module:
        mov     w3, #EBI_MODULE
        str     w3, [x19, #EBI_TYPE]
        mov     x3, #EBI_MODULE_SIZE
        str     x3, [x19, #EBI_SIZE]
        ldr     x1, [x0, #M_SIZE]
        str     x1, [x19, #EBI_MODULE_BYTES]
        mov     w3, #1
        str     w3, [x19, #EBI_MODULE_RANGES]
        ldr     x3, [x0, #M_ADDRESS]
        lsr     x3, x3, #12
        str     x3, [x19, #EBI_MODULE_PAGE]
        add     x1, x1, #4095
        lsr     x1, x1, #12
        str     w1, [x19, #EBI_MODULE_PAGES]
        str     wzr, [x19, #(EBI_MODULE_PAGES + 4)]
        add     x19, x19, #EBI_MODULE_SIZE
        ret

put_info_text:
        ldrb    w1, [x0], #1
        strb    w1, [x19], #1
        cbnz    w1, put_info_text
        ret

// Offsets of texts become addresses, now that module tree stands where it will be.
relocate_info:
        ldr     x0, =list_memory
        ldr     x1, =info
        ldr     x1, [x1, #M_ADDRESS]
        ldr     x2, [x0, #EBI_COMMAND_LINE]
        add     x2, x2, x1
        str     x2, [x0, #EBI_COMMAND_LINE]
        add     x0, x0, #(EBI_ELEMENTS + 2 * EBI_RANGE_SIZE)
        mov     x3, #3
1:      ldr     x2, [x0, #EBI_MODULE_TEXT]
        add     x2, x2, x1
        str     x2, [x0, #EBI_MODULE_TEXT]
        add     x0, x0, #EBI_MODULE_SIZE
        subs    x3, x3, #1
        b.ne    1b
        ret
        .ltorg
`;
