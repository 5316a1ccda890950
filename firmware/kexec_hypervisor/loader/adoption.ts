/** The loader's other way: the running kernel becomes a guest as it is, and comes back. */
import { HOST_MODULE_MARK } from "../host_module.ts";
import { MANAGEMENT_RELEASE } from "../management/program.ts";

/** `adopt` and `release`. x19 = arguments left, x20 = where they are. */
export const ADOPTION = String.raw`
        .equ    HVC_SOFT_RESTART, 1
        .equ    RELEASE, 0x${MANAGEMENT_RELEASE.toString(16)}
        .equ    LIST_AT, 0x1ff000               // in the hypervisor's 2 MiB

adopt:  cmp     x19, #2
        b.ne    usage
        bl      check_level
        ldr     x0, =hypervisor
        adr     x1, name_hypervisor
        ldr     x2, [x20]
        adr     x3, text_empty
        bl      open_module
        bl      check_elf
        ldr     x0, =hypervisor
        bl      take_digest
        bl      read_tree
        ldr     x0, =hypervisor
        ldr     x21, [x0, #M_WANTED]
        ldr     x1, =final_place
        str     x21, [x1]
        ldr     x2, =final_size
        ldr     x2, [x2]
        ldr     x3, =LIST_AT
        ldr     x4, =(MEGABYTES_2 - 1)
        tst     x21, x4
        ccmp    x21, #0, #4, eq
        ccmp    x2, x3, #2, ne
        adr     x0, text_place
        b.hi    fail
        adr     x1, path_memory_device
        mov     x0, #-100
        ldr     x2, =0x101002                   // O_RDWR, O_SYNC
        mov     x3, xzr
        mov     x8, #SYS_OPENAT
        svc     #0
        adr     x1, text_dev_mem
        tbnz    x0, #63, fail_errno
        mov     x4, x0
        mov     x0, xzr
        ldr     x1, =MEGABYTES_2
        mov     x2, #3
        mov     x3, #1                          // MAP_SHARED
        mov     x5, x21
        mov     x8, #SYS_MMAP
        svc     #0
        adr     x1, text_dev_mem
        tbnz    x0, #63, fail_errno
        mov     x22, x0
        // Zeros, the segments, and the list at the end.
        ldr     x1, =MEGABYTES_2
1:      str     xzr, [x0], #8
        subs    x1, x1, #8
        b.ne    1b
        ldr     x2, =hypervisor
        ldr     x2, [x2, #M_DATA]
        ldr     x3, [x2, #32]
        add     x3, x3, x2
        ldrh    w4, [x2, #56]
        ldr     x5, =lowest
        ldr     x5, [x5]
2:      ldr     w6, [x3]
        cmp     w6, #1
        b.ne    4f
        ldr     x6, [x3, #8]
        add     x6, x6, x2
        ldr     x7, [x3, #24]
        sub     x7, x7, x5
        add     x7, x7, x22
        ldr     x8, [x3, #32]
3:      cbz     x8, 4f
        ldrb    w9, [x6], #1
        strb    w9, [x7], #1
        sub     x8, x8, #1
        b       3b
4:      add     x3, x3, #56
        subs    w4, w4, #1
        b.ne    2b
        ldr     x19, =list_memory               // /dev/mem gives Device memory: no unaligned stores there
        mov     x0, #3
        stp     xzr, x0, [x19], #EBI_ELEMENTS
        ldr     x0, =ram_base
        ldr     x0, [x0]
        mov     x1, x21
        mov     w2, #1
        bl      put_range
        mov     x0, x21
        ldr     x1, =MEGABYTES_2
        add     x1, x1, x0
        mov     w2, #2
        bl      put_range
        ldr     x0, =MEGABYTES_2
        add     x0, x0, x21
        ldr     x1, =ram_end
        ldr     x1, [x1]
        mov     w2, #1
        bl      put_range
        ldr     x0, =list_memory
        ldr     x1, =LIST_AT
        add     x1, x1, x22
        mov     x2, #((EBI_ELEMENTS + 3 * EBI_RANGE_SIZE) / 8)
5:      ldr     x3, [x0], #8
        str     x3, [x1], #8
        subs    x2, x2, #1
        b.ne    5b
        dsb     sy
        ldr     x2, =hypervisor
        ldr     x3, [x2, #M_DATA]
        ldr     x3, [x3, #24]
        sub     x3, x3, x5
        add     x3, x3, x21
        add     x24, x3, #4                     // adopt, behind the entry
        ldr     x25, =LIST_AT
        add     x25, x25, x21
        mov     x23, #HVC_SOFT_RESTART
        ldr     x2, [x20, #8]
        adr     x28, text_adopted
        b       on_all

release:
        cmp     x19, #1
        b.ne    usage
        ldr     w23, =RELEASE
        mov     x24, xzr
        mov     x25, xzr
        ldr     x2, [x20]
        adr     x28, text_released

// Loads the module x2 on each CPU, with x23 to x25 in it; x28 = what to say then.
on_all: ldr     x0, =host_module
        adr     x1, name_module
        mov     x3, xzr
        bl      open_module
        ldr     x0, =host_module
        ldr     x1, [x0, #M_DATA]
        ldr     x26, [x0, #M_SIZE]
        ldr     x2, =TEXT_MOST
        cmp     x26, x2
        adr     x1, text_no_mark
        b.hs    fail_module
        ldr     x1, [x0, #M_DATA]
        ldr     x2, =text_memory
        mov     x3, x26
1:      ldrb    w4, [x1], #1
        strb    w4, [x2], #1
        subs    x3, x3, #1
        b.ne    1b
        ldr     x2, =text_memory
        sub     x3, x26, #32
        add     x3, x3, x2
        adr     x4, mark
        ldr     x4, [x4]
        adr     x1, text_no_mark
2:      cmp     x2, x3
        b.hi    fail_module
        ldr     x5, [x2], #8
        cmp     x5, x4
        b.ne    2b
        stp     x23, x24, [x2]
        str     x25, [x2, #16]
        mov     x27, xzr
3:      mov     x0, #1
        lsl     x0, x0, x27
        ldr     x2, =cpu_mask
        str     x0, [x2]
        mov     x0, xzr
        mov     x1, #8
        mov     x8, #SYS_SCHED_SETAFFINITY
        svc     #0
        tbnz    x0, #63, 4f                     // there is no such CPU
        ldr     x0, =text_memory
        mov     x1, x26
        adr     x2, text_empty
        mov     x8, #SYS_INIT_MODULE
        svc     #0
        cmn     x0, #11                         // EAGAIN: done
        adr     x1, text_module
        b.ne    fail_errno
        add     x27, x27, #1
        cmp     x27, #8
        b.lo    3b
4:      mov     x0, x28
        bl      say
        mov     x0, x27
        bl      say_hex
        bl      end_line
        mov     x0, xzr
        b       exit
        .ltorg
        .balign 8
mark:   .ascii  "${HOST_MODULE_MARK}"
text_empty:
        .asciz  ""
        .balign 8
`;
