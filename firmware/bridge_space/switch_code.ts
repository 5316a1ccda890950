/**
 * The switch code of bridge-space: what is mapped twice in the intermediate space S3. A page that changes address spaces,
 * and a page with emergency vectors, which print the syndrome of an abort that nobody expects there.
 */

/** Bytes of the switch code: two copies nearer than this would overlap. */
export const SWITCH_SPAN = 0x2000;

/**
 * Assembly text; its first byte must be at a multiple of 4 KiB. `switch_elN` with x0 = root of S3, x1 = root of the space
 * to be reached, x2 = delta: returns at its caller's address plus delta, in the space x1. Exceptions must be masked and
 * the vectors be those below; x3 and x4 are lost; no stack and no data is touched.
 */
export const SWITCH_CODE: string = String.raw`
        .equ    UART,           0x09000000
        .equ    UART_FR,        0x18
        .equ    PSCI_OFF,       0x84000008

        .macro  switch_routine el, flush
switch_el\el:
        mov     x3, x30
write_bridge_el\el:
        msr     ttbr0_el\el, x0                 // S3: this page is here twice
        isb
first_tlbi_el\el:
        tlbi    \flush
        dsb     nsh
        isb
        adr     x4, landing_el\el
        add     x4, x4, x2
hop_el\el:
        br      x4
landing_el\el:
        adr     x4, vectors                     // at the other copy
move_vectors_el\el:
        msr     vbar_el\el, x4
        isb
write_target_el\el:
        msr     ttbr0_el\el, x1
        isb
second_tlbi_el\el:
        tlbi    \flush
        dsb     nsh
        isb
        add     x3, x3, x2
        br      x3

// Two bridges: x0 = first intermediate space, x1 = second, x2 = delta of the first; x5 = the space to be reached, x6 =
// delta of the second. x7 is lost too.
switch_twice_el\el:
        mov     x7, x30
        bl      switch_el\el
        add     x30, x7, x2                     // at the copy in the middle, in the second intermediate space
        mov     x0, x1
        mov     x1, x5
        mov     x2, x6
        b       switch_el\el
        .endm

        switch_routine 1, vmalle1
        switch_routine 2, alle2

// The same for the level x23.
switch_spaces:
        cmp     x23, #2
        b.eq    switch_el2
        b       switch_el1
switch_spaces_twice:
        cmp     x23, #2
        b.eq    switch_twice_el2
        b       switch_twice_el1
        .org    switch_code_base + 0x1000

vectors:
        .rept   16
        b       emergency
        .balign 128
        .endr

// No stack, and no data but this page: the syndrome goes out on the UART, then the machine goes off.
emergency:
        mrs     x9, currentel
        cmp     x9, #8
        b.eq    1f
        mrs     x5, esr_el1
        mrs     x6, elr_el1
        mrs     x7, far_el1
        mrs     x8, ttbr0_el1
        b       2f
1:      mrs     x5, esr_el2
        mrs     x6, elr_el2
        mrs     x7, far_el2
        mrs     x8, ttbr0_el2
2:      adr     x10, text_emergency
        mov     x11, x5
        bl      put_field
        adr     x10, text_elr
        mov     x11, x6
        bl      put_field
        adr     x10, text_far
        mov     x11, x7
        bl      put_field
        adr     x10, text_ttbr
        mov     x11, x8
        bl      put_field
        adr     x10, text_end
        bl      put_text
power_off:
        mov     w0, #(PSCI_OFF & 0xffff)
        movk    w0, #(PSCI_OFF >> 16), lsl #16
        mrs     x9, currentel
        cmp     x9, #8
        b.eq    1f
        hvc     #0
1:      smc     #0
        b       .

// Prints the text at x10, then x11 in hexadecimal. x9 to x16 are lost; no stack.
put_field:
        mov     x16, x30
        bl      put_text
        mov     x12, #60
1:      lsr     x13, x11, x12
        and     x13, x13, #15
        add     x15, x13, #'0'
        add     x14, x13, #('a' - 10)
        cmp     x13, #10
        csel    x13, x15, x14, lo
        bl      put_byte
        subs    x12, x12, #4
        b.pl    1b
        br      x16

// Prints the zero-terminated text at x10. x9, x13 to x15 are lost.
put_text:
        mov     x15, x30
1:      ldrb    w13, [x10], #1
        cbz     w13, 2f
        bl      put_byte
        b       1b
2:      br      x15

// Prints the character in w13. x9 and x14 are lost.
put_byte:
        mov     x9, #UART
1:      ldr     w14, [x9, #UART_FR]
        tbnz    w14, #5, 1b                     // the transmitter is full
        strb    w13, [x9]
        ret

text_emergency: .asciz  "bridge: emergency esr="
text_elr:       .asciz  " elr="
text_far:       .asciz  " far="
text_ttbr:      .asciz  " ttbr0="
text_end:       .asciz  "\r\n"
        .org    switch_code_base + 0x2000
`;
