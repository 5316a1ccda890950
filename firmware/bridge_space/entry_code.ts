/** Where firmware enters the loader of bridge-space: as UEFI does or at the first byte; finds memory, and takes the pairs one after the other. */

/** Assembly text, outside the image that is moved. Equates needed: ARENA, ARENA_SIZE, offsets of the parameters. */
export const ENTRY_CODE: string = String.raw`
        .equ    ALLOCATE_PAGES, 40
        .equ    GET_MEMORY_MAP, 56
        .equ    EXIT_BOOT_SERVICES, 232
        .equ    ALLOCATE_ADDRESS, 2
        .equ    LOADER_CODE,    1

// As "go" of U-Boot enters: the memory is ours from ARENA on.
raw_entry:
        sub     sp, sp, #32
        mov     x21, #0
        mov     x22, #0
        ldr     x19, =ARENA
        b       with_arena

// UEFI: x0 = handle, x1 = system table. Memory that is code for the firmware can be executed.
efi_entry:
        sub     sp, sp, #32
        mov     x21, x0
        ldr     x22, [x1, #96]                  // boot services
        mov     x0, #ALLOCATE_ADDRESS
        bl      allocate
        cbz     x0, 1f
        adr     x10, text_no_memory
        bl      put_text
        b       power_off
1:      ldr     x19, [sp, #16]
with_arena:
        ldr     x20, =ARENA_SIZE
        add     x20, x19, x20                   // x19, x20: what is ours; x21 = handle or 0, x22 = boot services
        adrp    x23, parameters
        mov     x11, x23
        adr     x10, text_ready
        bl      put_field
        adr     x10, text_arena
        mov     x11, x19
        bl      put_field
        adr     x10, text_end
        bl      put_text
ready:
        nop                                     // the parameters may be changed up to here
        nop
        nop
        ldr     x24, [x23, #COUNT]
        add     x23, x23, #PAIRS
next_pair:
        cbz     x24, 2f
        bl      take_pair
        cbz     x0, 1f
        adr     x10, text_refused
        mov     x11, x0
        bl      put_field
        adr     x10, text_end
        bl      put_text
1:      add     x23, x23, #PAIR_SIZE
        sub     x24, x24, #1
        b       next_pair
2:      adr     x10, text_done
        bl      put_text
        b       power_off

allocate:
        str     x30, [sp, #8]
        mov     x1, #LOADER_CODE
        ldr     x2, =(ARENA_SIZE / 0x1000)
        ldr     x3, =ARENA
        str     x3, [sp, #16]
        add     x3, sp, #16
        ldr     x9, [x22, #ALLOCATE_PAGES]
        blr     x9
        ldr     x30, [sp, #8]
        ret

// The pair at x23: x0 = 0 or the reason why not.
take_pair:
        str     x30, [sp, #8]
        ldr     x25, [x23]                      // VA_a
        mov     x0, #REASON_MISALIGNED
        tst     x25, #0xfff
        b.ne    3f
        mov     x0, #REASON_PLACE
        ldr     x1, =RESERVED
        add     x1, x1, x19
        cmp     x25, x1
        b.lo    3f
        ldr     x2, =WINDOW
        adds    x2, x2, x25
        b.cs    3f
        cmp     x2, x20
        b.hi    3f
        ldr     x1, [x23, #16]
        tbz     w1, #FLAG_KERNEL, 1f
        bl      take_kernel
        cbnz    x0, 3f
1:      adrp    x1, core
        mov     x0, x25
        ldr     x2, =CORE_SIZE
        bl      copy
        mov     x0, x23
        ldr     x1, =RESERVED
        add     x1, x1, x19
        mov     x2, x20
        ldr     x4, =KERNEL_OFFSET
        add     x4, x4, x19
        ldr     x3, =TREE_OFFSET
        add     x3, x3, x19
        ldr     x9, =(core_main - core)
        add     x9, x9, x25
        blr     x9
3:      ldr     x30, [sp, #8]
        ret

// Puts kernel, initrd and device tree where they are to be, and leaves the firmware: x0 = 0 or why not.
take_kernel:
        str     x30, [sp, #24]
        ldr     x1, =ARENA                      // for which the tree was made
        mov     x0, #REASON_PLACE
        cmp     x1, x19
        b.ne    4f
        adrp    x26, parameters
        ldr     x27, [x26, #PAYLOADS]
        mov     x0, #REASON_NO_KERNEL
        cbz     x27, 4f
        add     x26, x26, #(PAYLOADS + 8)
1:      ldp     x1, x2, [x26]                   // from the start of the file, bytes
        ldr     x0, [x26, #16]                  // where to, from the start of what is ours
        adrp    x9, image
        add     x1, x1, x9
        add     x0, x0, x19
        bl      copy
        add     x26, x26, #24
        sub     x27, x27, #1
        cbnz    x27, 1b
        mov     x0, #0
        cbz     x22, 4f
        ldr     x28, =MAP_OFFSET
        add     x28, x28, x19
        mov     x1, #0x10000
        str     x1, [x28]
        mov     x0, x28
        add     x1, x28, #64
        add     x2, x28, #8
        add     x3, x28, #16
        add     x4, x28, #24
        ldr     x9, [x22, #GET_MEMORY_MAP]
        blr     x9
        cbnz    x0, 3f
        mov     x0, x21
        ldr     x1, [x28, #8]
        ldr     x9, [x22, #EXIT_BOOT_SERVICES]
        blr     x9
        cbz     x0, 4f
3:      mov     x0, #REASON_FIRMWARE
4:      ldr     x30, [sp, #24]
        ret

// Copies x2 bytes, rounded up to 64, from x1 to x0, cleans them to the PoC and lets them be executed. x3 to x12 are lost.
copy:   mrs     x3, ctr_el0
        ubfx    x3, x3, #16, #4
        mov     x12, #4
        lsl     x12, x12, x3                    // bytes of the smallest data cache line
        mov     x11, x0
        add     x2, x2, x0
1:      ldp     x3, x4, [x1]
        ldp     x5, x6, [x1, #16]
        ldp     x7, x8, [x1, #32]
        ldp     x9, x10, [x1, #48]
        stp     x3, x4, [x0]
        stp     x5, x6, [x0, #16]
        stp     x7, x8, [x0, #32]
        stp     x9, x10, [x0, #48]
        add     x1, x1, #64
        add     x0, x0, #64
        cmp     x0, x2
        b.lo    1b
2:      dc      civac, x11
        add     x11, x11, x12
        cmp     x11, x2
        b.lo    2b
        dsb     ish
        ic      iallu
        dsb     ish
        isb
        ret

text_ready:     .asciz  "bridge: parameters at "
text_arena:     .asciz  ", memory from "
text_refused:   .asciz  "bridge: refused, reason "
text_no_memory: .asciz  "bridge: the firmware has no memory there\r\n"
text_done:      .asciz  "bridge: done\r\n"
        .ltorg
`;
