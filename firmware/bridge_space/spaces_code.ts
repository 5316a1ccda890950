/** Guest code that builds the spaces of a bridge: S2, S3 and, where one bridge would overlap, S4. */

/**
 * Assembly text, for the image of `core_code.ts`; it takes the loaders' `map_range`. x19 = the image, x20 = its record,
 * x23 = level, x24 = bits of a virtual address, x27 = VA_c or 0. Each routine gives x0 = 0 or the reason why not.
 */
export const SPACES_CODE: string = String.raw`
// Tables of all spaces: x0 = 0 or why not. x21 and x22 = attributes of the image and of the UART, x25 = free tables.
build_spaces:
        stp     x29, x30, [sp, #-32]!
        stp     x21, x22, [sp, #16]
        ldr     x25, =CORE_SIZE
        add     x25, x19, x25
        ldr     x21, =IMAGE_ATTRIBUTES_1
        ldr     x22, =DEVICE_ATTRIBUTES_1
        ldr     x1, =IMAGE_ATTRIBUTES_2
        ldr     x2, =DEVICE_ATTRIBUTES_2
        cmp     x23, #2
        csel    x21, x1, x21, eq
        csel    x22, x2, x22, eq
        mov     w1, #0xff
        ldr     x2, [x20, #MAIR]
        bl      attribute_index
        orr     x21, x21, x0, lsl #2
        mov     x4, x0
        mov     w1, #0x00
        ldr     x2, [x20, #MAIR]
        bl      attribute_index
        orr     x22, x22, x0, lsl #2
        orr     x1, x0, x4
        mov     x0, #REASON_ATTRIBUTES
        tbnz    w1, #3, built
        bl      build_target
        cbnz    x0, built
        ldp     x1, x2, [x20, #VA_A]
        cbnz    x27, 1f
        bl      build_bridge
        cbnz    x0, built
        str     x1, [x20, #S3]
        b       built
1:      mov     x2, x27
        bl      build_bridge
        cbnz    x0, built
        str     x1, [x20, #S3]
        mov     x1, x27
        ldr     x2, [x20, #VA_B]
        bl      build_bridge
        cbnz    x0, built
        str     x1, [x20, #S4]
built:  dsb     ishst
        isb
        ldp     x21, x22, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

// A space with the switch code at x1 and x2: x0 = 0 and x1 = its root, or x0 = why not.
build_bridge:
        stp     x29, x30, [sp, #-32]!
        stp     x1, x2, [sp, #16]
        bl      begin_space
        cbnz    x0, 1f
        ldr     x1, [sp, #16]
        mov     x2, x19
        mov     x3, #SWITCH_SPAN
        bl      map_code
        cbnz    x0, 1f
        ldr     x1, [sp, #24]
map_second:
        mov     x2, x19
second_size:
        mov     x3, #SWITCH_SPAN
        bl      map_code
        cbnz    x0, 1f
        bl      map_uart
1:      ldp     x29, x30, [sp], #32
        ret

// S2: the image at VA_b, and the UART. x0 = 0 or why not.
build_target:
        stp     x29, x30, [sp, #-16]!
        bl      begin_space
        cbnz    x0, 1f
        ldr     x1, [x20, #VA_B]
        mov     x2, x19
        ldr     x3, =CORE_SIZE
        bl      map_code
        cbnz    x0, 1f
        bl      map_uart
        str     x1, [x20, #S2]
1:      ldp     x29, x30, [sp], #16
        ret

// The steps of building: x0 = 0 or why not. They use no stack; x29 is lost.
begin_space:
        mov     x29, x30
        adr     x0, tables
        mov     x1, #12
        str     x1, [x0, #TABLES_GRANULE]
        sub     x3, x24, #13                    // the first level resolves the bits from 12 + 9 n on
        mov     x2, #9
        udiv    x3, x3, x2
        mul     x3, x3, x2
        add     x3, x3, #12
        mov     x4, #30
        stp     x3, x4, [x0, #TABLES_START]
        str     xzr, [x0, #TABLES_ACCESS]
        mov     x1, x25
        ldr     x2, =CORE_SIZE
        add     x2, x2, x19
        add     x2, x2, #TABLE_PAGES, lsl #12
        sub     x2, x2, x25
        lsr     x2, x2, #12
        bl      tables_begin
        adr     x0, tables
        ldr     x1, [x0, #TABLES_ROOT]
        cmp     x1, #0
        mov     x0, #REASON_TABLE_SPACE
        csel    x0, x0, xzr, eq
        br      x29

// x3 bytes of the image from x2 on, at x1.
map_code:
        mov     x4, x21
        b       map_pages
// The UART where it is; x1 = root of the finished space, behind whose tables the next one begins.
map_uart:
        mov     x1, #UART
        mov     x2, x1
        mov     x3, #0x1000
        mov     x4, x22
map_pages:
        mov     x29, x30
        adr     x0, tables
        bl      map_range
        add     x1, x0, #(REASON_TABLE_SPACE - 1)
        cmp     x0, #0
        csel    x0, x1, xzr, ne
        adr     x2, tables
        ldr     x1, [x2, #TABLES_ROOT]
        ldr     x25, [x2, #TABLES_NEXT]
        br      x29

// The index of the attribute byte w1 in the MAIR x2: x0; 8 when there is none. x3 is lost.
attribute_index:
        mov     x0, #0
1:      and     x3, x2, #0xff
        cmp     x3, x1
        b.eq    2f
        lsr     x2, x2, #8
        add     x0, x0, #1
        cmp     x0, #8
        b.lo    1b
2:      ret
`;
