/** The management hypervisor tells the list that it was given, and its last words. */

/** `tell_info`, which finds the guest in the list; `stop`, and the texts. */
export const MANAGEMENT_LIST = String.raw`
// Prints the list, and finds the guest in it. x20 = element, x21 = elements left.
tell_info:
        stp     x29, x30, [sp, #-16]!
        adr     x0, text_list
        bl      put_text
        mov     x0, x19
        bl      put_hex
        adr     x0, text_command_line
        bl      put_text
        ldr     x0, [x19, #EBI_COMMAND_LINE]
        bl      put_text
        bl      end_line
        ldr     x21, [x19, #EBI_COUNT]
        add     x20, x19, #EBI_ELEMENTS
1:      cbz     x21, 5f
        ldr     w0, [x20, #EBI_TYPE]
        cmp     w0, #EBI_MEMORY_RANGE
        b.eq    2f
        cmp     w0, #EBI_MODULE
        b.eq    3f
        cmp     w0, #EBI_TPM
        b.eq    4f
9:      ldp     w0, w1, [x20, #EBI_SIZE]        // fields are aligned to words only
        add     x0, x0, x1, lsl #32
        add     x20, x20, x0
        sub     x21, x21, #1
        b       1b
2:      adr     x0, text_range
        bl      put_text
        ldp     w0, w1, [x20, #EBI_RANGE_START]
        add     x0, x0, x1, lsl #32
        bl      put_hex
        bl      put_space
        ldp     w0, w1, [x20, #EBI_RANGE_BYTES]
        add     x0, x0, x1, lsl #32
        bl      put_hex
        ldr     w0, [x20, #EBI_RANGE_TYPE]
        cmp     w0, #1
        adr     x0, text_memory
        adr     x1, text_reserved
        csel    x0, x0, x1, eq
        bl      put_text
        b       9b
3:      bl      tell_module
        b       9b
4:      bl      tell_log
        b       9b
5:      adrp    x0, guest_entry
        add     x0, x0, :lo12:guest_entry
        ldp     x1, x2, [x0]
        cmp     x1, #0
        ccmp    x2, #0, #4, ne
        adr     x0, text_no_guest
        b.eq    stop
        ldp     x29, x30, [sp], #16
        ret

tell_module:
        stp     x29, x30, [sp, #-32]!
        stp     x22, x23, [sp, #16]
        adr     x0, text_module
        bl      put_text
        ldp     w22, w1, [x20, #EBI_MODULE_PAGE]
        add     x22, x22, x1, lsl #32
        lsl     x22, x22, #12
        mov     x0, x22
        bl      put_hex
        bl      put_space
        ldp     w0, w1, [x20, #EBI_MODULE_BYTES]
        add     x0, x0, x1, lsl #32
        bl      put_hex
        bl      put_space
        ldp     w23, w1, [x20, #EBI_MODULE_TEXT]
        add     x23, x23, x1, lsl #32
        mov     x0, x23
        bl      put_text
        bl      end_line
        ldrb    w0, [x23]                       // kernel, initrd, tree
        adrp    x1, guest_entry
        add     x1, x1, :lo12:guest_entry
        cmp     w0, #'k'
        b.ne    1f
        str     x22, [x1]
1:      cmp     w0, #'t'
        b.ne    2f
        str     x22, [x1, #8]
2:      ldp     x22, x23, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

tell_log:
        stp     x29, x30, [sp, #-48]!
        stp     x22, x23, [sp, #16]
        str     x24, [sp, #32]
        ldr     w22, [x20, #EBI_TPM_BYTES]
        add     x23, x20, #EBI_TPM_LOG
1:      cbz     w22, 3f
        adr     x0, text_log
        bl      put_text
        add     x0, x23, #32
        bl      put_text
        mov     x24, #4
2:      bl      put_space
        ldp     w0, w1, [x23], #8
        add     x0, x0, x1, lsl #32
        rev     x0, x0
        bl      put_hex
        subs    x24, x24, #1
        b.ne    2b
        bl      end_line
        add     x23, x23, #(EBI_LOG_SIZE - 32)
        sub     w22, w22, #EBI_LOG_SIZE
        b       1b
3:      ldp     x22, x23, [sp, #16]
        ldr     x24, [sp, #32]
        ldp     x29, x30, [sp], #48
        ret

end_line:
        mov     w0, #'\n'
        strb    w0, [x26]
        ret
put_space:
        mov     w0, #' '
        strb    w0, [x26]
        ret

// Says x0 and resets the machine.
stop:   mov     x20, x0
        adr     x0, text_stopped
        bl      put_text
        mov     x0, x20
        bl      put_text
        bl      end_line
        ldr     w0, =SYSTEM_RESET
        smc     #0
1:      wfi
        b       1b
        .ltorg
text_list:      .asciz "management: list at "
text_command_line: .asciz ", command line "
text_range:     .asciz "management: range "
text_memory:    .asciz " memory\n"
text_reserved:  .asciz " reserved\n"
text_module:    .asciz "management: module "
text_log:       .asciz "management: measured "
text_cpu:       .asciz "management: CPU "
text_parked:    .asciz " is at EL2\n"
text_adopted:   .asciz " is adopted\n"
text_guest:     .asciz "management: guest at EL1, "
text_stopped:   .asciz "management: stopped: "
text_no_info:   .asciz "X0 is not the magic number of ESXBootInfo"
text_no_el2:    .asciz "not at EL2"
text_no_guest:  .asciz "no modules kernel and tree"
        .balign 8
`;
