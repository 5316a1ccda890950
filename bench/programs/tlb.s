// TLB-miss storm: a load and a store in each of the pages of SIZE bytes, page after page, a round; their lines differ.
run:    add     x4, x2, x1
        mov     x3, x2
0:      stp     x3, x3, [x3]
        add     x3, x3, #1, lsl #12
        add     x3, x3, #64
        cmp     x3, x4
        b.lo    0b
        mov     x9, #0                          // check sum
1:      mov     x3, x2
        add     x4, x2, x1
2:      ldr     x5, [x3]
        add     x9, x9, x5
        ror     x9, x9, #7
        str     x9, [x3, #8]
        add     x3, x3, #1, lsl #12
        add     x3, x3, #64                     // another cache line of the next page
        cmp     x3, x4
        b.lo    2b
        str     x9, [x2]
        subs    x0, x0, #1
        b.ne    1b
        mov     x0, x9
        ret
