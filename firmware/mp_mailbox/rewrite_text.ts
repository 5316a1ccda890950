/** The loader writes the device tree that the operating system gets, as assembly: token by token from the one it found. */
import type { Source } from "../../machine/a64/program.ts";
import { type Writing, WRITINGS } from "./rewrite_protocols_text.ts";

/** Names that are put behind the tree's own strings; where each is among them is an equate ADDED_…. */
export const ADDED_NAMES = ["enable-method", "cpu-release-addr", "status", "bootargs", "method"] as const;

/** The added names as they are in the block. */
export const ADDED_STRINGS: string = ADDED_NAMES.map((name) => `${name}\0`).join("");

const OFFSETS = ADDED_NAMES.map((name) =>
  `        .equ    ADDED_${name.replaceAll("-", "_").toUpperCase()}, ${ADDED_STRINGS.indexOf(`${name}\0`)}\n`
).join("");

/** What a node is when it is copied. */
const EQUATES = `
        .equ    COPY_PLAIN, 0
        .equ    COPY_BOOT, 1                    // the boot CPU: nothing has to enable it
        .equ    COPY_PARKED, 2
        .equ    COPY_DEAD, 3
        .equ    COPY_CHOSEN, 4                  // for one CPU: the command line says so
        .equ    COPY_PSCI, 5                    // called by HVC from now on
        .equ    ADDED_SIZE, ${ADDED_STRINGS.length}
${OFFSETS}`;

/** The reservations of the tree that is read. */
const RESERVATIONS = `
// Writes the tree at x19, which was read, to tree_copy. x0 = 1: for one CPU only, 0: as the cores have it. x0 = the copy.
write_tree:
        stp     x29, x30, [sp, #-16]!
        mov     x27, x0
        adr     x9, tree_copy
        add     x9, x9, #FDT_HEADER             // x9: where it goes on
        ldr     w1, [x19, #16]                  // reservations, and that of the mailboxes
        rev     w1, w1
        add     x1, x19, x1
1:      ldp     x2, x3, [x1], #16
        orr     x4, x2, x3
        cbz     x4, 2f
        stp     x2, x3, [x9], #16
        b       1b
2:      cbnz    x27, 3f
`;

/** One more, then tokens in turn; nodes are told apart. */
const TOKENS = `        rev     x2, x2
        rev     x3, x3
        stp     x2, x3, [x9], #16
3:      stp     xzr, xzr, [x9], #16
        mov     x25, x9                         // x25: the copy's structure
        ldr     x20, [x28, #VARS_STRUCT]
        mov     x24, #COPY_PLAIN
write_token:
        ldr     w1, [x20]
        rev     w0, w1
        cmp     w0, #FDT_NOP
        b.eq    write_nothing
        cmp     w0, #FDT_BEGIN
        b.eq    write_begin
        cmp     w0, #FDT_PROPERTY
        b.eq    write_property
        str     w1, [x9], #4
        add     x20, x20, #4
        mov     x24, #COPY_PLAIN
        cmp     w0, #FDT_END
        b.ne    write_token
        b       write_strings
write_nothing:
        add     x20, x20, #4
        b       write_token

write_begin:
        ldr     x0, [x28, #VARS_STRUCT]
        sub     x0, x20, x0
        bl      copy_kind
        ldr     w1, [x20], #4
        str     w1, [x9], #4
1:      ldr     w1, [x20], #4                   // the name, in words
        str     w1, [x9], #4
        mov     w2, #0x01010101
        sub     w3, w1, w2
        bic     w3, w3, w1
        tst     w3, w2, lsl #7                  // has the word a zero byte?
        b.eq    1b
`;

/** The other kinds of nodes that are written another way. */
const NODES = `        cmp     x24, #COPY_PARKED
        b.eq    write_parked
        cmp     x24, #COPY_DEAD
        b.eq    write_dead
        cmp     x24, #COPY_PSCI
        b.eq    write_psci
        cmp     x24, #COPY_CHOSEN
        b.ne    write_token
        ldr     x0, [x28, #VARS_BOOTARGS]
        cbnz    x0, write_token                 // to be made longer when it comes
        mov     x0, #6
        mov     x1, #ADDED_BOOTARGS
        bl      put_property
        adr     x0, text_nosmp
        add     x0, x0, #1
        mov     x1, #6
        bl      put_bytes
        b       write_token

`;

/** Properties, strings, and the header. */
const PROPERTIES = `
write_dead:
        mov     x0, #5
        mov     x1, #ADDED_STATUS
        bl      put_property
        adr     x0, name_fail
        mov     x1, #5
        bl      put_bytes
        b       write_token

write_property:
        ldp     w5, w6, [x20, #4]
        rev     w5, w5
        rev     w6, w6
        add     x6, x22, x6                     // its name
        add     x7, x20, #12
        add     x8, x5, #3
        and     x8, x8, #~3
        add     x20, x7, x8
        cbz     x24, write_whole
        adr     x4, omitted_names
1:      ldrb    w0, [x4], #1                    // kind and name
        cbz     w0, write_whole
        cmp     w0, w24
        b.ne    2f
        mov     x0, x6
        mov     x1, x4
        bl      text_equals
        b.eq    3f
2:      ldrb    w0, [x4], #1
        cbnz    w0, 2b
        b       1b
3:      cmp     x24, #COPY_CHOSEN
        b.ne    write_token
        mov     x4, x5                          // the command line, longer
        subs    x4, x4, #1
        csel    x4, xzr, x4, mi                 // without its last byte
        add     x0, x4, #7
        mov     x1, #ADDED_BOOTARGS
        bl      put_property
        mov     x0, x7
        mov     x1, x4
        bl      put_part
        adr     x0, text_nosmp
        mov     x1, #7
        bl      put_bytes
        b       write_token
write_whole:
        sub     x0, x7, #12
        add     x1, x8, #12
        bl      put_bytes
        b       write_token

write_strings:
        sub     x10, x9, x25                    // size of the structure
        adr     x11, tree_copy
        sub     x12, x9, x11                    // offset of the strings
        mov     x0, x22
        sub     x1, x23, x22
        bl      put_part
        adr     x0, added_strings
        mov     x1, #ADDED_SIZE
        bl      put_part
        sub     x13, x9, x11
        sub     x14, x13, x12                   // size of the strings
        sub     x15, x25, x11                   // offset of the structure
        ldr     w0, [x19]
        rev     w1, w13
        stp     w0, w1, [x11]
        rev     w0, w15
        rev     w1, w12
        stp     w0, w1, [x11, #8]
        mov     w0, #FDT_HEADER
        rev     w0, w0
        mov     w1, #FDT_VERSION
        rev     w1, w1
        stp     w0, w1, [x11, #16]
        mov     w0, #(FDT_VERSION - 1)
        rev     w0, w0
        ldr     w1, [x19, #28]                  // boot_cpuid_phys
        stp     w0, w1, [x11, #24]
        rev     w0, w14
        rev     w1, w10
        stp     w0, w1, [x11, #32]
        mov     x0, x11
        ldr     x26, =UART
        ldp     x29, x30, [sp], #16
        ret

// x24 = what the node at the offset x0 is; x26 = its core. Changes x1 to x3.
copy_kind:
        mov     x24, #COPY_PLAIN
        cbnz    x27, 3f
        ldr     x1, [x28, #VARS_CORES]
        add     x26, x28, #VARS_CORE
1:      cbz     x1, 4f
        ldr     x2, [x26, #CORE_PLACE]
        ldr     w3, [x26, #CORE_KIND]
        cmp     x2, x0
        csel    x24, x3, x24, eq
        b.eq    2f
        add     x26, x26, #CORE_SIZE
        sub     x1, x1, #1
        b       1b
2:      ret
`;

/** What all of it uses. */
const PUTTING = `
        ret
3:      ldr     x1, [x28, #VARS_CHOSEN]
        sub     x1, x1, #1
        cmp     x1, x0
        mov     x2, #COPY_CHOSEN
        csel    x24, x2, x24, eq
        ret

// The head of a property of x0 bytes with the added name x1. Changes x0 to x2.
put_property:
        mov     w2, #FDT_PROPERTY
        rev     w2, w2
        rev     w0, w0
        stp     w2, w0, [x9], #8
        sub     x2, x23, x22
        add     x1, x1, x2
        rev     w1, w1
        str     w1, [x9], #4
        ret

// Copies x1 bytes from x0 on; put_bytes fills up with zeros to a multiple of 4. Changes x0 to x2.
put_part:
        cbz     x1, 2f
1:      ldrb    w2, [x0], #1
        strb    w2, [x9], #1
        subs    x1, x1, #1
        b.ne    1b
2:      ret
put_bytes:
        mov     x3, x30
        bl      put_part
        mov     x30, x3
1:      tst     x9, #3
        b.eq    2f
        strb    wzr, [x9], #1
        b       1b
2:      ret
`;

function copy({ reservation, boot, parked, psci }: Writing): string {
  return [RESERVATIONS, reservation, TOKENS, boot, NODES, parked, PROPERTIES, `4:      ${psci}`, PUTTING]
    .join("");
}

const TEXTS = `
        .rodata
text_spin_table: .asciz "spin-table"
text_nosmp:      .asciz " nosmp"
added_strings:
${ADDED_NAMES.map((name) => `        .asciz  "${name}"\n`).join("")}
// Properties that the copy has not, or has another way: the kind of node, and the name.
omitted_names:
        .byte   COPY_BOOT
        .asciz  "enable-method"
        .byte   COPY_PARKED
        .asciz  "enable-method"
        .byte   COPY_PARKED
        .asciz  "cpu-release-addr"
        .byte   COPY_DEAD
        .asciz  "status"
        .byte   COPY_CHOSEN
        .asciz  "bootargs"
        .byte   COPY_PSCI
        .asciz  "method"
        .byte   0
        .text
`;

/**
 * `write_tree`. The copy is packed: reservations, structure and strings in this order, without NOP; its strings are the
 * old ones and `ADDED_NAMES`. To `spin-table`: CPUs that wait get `enable-method = "spin-table"` and `cpu-release-addr`,
 * those that are dead `status = "fail"`, and the boot CPU loses its `enable-method`, so that no one turns it off by PSCI.
 * To `psci`: all CPUs are enabled by PSCI, called by HVC, and the writer's own memory is reserved.
 */
export function deviceTreeWriter(to: keyof typeof WRITINGS): Source {
  return { name: "write_tree", text: EQUATES + copy(WRITINGS[to]) + TEXTS };
}
