/** Part of the DPU's firmware: BootNext, BootOrder, and an entry's image, which is checked, placed and entered. */
import { FUNCTION } from "../../machine/psci.ts";
import { PARTITION_NODE, RAM_DISK_NODE } from "./boot_entries.ts";
import { BODY, IMAGE_HEADER as AT } from "./image.ts";

/** How often it waits for an image when there is nothing to boot. */
const RESCUES = 40;
const PAGE = 4096;

function nodeHead([type, subtype, length]: readonly [number, number, number]): number {
  return type | subtype << 8 | length << 16;
}

/** `boot`, which begins with BootNext. */
export const BOOT_ENTRIES: string = `boot:   adr     x0, boot_next
        bl      get_variable
        cbnz    x0, 1f
        adr     x0, boot_next                   // once only, whatever comes of it
        mov     x1, xzr
        mov     x2, xzr
        bl      set_variable
        ldr     x0, =VARIABLE
        ldrh    w20, [x0]
        bl      try
1:      adr     x0, boot_order
        bl      get_variable
        cbnz    x0, nothing
        ldr     x0, =ORDER                      // VARIABLE is used again
        ldr     x2, =VARIABLE
        mov     x21, x0
        add     x22, x0, x1
        mov     x1, x2
        ldr     x2, =VARIABLE_SIZE
        ldr     x2, [x2]
        cbz     x2, nothing
        bl      copy
2:      cmp     x21, x22
        b.hs    nothing
        ldrh    w20, [x21], #2
        bl      try
        b       2b
nothing:
        adr     x0, text_nothing
        bl      print
        mov     w23, #${RESCUES}
1:      mov     w0, #MESSAGE_STRANDED
        bl      compose
        ldr     x1, =RAM_DISK_SIZE
        str     x1, [x0, #AT_SIZE]
        bl      transmit
        bl      listen
        cmp     w0, #MESSAGE_OFFER
        b.eq    offered
        subs    w23, w23, #1
        b.ne    1b
        ldr     x0, =${FUNCTION.SYSTEM_OFF}
        smc     #0
        b       .

// The number w0 in the name of its entry.
name_entry:
        adr     x1, digits
        ldr     x2, =BOOT_NAME
        ldr     x3, =BOOT_NAME + 8
        adr     x4, boot_prefix
        ldr     x5, [x4]
        str     x5, [x2]
        mov     w2, #12
1:      lsr     w5, w0, w2
        and     w5, w5, #15
        ldrb    w5, [x1, x5]
        strh    w5, [x3], #2
        subs    w2, w2, #4
        b.pl    1b
        strh    wzr, [x3]
        ret

// Boots entry w20, or comes back.
try:    stp     x29, x30, [sp, #-16]!
        mov     w0, w20
        bl      name_entry
        ldr     x0, =BOOT_NAME
        bl      get_variable
        cbnz    x0, 9f
        cmp     x1, #${6 + 2 + PARTITION_NODE[2]}
        b.lo    9f
        ldr     x0, =VARIABLE
        add     x3, x0, x1                      // its end
        ldr     w1, [x0], #6                    // Attributes; FilePathListLength is not needed
        tbz     w1, #0, 9f                      // LOAD_OPTION_ACTIVE
1:      ldrh    w1, [x0], #2                    // the description
        cbz     w1, 2f
        cmp     x0, x3
        b.lo    1b
        b       9f
2:      ldr     x25, =RAM_DISK
        ldr     x1, =BOOT_NODE                  // where it can be read by words
        mov     x2, #${PARTITION_NODE[2]}
3:      ldrb    w3, [x0], #1
        strb    w3, [x1], #1
        subs    x2, x2, #1
        b.ne    3b
        ldr     x0, =BOOT_NODE
        ldr     w1, [x0]
        ldr     w2, =${nodeHead(RAM_DISK_NODE)}
        cmp     w1, w2
        b.eq    ram_disk
        ldr     w2, =${nodeHead(PARTITION_NODE)}
        cmp     w1, w2
        b.ne    9f
        ldr     x26, [x0, #8]                   // its first sector
        ldr     x27, [x0, #16]                  // and how many
        mov     w19, #1
        cbnz    w28, 3f
        bl      nvme_init
        cbnz    x0, damaged
        mov     w28, #1
3:      mov     x0, #2
        mov     x1, x26
        mov     x2, x25
        mov     x3, #${PAGE}
        bl      nvme_transfer
        cbnz    x0, damaged
        bl      is_image
        b.ne    damaged
        ldr     x3, [x25, #${AT.SIZE}]
        cmp     x3, x27, lsl #9
        b.hi    damaged
        mov     x0, #2
        mov     x1, x26
        mov     x2, x25
        bl      nvme_transfer
        cbnz    x0, damaged
        b       check
ram_disk:
        mov     w19, #0
        ldp     w0, w1, [x0, #4]
        orr     x0, x0, x1, lsl #32
        cmp     x0, x25
        b.ne    damaged
check:  bl      is_image
        b.ne    damaged
        add     x0, x25, #${BODY >> 12}, lsl #12
        ldr     x1, [x25, #${AT.SIZE}]
        sub     x1, x1, #${BODY >> 12}, lsl #12
        bl      sha256
        ldr     x0, =DIGEST
        add     x1, x25, #${AT.DIGEST}
        bl      equal_digests
        b.eq    enter
damaged:
        adr     x0, text_damaged
        bl      print
        mov     w0, w20
        bl      print_number
        adr     x0, text_end
        bl      print
9:      ldp     x29, x30, [sp], #16
        ret

// Enters the image at x25, of the volatile disk (w19 = 0) or not.
enter:  adr     x0, text_booting
        bl      print
        mov     w0, w20
        bl      print_number
        adr     x0, text_end
        bl      print
        mov     w0, #MESSAGE_BOOTING
        bl      compose
        str     w19, [x0, #AT_CODE]
        str     w20, [x0, #AT_FLAGS]
        ldr     w1, [x25, #${AT.VERSION}]
        str     w1, [x0, #AT_VERSION]
        bl      transmit
        ldr     x21, [x25, #${AT.ENTRY}]
        add     x22, x25, #${AT.TABLE}
        ldr     w23, [x25, #${AT.SEGMENTS}]
1:      cbz     w23, 2f
        ldp     x1, x0, [x22], #16
        ldr     x2, [x22], #8
        add     x1, x25, x1
        sub     w23, w23, #1
        cbz     x2, 1b
        bl      copy
        b       1b
2:      cbz     w19, 4f
        mov     x0, x25                         // what was read is no volatile disk
        ldr     x1, =RAM_DISK_SIZE
        add     x1, x0, x1
3:      stp     xzr, xzr, [x0], #16
        cmp     x0, x1
        b.lo    3b
        mov     x25, xzr
4:      dsb     sy
        ic      iallu
        dsb     sy
        isb
        mov     x0, x25
        mov     w1, w20
        mov     x2, xzr
        mov     x3, xzr
        br      x21
        .ltorg
`;
